/* SPDX-License-Identifier: Apache-2.0 */
/* The channel arguments of an application, and what its options add. */
#include "grpc_args.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Muster's rules rest on these: the user's are ignored. */
static const char *const fixed_keys[] = {
    GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
    GRPC_ARG_ENABLE_HTTP_PROXY,
    GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS,
    GRPC_ARG_ENABLE_RETRIES,
    GRPC_ARG_SERVICE_CONFIG,
    GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION,
    GRPC_ARG_LB_POLICY_NAME,
    GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
    GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
    GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
};

/* Arguments that options stand for, at most. */
enum { N_OPTIONS = 9 };

static bool is_fixed(const char *key)
{
    for (size_t i = 0; i < sizeof fixed_keys / sizeof fixed_keys[0]; i++) {
        if (strcmp(key, fixed_keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void free_arg(grpc_arg *arg)
{
    free(arg->key);
    if (arg->type == GRPC_ARG_STRING) {
        free(arg->value.string);
    } else if (arg->type == GRPC_ARG_POINTER) {
        arg->value.pointer.vtable->destroy(arg->value.pointer.p);
    }
}

static muster_status copy_arg(const grpc_arg *from, grpc_arg *ret_arg)
{
    grpc_arg arg = *from;

    arg.key = strdup(from->key);
    if (arg.key == NULL) {
        return MUSTER_NOMEM;
    }
    if (from->type == GRPC_ARG_STRING) {
        arg.value.string = strdup(from->value.string);
        if (arg.value.string == NULL) {
            free(arg.key);
            return MUSTER_NOMEM;
        }
    } else if (from->type == GRPC_ARG_POINTER) {
        arg.value.pointer.p =
            from->value.pointer.vtable->copy(from->value.pointer.p);
    }
    *ret_arg = arg;
    return MUSTER_OK;
}

void muster__grpc_args_fini(muster__grpc_args *args)
{
    for (size_t i = 0; i < args->n; i++) {
        free_arg(&args->items[i]);
    }
    free(args->items);
}

const grpc_arg *muster__grpc_args_find(const muster__grpc_args *args,
                                       const char *key)
{
    for (size_t i = 0; i < args->n; i++) {
        if (strcmp(args->items[i].key, key) == 0) {
            return &args->items[i];
        }
    }
    return NULL;
}

/* There is room for it. */
static muster_status append(muster__grpc_args *args, const grpc_arg *arg)
{
    muster_status status = copy_arg(arg, &args->items[args->n]);

    args->n += status == MUSTER_OK ? 1 : 0;
    return status;
}

/* ---- options ---- */

/* What cannot be said to C core says "never" or "no limit" there. */
static int integer_of(uint64_t value, int otherwise)
{
    return value > INT_MAX ? otherwise : (int)value;
}

static muster_status append_integer(muster__grpc_args *args, const char *key,
                                    int value)
{
    const grpc_arg arg = {.type = GRPC_ARG_INTEGER,
                          .key = (char *)(uintptr_t)key,
                          .value.integer = value};

    return muster__grpc_args_find(args, key) != NULL ? MUSTER_OK
                                                     : append(args, &arg);
}

static muster_status append_string(muster__grpc_args *args, const char *key,
                                   const char *value)
{
    const grpc_arg arg = {.type = GRPC_ARG_STRING,
                          .key = (char *)(uintptr_t)key,
                          .value.string = (char *)(uintptr_t)value};

    return value == NULL || muster__grpc_args_find(args, key) != NULL
               ? MUSTER_OK
               : append(args, &arg);
}

/* Unless it is the default. */
static muster_status append_given(muster__grpc_args *args, const char *key,
                                  uint64_t value, int otherwise)
{
    return value == 0 ? MUSTER_OK
                      : append_integer(args, key, integer_of(value, otherwise));
}

static muster_status append_keepalive(muster__grpc_args *args,
                                      const muster_grpc_options *options)
{
    muster_status status = append_given(args, GRPC_ARG_KEEPALIVE_TIME_MS,
                                        options->keepalive_time_ms, INT_MAX);

    if (status == MUSTER_OK) {
        status = append_given(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              options->keepalive_timeout_ms, INT_MAX);
    }
    if (status == MUSTER_OK) {
        status = append_given(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,
                              options->keepalive_permit_without_calls != 0, 1);
    }
    if (status == MUSTER_OK &&
        muster__grpc_args_find(args, GRPC_ARG_KEEPALIVE_TIME_MS) != NULL) {
        status = append_integer(
            args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA,
            integer_of(options->max_pings_without_data, INT_MAX));
    }
    return status;
}

static muster_status append_messages(muster__grpc_args *args,
                                     const muster_grpc_options *options)
{
    const int no_limit = -1;
    muster_status status =
        append_given(args, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH,
                     options->max_send_message_bytes, no_limit);

    if (status == MUSTER_OK) {
        status = append_given(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                              options->max_receive_message_bytes, no_limit);
    }
    if (status == MUSTER_OK) {
        status = append_given(args, GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
                              (uint64_t)options->compression, 0);
    }
    return status;
}

static muster_status append_options(muster__grpc_args *args,
                                    const muster_grpc_options *options)
{
    muster_status status = append_keepalive(args, options);

    if (status == MUSTER_OK) {
        status = append_messages(args, options);
    }
    if (status == MUSTER_OK) {
        status = append_string(args, GRPC_ARG_PRIMARY_USER_AGENT_STRING,
                               options->user_agent_prefix);
    }
    if (status == MUSTER_OK) {
        status = append_string(args, GRPC_ARG_SECONDARY_USER_AGENT_STRING,
                               options->user_agent_suffix);
    }
    return status;
}

/* ---- all of them ---- */

/* The user's, but for those in fixed_keys. */
static muster_status append_users(muster__grpc_args *args,
                                  const grpc_channel_args *given)
{
    muster_status status = MUSTER_OK;

    for (size_t i = 0; status == MUSTER_OK && i < given->num_args; i++) {
        if (!is_fixed(given->args[i].key)) {
            status = append(args, &given->args[i]);
        }
    }
    return status;
}

muster_status muster__grpc_args_copy(muster__grpc_args *args,
                                     const muster_grpc_options *options,
                                     muster_error *err)
{
    static const grpc_channel_args none = {0};
    const grpc_channel_args *given =
        options->args == NULL ? &none : options->args;
    muster_status status = MUSTER_NOMEM;

    if ((unsigned)options->compression >= GRPC_COMPRESS_ALGORITHMS_COUNT) {
        return muster_error_set(err, MUSTER_INVAL,
                                "there is no compression algorithm %d",
                                (int)options->compression);
    }
    args->items = calloc(given->num_args + N_OPTIONS, sizeof *args->items);
    if (args->items != NULL) {
        status = append_users(args, given);
    }
    if (status == MUSTER_OK) {
        status = append_options(args, options);
    }
    if (status != MUSTER_OK) {
        (void)muster_error_set(err, status, "%s", muster_status_text(status));
    }
    return status;
}
