/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a channel's credentials and arguments; makes C core channels of them.
 */
#include "grpc_config.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/grpc_security.h>

#include "grpc_args.h"
#include "grpc_target.h"
#include "hedging/latencies.h"
#include "runtime.h"
#include "sized.h"
#include "tls_diagnosis.h"
#include "tls_options.h"

struct muster__grpc_config {
    _Atomic uint32_t n_refs;
    char *target;
    grpc_channel_credentials *credentials; /* kept alive by keeper */
    grpc_channel *keeper;
    muster__tls *tls; /* then neither of the two */
    muster__grpc_args args;
    char *health_service; /* NULL: the core's word goes */
    uint64_t retry_buffer_bytes;
    muster__latencies latencies;
    atomic_bool has_unwatched;
    bool has_keepalive; /* then the store is used */
    muster__kept_store kept;
};

/* Arguments that muster adds, at most. */
#define MAX_ADDED_ARGS 9

/* C core's own for what it keeps of a call. */
#define DEFAULT_RETRY_BUFFER_BYTES (UINT64_C(256) * 1024)

#define DIAGNOSIS_TIMEOUT_MS UINT64_C(5000)

/* NULL stays NULL. */
static muster_status copy_text(const char *text, char **ret_copy)
{
    *ret_copy = text == NULL ? NULL : strdup(text);
    return text != NULL && *ret_copy == NULL ? MUSTER_NOMEM : MUSTER_OK;
}

/* C core has no public function that takes a reference to credentials, but a
 * channel holds one. This channel is never asked to connect. */
static void keep_credentials(muster__grpc_config *config,
                             grpc_channel_credentials *credentials)
{
    grpc_channel_credentials *own = NULL;

    if (credentials == NULL) {
        own = grpc_insecure_credentials_create();
        credentials = own;
    }
    config->keeper = grpc_channel_create("ipv4:127.0.0.1:1", credentials, NULL);
    config->credentials = credentials;
    if (own != NULL) {
        grpc_channel_credentials_release(own);
    }
}

static muster_status take_credentials(muster__grpc_config *config,
                                      const muster_grpc_options *options,
                                      muster_error *err)
{
    const grpc_arg *name =
        muster__grpc_args_find(&config->args, GRPC_ARG_DEFAULT_AUTHORITY);

    if (options->tls == NULL) {
        keep_credentials(config, options->credentials);
        return MUSTER_OK;
    }
    if (options->credentials != NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "%s: credentials and TLS options exclude each "
                                "other",
                                config->target);
    }
    if (name != NULL && name->type == GRPC_ARG_STRING &&
        !muster__tls_is_name(name->value.string)) {
        return muster_error_set(
            err, MUSTER_INVAL, "%s: TLS has no name to check: %s is \"%s\"",
            config->target, GRPC_ARG_DEFAULT_AUTHORITY, name->value.string);
    }
    return muster__tls_create(config->target, options->tls, &config->tls, err);
}

static void destroy(muster__grpc_config *config)
{
    if (config->keeper != NULL) {
        grpc_channel_destroy(config->keeper);
    }
    muster__latencies_fini(&config->latencies);
    muster__kept_store_fini(&config->kept);
    muster__tls_destroy(config->tls);
    muster__grpc_args_fini(&config->args);
    free(config->health_service);
    free(config->target);
    free(config);
}

static muster__grpc_config *allocate(const char *target,
                                     const char *health_service)
{
    muster__grpc_config *config = calloc(1, sizeof *config);

    if (config == NULL || !muster__latencies_init(&config->latencies)) {
        free(config);
        return NULL;
    }
    if (muster__kept_store_init(&config->kept) != MUSTER_OK) {
        muster__latencies_fini(&config->latencies);
        free(config);
        return NULL;
    }
    atomic_init(&config->n_refs, 1);
    atomic_init(&config->has_unwatched, false);
    config->target = strdup(target);
    if (config->target == NULL ||
        copy_text(health_service, &config->health_service) != MUSTER_OK) {
        destroy(config);
        return NULL;
    }
    return config;
}

static muster_grpc_options read_options(const muster_grpc_options *options)
{
    muster_grpc_options known;

    muster__sized_read(&known, sizeof known, options);
    return known;
}

muster_status muster__grpc_config_create(const char *target,
                                         const muster_grpc_options *options,
                                         muster__grpc_config **ret_config,
                                         muster_error *err)
{
    const muster_grpc_options known = read_options(options);
    muster__grpc_config *config;
    muster_status status = muster__grpc_start(err);

    if (status != MUSTER_OK) {
        return status;
    }
    config = allocate(target, known.health_service);
    if (config == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: %s", target,
                                muster_status_text(MUSTER_NOMEM));
    }
    status = muster__grpc_args_copy(&config->args, &known, err);
    if (status == MUSTER_OK) {
        status = take_credentials(config, &known, err);
    }
    if (status != MUSTER_OK) {
        destroy(config);
        return status;
    }
    config->retry_buffer_bytes = known.retry_buffer_bytes != 0
                                     ? known.retry_buffer_bytes
                                     : DEFAULT_RETRY_BUFFER_BYTES;
    config->has_keepalive =
        muster__grpc_args_find(&config->args, GRPC_ARG_KEEPALIVE_TIME_MS) !=
        NULL;
    *ret_config = config;
    return MUSTER_OK;
}

/* Relaxed: who takes a reference already has one. */
void muster__grpc_config_ref(void *arg)
{
    muster__grpc_config *config = arg;

    atomic_fetch_add_explicit(&config->n_refs, 1, memory_order_relaxed);
}

/* Acquire-release: the last one sees what the others did. */
void muster__grpc_config_unref(void *arg)
{
    muster__grpc_config *config = arg;

    if (config != NULL &&
        atomic_fetch_sub_explicit(&config->n_refs, 1, memory_order_acq_rel) ==
            1 &&
        !muster__grpc_is_forked()) {
        destroy(config);
    }
}

muster__tls *muster__grpc_config_tls(const muster__grpc_config *config)
{
    return config->tls;
}

const char *muster__grpc_config_target(const muster__grpc_config *config)
{
    return config->target;
}

muster__latency *muster__grpc_config_latency(muster__grpc_config *config,
                                             const char *method)
{
    return muster__latencies_find(&config->latencies, method);
}

uint64_t
muster__grpc_config_retry_buffer_bytes(const muster__grpc_config *config)
{
    return config->retry_buffer_bytes;
}

const char *
muster__grpc_config_health_service(const muster__grpc_config *config,
                                   const char *wanted)
{
    if (config->health_service == NULL) {
        return wanted;
    }
    return strcmp(config->health_service, MUSTER_GRPC_HEALTH_OFF) == 0
               ? NULL
               : config->health_service;
}

/* Relaxed: nothing hangs on it. */
bool muster__grpc_config_is_first_unwatched(muster__grpc_config *config)
{
    return !atomic_exchange_explicit(&config->has_unwatched, true,
                                     memory_order_relaxed);
}

static void add_integer(grpc_channel_args *args, const char *key, int value)
{
    grpc_arg *arg = &args->args[args->num_args++];

    arg->type = GRPC_ARG_INTEGER;
    arg->key = (char *)(uintptr_t)key;
    arg->value.integer = value;
}

static void add_string(grpc_channel_args *args, const char *key,
                       const char *value)
{
    grpc_arg *arg = &args->args[args->num_args++];

    arg->type = GRPC_ARG_STRING;
    arg->key = (char *)(uintptr_t)key;
    arg->value.string = (char *)(uintptr_t)value;
}

static int backoff_of(uint64_t connect_timeout_ms)
{
    const uint64_t margin_ms = 1000;

    return connect_timeout_ms > INT_MAX - margin_ms
               ? INT_MAX
               : (int)(connect_timeout_ms + margin_ms);
}

uint64_t muster__grpc_config_attempt_ms(uint64_t connect_timeout_ms)
{
    const uint64_t backoff_ms = (uint64_t)backoff_of(connect_timeout_ms);
    const uint64_t slack_ms = 1000;

    /* C core lengthens the second backoff and those after by a fifth. */
    return backoff_ms + backoff_ms / 5 + slack_ms;
}

static void add_rules(grpc_channel_args *args, uint64_t connect_timeout_ms)
{
    /* Longer than muster waits: C core never gives up or tries again first. */
    const int backoff_ms = backoff_of(connect_timeout_ms);

    add_integer(args, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    add_integer(args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    add_integer(args, GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX);
    /* With no retry policy: only the retry of what was never processed. */
    add_integer(args, GRPC_ARG_ENABLE_RETRIES, 1);
    add_integer(args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    add_integer(args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, backoff_ms);
    add_integer(args, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, backoff_ms);
    add_integer(args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, backoff_ms);
}

/* Of C core's own arguments and the user's, which win. The caller's. NULL: no
 * memory. */
static grpc_arg *list_args(const muster__grpc_config *config,
                           const char *authority, uint64_t connect_timeout_ms,
                           grpc_channel_args *ret_args)
{
    grpc_channel_args args = {0};

    args.args = calloc(config->args.n + MAX_ADDED_ARGS, sizeof *args.args);
    if (args.args == NULL) {
        return NULL;
    }
    add_rules(&args, connect_timeout_ms);
    if (muster__grpc_args_find(&config->args, GRPC_ARG_DEFAULT_AUTHORITY) ==
        NULL) {
        add_string(&args, GRPC_ARG_DEFAULT_AUTHORITY, authority);
    }
    if (config->args.n > 0) {
        memcpy(args.args + args.num_args, config->args.items,
               config->args.n * sizeof *args.args);
        args.num_args += config->args.n;
    }
    *ret_args = args;
    return args.args;
}

/* credentials NULL: those of the config. */
static muster_status connect_with(const muster__grpc_config *config,
                                  grpc_channel_credentials *credentials,
                                  const char *address, const char *authority,
                                  uint64_t connect_timeout_ms,
                                  grpc_channel **ret_channel)
{
    grpc_channel_args args;
    grpc_arg *list;
    char *target;
    muster_status status = muster__grpc_target_of_address(address, &target);

    if (status != MUSTER_OK) {
        return status;
    }
    list = list_args(config, authority, connect_timeout_ms, &args);
    if (list == NULL) {
        free(target);
        return MUSTER_NOMEM;
    }
    *ret_channel =
        credentials == NULL && config->tls != NULL
            ? muster__tls_connect(config->tls, target, &args)
            : grpc_channel_create(target,
                                  credentials == NULL ? config->credentials
                                                      : credentials,
                                  &args);
    free(list);
    free(target);
    return MUSTER_OK;
}

/* NULL when there is none. One on which a call has tried to reconnect since, in
 * vain, waits for C core's backoff, and is of no use. */
static muster__kept_channel *take_kept(muster__grpc_config *config,
                                       const muster__kept_key *key)
{
    muster__kept_channel *kept = muster__kept_store_take(&config->kept, key);

    if (kept != NULL && grpc_channel_check_connectivity_state(
                            muster__kept_channel_get(kept), 0) ==
                            GRPC_CHANNEL_TRANSIENT_FAILURE) {
        muster__kept_channel_unref(kept);
        kept = NULL;
    }
    return kept;
}

muster_status muster__grpc_config_connect(muster__grpc_config *config,
                                          const char *address,
                                          const char *authority,
                                          uint64_t connect_timeout_ms,
                                          muster__kept_channel **ret_channel)
{
    const muster__kept_key key = {address, authority, connect_timeout_ms,
                                  muster__tls_generation(config->tls)};
    grpc_channel *channel;
    muster_status status;

    *ret_channel = take_kept(config, &key);
    if (*ret_channel != NULL) {
        return MUSTER_OK;
    }
    status = connect_with(config, NULL, address, authority, connect_timeout_ms,
                          &channel);
    if (status == MUSTER_OK) {
        status = muster__kept_channel_create(channel, &key, ret_channel);
        if (status != MUSTER_OK) {
            grpc_channel_destroy(channel);
        }
    }
    return status;
}

void muster__grpc_config_keep(muster__grpc_config *config,
                              muster__kept_channel *channel)
{
    if (config->has_keepalive && channel != NULL) {
        muster__kept_store_put(&config->kept, channel);
    }
}

void muster__grpc_config_let_go(muster__grpc_config *config,
                                muster__kept_channel *channel)
{
    if (config->has_keepalive && channel != NULL) {
        muster__kept_store_let_go(&config->kept, channel);
    }
}

muster_status muster__grpc_config_diagnose(const muster__grpc_config *config,
                                           const char *address,
                                           const char *authority,
                                           grpc_channel **ret_channel)
{
    grpc_channel_credentials *credentials = muster__tls_diagnosis_credentials();
    muster_status status = connect_with(config, credentials, address, authority,
                                        DIAGNOSIS_TIMEOUT_MS, ret_channel);

    grpc_channel_credentials_release(credentials);
    return status;
}
