/* SPDX-License-Identifier: Apache-2.0 */
/* A client of plain C core. */
#include "core_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/support/time.h>

enum { PATIENCE_S = 30, BACKOFF_MS = 100, SOON_MS = 2, N_OWN_ARGUMENTS = 4 };

static gpr_timespec deadline(void)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_seconds(PATIENCE_S, GPR_TIMESPAN));
}

grpc_arg core_number(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)(size_t)key,
                      .value.integer = value};
}

grpc_arg core_text(const char *key, const char *value)
{
    return (grpc_arg){.type = GRPC_ARG_STRING,
                      .key = (char *)(size_t)key,
                      .value.string = (char *)(size_t)value};
}

grpc_metadata core_header(const char *key, const char *value)
{
    grpc_metadata header;

    memset(&header, 0, sizeof header);
    header.key = grpc_slice_from_static_string(key);
    header.value = grpc_slice_from_static_string(value);
    return header;
}

void core_client_open(core_client *self, const char *address,
                      grpc_channel_credentials *credentials,
                      const grpc_arg *arguments, size_t n_arguments)
{
    grpc_arg list[CORE_MAX_ARGUMENTS] = {
        core_number(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        core_number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        core_number(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_MS),
        core_number(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MS)};
    char target[160];

    if (n_arguments > CORE_MAX_ARGUMENTS - N_OWN_ARGUMENTS) {
        abort();
    }
    if (n_arguments > 0) {
        memcpy(list + N_OWN_ARGUMENTS, arguments,
               n_arguments * sizeof *arguments);
    }
    (void)snprintf(target, sizeof target, "%s%s",
                   strncmp(address, "unix:", 5) == 0 ? "" : "ipv4:", address);
    grpc_init();
    self->channel = core_channel_create(target, credentials, list,
                                        n_arguments + N_OWN_ARGUMENTS);
    self->is_watched = false;
    self->queue = grpc_completion_queue_create_for_next(NULL);
}

void core_client_close(core_client *self)
{
    grpc_channel_destroy(self->channel);
    core_queue_destroy(self->queue);
    grpc_shutdown();
}

/* The next event but that of the watch, which is noted. */
static grpc_event next(core_client *self, gpr_timespec end)
{
    const grpc_event event = grpc_completion_queue_next(self->queue, end, NULL);

    if (event.type == GRPC_OP_COMPLETE && event.tag == self) {
        self->is_watched = false;
    }
    return event;
}

bool core_client_await_calls(core_client *self, size_t n_calls)
{
    const gpr_timespec end = deadline();

    while (n_calls > 0) {
        const grpc_event event = next(self, end);

        if (event.type != GRPC_OP_COMPLETE) {
            return false;
        }
        n_calls -= event.tag != self;
    }
    return true;
}

/* One watch at a time; only then does polling the queue move the channel. */
static grpc_connectivity_state watch(core_client *self)
{
    if (!self->is_watched) {
        self->watched = grpc_channel_check_connectivity_state(self->channel, 1);
        self->is_watched = true;
        grpc_channel_watch_connectivity_state(
            self->channel, self->watched, gpr_inf_future(GPR_CLOCK_MONOTONIC),
            self->queue, self);
    }
    return self->watched;
}

static gpr_timespec soon(void)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(SOON_MS, GPR_TIMESPAN));
}

bool core_client_await_condition(core_client *self,
                                 bool (*condition)(void *arg), void *arg)
{
    const gpr_timespec end = deadline();

    while (!condition(arg)) {
        if (gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) > 0) {
            return false;
        }
        (void)watch(self);
        (void)next(self, soon());
    }
    return true;
}

bool core_client_await_state(core_client *self, grpc_connectivity_state state)
{
    const gpr_timespec end = deadline();

    while (watch(self) != state) {
        if (next(self, end).type != GRPC_OP_COMPLETE) {
            return false;
        }
    }
    return true;
}

void core_client_call_method(core_client *self, core_call *made,
                             const char *method, const char *text,
                             grpc_metadata *headers, size_t n_headers)
{
    grpc_slice slice = grpc_slice_from_copied_string(text);
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    core_call_start(made, self->channel, self->queue, method, request, headers,
                    n_headers, deadline());
    grpc_byte_buffer_destroy(request);
    while (!core_client_await_calls(self, 1)) {
        /* By the call's own deadline. */
    }
}

void core_client_call(core_client *self, core_call *made, const char *text,
                      grpc_metadata *headers, size_t n_headers)
{
    core_client_call_method(self, made, "/echo.Echo/Unary", text, headers,
                            n_headers);
}

grpc_status_code core_client_ask(core_client *self)
{
    core_call made;

    core_client_call(self, &made, "", NULL, 0);
    core_call_fini(&made);
    return made.status;
}

static char *copy_of(grpc_slice slice)
{
    const size_t length = GRPC_SLICE_LENGTH(slice);
    char *text = malloc(length + 1);

    if (text == NULL) {
        abort();
    }
    memcpy(text, GRPC_SLICE_START_PTR(slice), length);
    text[length] = '\0';
    return text;
}

char *core_call_text(const core_call *self)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    char *text;

    if (self->response == NULL ||
        !grpc_byte_buffer_reader_init(&reader, self->response)) {
        return NULL;
    }
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    text = copy_of(slice);
    grpc_slice_unref(slice);
    return text;
}

char *core_find(const grpc_metadata_array *array, const char *key)
{
    for (size_t i = 0; i < array->count; i++) {
        if (grpc_slice_str_cmp(array->metadata[i].key, key) == 0) {
            return copy_of(array->metadata[i].value);
        }
    }
    return NULL;
}
