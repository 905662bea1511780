/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the options of a target. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include <duration.h>
#include <text.h>

enum {
    WAIT_MIN_MS = 100,
    WAIT_MAX_MS = 600000, /* which Consul cuts to */
    BACKOFF_MIN_MS = 100,
    LIMIT_MAX = 100000,
    CONNECTIONS_MAX = 10000
};

const muster_option_info muster__consul_option_infos[MUSTER__CONSUL_N_OPTIONS] =
    {
        {"dc", "the datacenter: the agent's own"},
        {"tag", "tags that instances must all have, separated by commas"},
        {"passing",
         "on, or off: those with warnings too, by their weight for it"},
        {"near", "a node, or _agent: the nearest instances first"},
        {"filter", "an expression that instances must meet"},
        {"ns", "the namespace (Consul Enterprise)"},
        {"partition", "the admin partition (Consul Enterprise)"},
        {"stale", "on or off: any server may answer"},
        {"consistent", "on or off: the leader makes sure that it is one"},
        {"cached", "on or off: the agent answers from its cache"},
        {"wait", "the longest that a query blocks: 1m"},
        {"max_backoff", "the longest time between two tries: 10s"},
        {"limit", "how many instances to use at most"},
        {"address", "which tagged address to use: lan, wan, ..."},
        {"token_file", "the file with the ACL token"},
        {"tls", "on or off: speak https to the agent that the target names"},
        {"cache", "the folder to keep the last list in, for the next start"},
        {"cache_age", "how old a list from there may be: 24h"},
        {"max_connections", "connections to the agent: 128, with HTTP/2 16"},
};

static muster_status read_switch(const muster_resolver_env *env,
                                 const char *name, bool fallback, bool *ret,
                                 muster_error *err)
{
    const char *text = muster_option(env, name, fallback ? "on" : "off");

    if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s: %s is not on or off", name,
                                muster__quote(text).text);
    }
    *ret = strcmp(text, "on") == 0;
    return MUSTER_OK;
}

static muster_status read_time(const muster_resolver_env *env, const char *name,
                               const char *fallback, uint64_t min_ms,
                               uint64_t max_ms, const char *accepted,
                               uint64_t *ret_ms, muster_error *err)
{
    const char *text = muster_option(env, name, fallback);
    uint64_t ms = muster__duration_ms(text);

    if (ms < min_ms || ms > max_ms) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s: %s is not from %s, as in 500ms, "
                                "30s or 5m",
                                name, muster__quote(text).text, accepted);
    }
    *ret_ms = ms;
    return MUSTER_OK;
}

static muster_status read_number(const muster_resolver_env *env,
                                 const char *name, uint32_t max, uint32_t *ret,
                                 muster_error *err)
{
    const char *text = muster_option(env, name, NULL);
    char *end = NULL;
    unsigned long number;

    if (text == NULL) {
        return MUSTER_OK;
    }
    number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number < 1 ||
        number > max) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s: %s is not a number from 1 to %u",
                                name, muster__quote(text).text, max);
    }
    *ret = (uint32_t)number;
    return MUSTER_OK;
}

static muster_status check_path(const char *name, const char *path,
                                muster_error *err)
{
    if (path != NULL && *path != '/') {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s: %s is not an absolute path", name,
                                muster__quote(path).text);
    }
    return MUSTER_OK;
}

static muster_status read_switches(const muster_resolver_env *env, bool is_tls,
                                   muster__consul_options *options,
                                   muster_error *err)
{
    bool is_stale = false;
    bool is_consistent = false;
    const struct {
        const char *name;
        bool fallback;
        bool *ret;
    } switches[] = {{"passing", true, &options->is_passing},
                    {"cached", false, &options->is_cached},
                    {"tls", is_tls, &options->is_tls},
                    {"stale", false, &is_stale},
                    {"consistent", false, &is_consistent}};

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        muster_status status = read_switch(
            env, switches[i].name, switches[i].fallback, switches[i].ret, err);

        if (status != MUSTER_OK) {
            return status;
        }
    }
    if (is_consistent && (is_stale || options->is_cached)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option consistent: it rules out %s",
                                is_stale ? "stale" : "cached");
    }
    options->consistency = is_stale        ? MUSTER__CONSUL_STALE
                           : is_consistent ? MUSTER__CONSUL_CONSISTENT
                                           : MUSTER__CONSUL_DEFAULT;
    return MUSTER_OK;
}

static void read_texts(const muster_resolver_env *env,
                       muster__consul_options *options)
{
    options->dc = muster_option(env, "dc", NULL);
    options->tag = muster_option(env, "tag", NULL);
    options->near = muster_option(env, "near", NULL);
    options->filter = muster_option(env, "filter", NULL);
    options->ns = muster_option(env, "ns", NULL);
    options->partition = muster_option(env, "partition", NULL);
    options->address = muster_option(env, "address", NULL);
    options->token_file = muster_option(env, "token_file", NULL);
    options->cache = muster_option(env, "cache", NULL);
}

muster_status muster__consul_options_read(const muster_resolver_env *env,
                                          bool is_tls,
                                          muster__consul_options *ret_options,
                                          muster_error *err)
{
    muster__consul_options options = {.limit = 0};
    muster_status status = read_switches(env, is_tls, &options, err);

    read_texts(env, &options);
    if (status == MUSTER_OK) {
        status = read_time(env, "wait", "1m", WAIT_MIN_MS, WAIT_MAX_MS,
                           "100ms to 10m", &options.wait_ms, err);
    }
    if (status == MUSTER_OK) {
        status = read_time(env, "max_backoff", "10s", BACKOFF_MIN_MS,
                           MUSTER__DURATION_MAX_MS, "100ms to 24h",
                           &options.max_backoff_ms, err);
    }
    if (status == MUSTER_OK) {
        status = read_number(env, "limit", LIMIT_MAX, &options.limit, err);
    }
    if (status == MUSTER_OK) {
        status = read_number(env, "max_connections", CONNECTIONS_MAX,
                             &options.max_connections, err);
    }
    if (status == MUSTER_OK) {
        status = read_time(env, "cache_age", "24h", 1, MUSTER__DURATION_MAX_MS,
                           "1ms to 24h", &options.cache_age_ms, err);
    }
    if (status == MUSTER_OK) {
        status = check_path("token_file", options.token_file, err);
    }
    if (status == MUSTER_OK) {
        status = check_path("cache", options.cache, err);
    }
    if (status == MUSTER_OK) {
        *ret_options = options;
    }
    return status;
}
