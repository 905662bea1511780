/* SPDX-License-Identifier: Apache-2.0 */
/* muster's own settings in a service config. */
#include "settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <fork.h>

#include "service_config.h"
#include "value.h"

#define NS_PER_MS UINT64_C(1000000)

/* Of one endpoint: as many as the core makes at most. */
#define CONNECTIONS_MAX 64

typedef enum kind {
    DURATION,    /* uint64_t, in ms */
    BYTES,       /* uint64_t */
    COUNT,       /* uint32_t */
    FLAG,        /* uint32_t */
    TEXT,        /* char * */
    COMPRESSION, /* uint32_t */
} kind;

typedef struct setting {
    const char *key;
    kind kind;
    size_t offset;
    uint32_t max; /* of a COUNT */
} setting;

#define AT(field) offsetof(muster_settings, field)

static const setting known[] = {
    {"maxConnecting", COUNT, AT(max_connecting), UINT32_MAX},
    {"connectionsPerEndpoint", COUNT, AT(connections_per_endpoint),
     CONNECTIONS_MAX},
    {"initialBackoff", DURATION, AT(initial_backoff_ms), 0},
    {"maxBackoff", DURATION, AT(max_backoff_ms), 0},
    {"backoffJitterPercent", COUNT, AT(backoff_jitter_percent), 100},
    {"connectTimeout", DURATION, AT(connect_timeout_ms), 0},
    {"idleTimeout", DURATION, AT(idle_timeout_ms), 0},
    {"keepaliveTime", DURATION, AT(keepalive_time_ms), 0},
    {"keepaliveTimeout", DURATION, AT(keepalive_timeout_ms), 0},
    {"keepalivePermitWithoutCalls", FLAG, AT(keepalive_permit_without_calls),
     0},
    {"maxPingsWithoutData", COUNT, AT(max_pings_without_data), UINT32_MAX},
    {"maxSendMessageBytes", BYTES, AT(max_send_message_bytes), 0},
    {"maxReceiveMessageBytes", BYTES, AT(max_receive_message_bytes), 0},
    {"userAgentPrefix", TEXT, AT(user_agent_prefix), 0},
    {"userAgentSuffix", TEXT, AT(user_agent_suffix), 0},
    {"compression", COMPRESSION, AT(compression), 0},
};
enum { N_KNOWN = sizeof known / sizeof known[0] };

/* By C core's numbers. */
static const char *const algorithms[] = {"none", "deflate", "gzip"};
enum { N_ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

/* ---- one value ---- */

/* Rounded up: what is not 0 does not become the default. */
static bool read_duration(muster__problems *problems, const json_t *value,
                          uint64_t *ret_ms)
{
    uint64_t ns = 0;
    bool is_good = muster__config_duration(problems, value, &ns);

    if (is_good) {
        *ret_ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0 ? 1 : 0);
    }
    return is_good;
}

static bool read_count(muster__problems *problems, const json_t *value,
                       uint64_t max, uint32_t *ret_count)
{
    uint64_t count = 0;
    bool is_good = muster__config_integer(problems, value, max, &count);

    if (is_good) {
        *ret_count = (uint32_t)count;
    }
    return is_good;
}

static bool read_flag(muster__problems *problems, const json_t *value,
                      uint32_t *ret_flag)
{
    bool is_set = false;
    bool is_good = muster__config_bool(problems, value, &is_set);

    if (is_good) {
        *ret_flag = is_set ? 1 : 0;
    }
    return is_good;
}

static bool read_text(muster__problems *problems, const json_t *value,
                      char **ret_text)
{
    if (!muster__config_is_string(problems, value)) {
        return false;
    }
    if (json_string_value(value)[0] != '\0') {
        *ret_text = strdup(json_string_value(value));
        problems->is_out_of_memory |= *ret_text == NULL;
    }
    return !problems->is_out_of_memory;
}

static bool read_compression(muster__problems *problems, const json_t *value,
                             uint32_t *ret_number)
{
    const char *name = json_string_value(value);

    for (uint32_t i = 0; name != NULL && i < N_ALGORITHMS; i++) {
        if (strcmp(name, algorithms[i]) == 0) {
            *ret_number = i;
            return true;
        }
    }
    muster__problems_add(problems, "must be \"none\", \"deflate\" or \"gzip\"");
    return false;
}

static bool read_value(muster__problems *problems, const json_t *value,
                       const setting *of, void *field)
{
    switch (of->kind) {
    case DURATION:
        return read_duration(problems, value, field);
    case BYTES:
        return muster__config_integer(problems, value, INT64_MAX, field);
    case COUNT:
        return read_count(problems, value, of->max, field);
    case FLAG:
        return read_flag(problems, value, field);
    case TEXT:
        return read_text(problems, value, field);
    case COMPRESSION:
        return read_compression(problems, value, field);
    }
    return false;
}

/* ---- all of them ---- */

static const setting *find(const char *key)
{
    for (int i = 0; i < N_KNOWN; i++) {
        if (strcmp(known[i].key, key) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

static void add_unknown(muster__problems *problems)
{
    char keys[512] = "";

    if (problems->ignores_unknown) {
        return;
    }
    for (int i = 0; i < N_KNOWN; i++) {
        (void)strncat(keys, i == 0 ? "" : ", ", sizeof keys - strlen(keys) - 1);
        (void)strncat(keys, known[i].key, sizeof keys - strlen(keys) - 1);
    }
    muster__problems_add(problems, "is no setting of muster's, which are %s",
                         keys);
}

bool muster__settings_read(muster__problems *problems, const json_t *object,
                           muster_settings *settings)
{
    bool is_good = muster__config_is_object(problems, object);
    const char *key;
    json_t *value;

    if (!is_good) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const setting *of = find(key);
        size_t mark = muster__problems_enter(problems, key);

        if (of == NULL) {
            is_good &= problems->ignores_unknown;
            add_unknown(problems);
        } else if (!json_is_null(value)) {
            is_good &=
                read_value(problems, value, of, (char *)settings + of->offset);
        }
        muster__problems_leave(problems, mark);
    }
    return is_good;
}

void muster__settings_fini(muster_settings *settings)
{
    free(settings->user_agent_prefix);
    free(settings->user_agent_suffix);
}

/* ---- for programs ---- */

/* What the caller's struct has no room for is freed. */
static void give(muster_settings *settings, muster_settings *ret_settings)
{
    const uint32_t size = ret_settings->struct_size;

    if (size < offsetof(muster_settings, compression)) {
        muster__settings_fini(settings);
        settings->user_agent_prefix = NULL;
        settings->user_agent_suffix = NULL;
    }
    settings->struct_size =
        size < sizeof *settings ? size : (uint32_t)sizeof *settings;
    memcpy(ret_settings, settings, settings->struct_size);
}

muster_status muster_service_config_get_settings(const char *json,
                                                 size_t length,
                                                 muster_settings *ret_settings,
                                                 muster_error *err)
{
    muster_settings settings = {0};
    muster__problems problems;
    muster_status status;

    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    muster__problems_init(&problems);
    muster__service_config_read_settings(&problems, json, length, &settings);
    status = muster__problems_status(&problems, "service config", err);
    muster__problems_fini(&problems);
    if (status == MUSTER_OK) {
        give(&settings, ret_settings);
    } else {
        muster__settings_fini(&settings);
    }
    return status;
}
