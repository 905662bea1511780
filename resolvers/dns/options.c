/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the options of a target. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include <duration.h>
#include <text.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum { TIME_MIN_MS = 100, TRIES_MAX = 10, JITTER_MAX = 50 };

const muster_option_info muster__dns_option_infos[MUSTER__DNS_N_OPTIONS] = {
    {"type", "records to ask for: auto, a, aaaa, both or srv"},
    {"ttl_min", "shortest time between two queries: 1s"},
    {"ttl_max", "longest time between two queries: 5m"},
    {"refresh", "a fixed time between two queries, instead of the TTL"},
    {"jitter", "percent taken off that time at most, at random: 10"},
    {"hold_nxdomain", "how long a name that is gone keeps its addresses: 30s"},
    {"hold_servfail", "how long server failures count as passing: 30s"},
    {"hold_refused", "how long refusals count as passing: 30s"},
    {"hold_timeout", "how long time-outs count as passing: 30s"},
    {"nxdomain", "whose \"no such name\" counts: first or all"},
    {"timeout", "how long one server may take: 2s"},
    {"tries", "how often each server is asked, 1 to 10: 2"},
    {"search", "on or off: use the search domains"},
    {"hosts", "on or off: look into /etc/hosts first"},
    {"service_config", "on or off: TXT records of _grpc_config.NAME"},
    {"resolv_conf", "the file to read instead of " RESOLV_CONF},
};

static muster_status read_time(const muster_resolver_env *env, const char *name,
                               const char *fallback, uint64_t *ret_ms,
                               muster_error *err)
{
    const char *text = muster_option(env, name, fallback);
    uint64_t ms = muster__duration_ms(text);

    if (ms < TIME_MIN_MS) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s: %s is not from 100ms to 24h, as in "
                                "500ms, 5s or 1m",
                                name, muster__quote(text).text);
    }
    *ret_ms = ms;
    return MUSTER_OK;
}

static muster_status read_times(const muster_resolver_env *env,
                                muster__dns_options *options, muster_error *err)
{
    uint64_t timeout_ms = 0;
    const struct {
        const char *name;
        const char *fallback;
        uint64_t *ret_ms;
    } times[] = {
        {"ttl_min", "1s", &options->ttl_min_ms},
        {"ttl_max", "5m", &options->ttl_max_ms},
        {"hold_nxdomain", "30s", &options->hold_nxdomain_ms},
        {"hold_servfail", "30s", &options->hold_servfail_ms},
        {"hold_refused", "30s", &options->hold_refused_ms},
        {"hold_timeout", "30s", &options->hold_timeout_ms},
        {"timeout", "2s", &timeout_ms},
    };
    muster_status status = MUSTER_OK;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        status = read_time(env, times[i].name, times[i].fallback,
                           times[i].ret_ms, err);
        if (status != MUSTER_OK) {
            return status;
        }
    }
    options->timeout_ms = (uint32_t)timeout_ms;
    if (*muster_option(env, "refresh", "") != '\0') {
        status = read_time(env, "refresh", "", &options->refresh_ms, err);
    }
    if (status == MUSTER_OK && options->ttl_max_ms < options->ttl_min_ms) {
        status = muster_error_set(err, MUSTER_INVAL,
                                  "option ttl_max is less than ttl_min");
    }
    return status;
}

static muster_status read_number(const muster_resolver_env *env,
                                 const char *name, const char *fallback,
                                 unsigned min, unsigned max, unsigned *ret,
                                 muster_error *err)
{
    const char *text = muster_option(env, name, fallback);
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || number < min ||
        number > max) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s: %s is not a number from %u to %u",
                                name, muster__quote(text).text, min, max);
    }
    *ret = (unsigned)number;
    return MUSTER_OK;
}

/* Reads one of the words up to a NULL, as its place among them. */
static muster_status read_word(const muster_resolver_env *env, const char *name,
                               const char *const *words, const char *accepted,
                               unsigned fallback, unsigned *ret,
                               muster_error *err)
{
    const char *text = muster_option(env, name, NULL);

    if (text == NULL) {
        *ret = fallback;
        return MUSTER_OK;
    }
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i;
            return MUSTER_OK;
        }
    }
    return muster_error_set(err, MUSTER_INVAL, "option %s: %s is not %s", name,
                            muster__quote(text).text, accepted);
}

static muster_status read_choice(const muster_resolver_env *env,
                                 const char *name, const char *on,
                                 const char *off, const char *accepted,
                                 muster__dns_choice *ret, muster_error *err)
{
    const char *const words[] = {on, off, NULL};
    unsigned word = 2;
    muster_status status =
        read_word(env, name, words, accepted, word, &word, err);

    *ret = word == 0   ? MUSTER__DNS_ON
           : word == 1 ? MUSTER__DNS_OFF
                       : MUSTER__DNS_BY_SERVER;
    return status;
}

static muster_status read_kind(const muster_resolver_env *env,
                               muster__dns_options *options, muster_error *err)
{
    static const char *const words[] = {"auto", "a",   "aaaa",
                                        "both", "srv", NULL};
    unsigned word = 0;
    muster_status status = read_word(
        env, "type", words, "auto, a, aaaa, both or srv", 0, &word, err);

    options->kind = (muster__dns_kind)word;
    return status;
}

static muster_status read_choices(const muster_resolver_env *env,
                                  muster__dns_options *options,
                                  muster_error *err)
{
    muster__dns_choice config = MUSTER__DNS_OFF;
    muster_status status = read_kind(env, options, err);

    if (status == MUSTER_OK) {
        status = read_choice(env, "nxdomain", "all", "first", "first or all",
                             &options->nxdomain_all, err);
    }
    if (status == MUSTER_OK) {
        status = read_choice(env, "search", "on", "off", "on or off",
                             &options->search, err);
    }
    if (status == MUSTER_OK) {
        status = read_choice(env, "hosts", "on", "off", "on or off",
                             &options->hosts, err);
    }
    if (status == MUSTER_OK) {
        status = read_choice(env, "service_config", "on", "off", "on or off",
                             &config, err);
    }
    options->has_service_config = config == MUSTER__DNS_ON;
    return status;
}

muster_status muster__dns_options_read(const muster_resolver_env *env,
                                       muster__dns_options *ret_options,
                                       muster_error *err)
{
    muster__dns_options options = {.refresh_ms = 0};
    muster_status status = read_times(env, &options, err);

    if (status == MUSTER_OK) {
        status = read_number(env, "jitter", "10", 0, JITTER_MAX,
                             &options.jitter_percent, err);
    }
    if (status == MUSTER_OK) {
        status =
            read_number(env, "tries", "2", 1, TRIES_MAX, &options.tries, err);
    }
    if (status == MUSTER_OK) {
        status = read_choices(env, &options, err);
    }
    options.resolv_conf = muster_option(env, "resolv_conf", RESOLV_CONF);
    if (status == MUSTER_OK && *options.resolv_conf != '/') {
        status = muster_error_set(err, MUSTER_INVAL,
                                  "option resolv_conf: %s is not the absolute "
                                  "path of a file",
                                  muster__quote(options.resolv_conf).text);
    }
    if (status == MUSTER_OK) {
        *ret_options = options;
    }
    return status;
}

uint64_t muster__dns_options_hold_ms(const muster__dns_options *options,
                                     muster__dns_trouble trouble)
{
    switch (trouble) {
    case MUSTER__DNS_TIMEOUT:
        return options->hold_timeout_ms;
    case MUSTER__DNS_UNREACHABLE:
    case MUSTER__DNS_REFUSED:
        return options->hold_refused_ms;
    default:
        return options->hold_servfail_ms;
    }
}
