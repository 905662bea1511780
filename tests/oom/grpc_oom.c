/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of muster's in calls on real servers fails once, each in a
 * run of its own: nothing crashes, hangs or leaks, and when memory is back
 * calls of all kinds end well. C core's own allocations do not fail: it would
 * abort. grpc_oom [FIRST [LAST]] */
#include <muster/grpc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>

#include "backend.h"
#include "failing_malloc.h"
#include "passes.h"

enum { N_SERVERS = 2, HANG_S = 30, BRIEFLY_MS = 100, N_SLICES = 3 };

#define NAMED(method, policy)                                                  \
    "{\"name\": [{\"service\": \"echo.Echo\", \"method\": \"" method           \
    "\"}], " policy "}"
#define RETRIES                                                                \
    "\"retryPolicy\": {\"maxAttempts\": 4, \"initialBackoff\": \"0.001s\", "   \
    "\"maxBackoff\": \"0.002s\", \"backoffMultiplier\": 2, "                   \
    "\"retryableStatusCodes\": [\"UNAVAILABLE\"]}"
#define HEDGES                                                                 \
    "\"hedgingPolicy\": {\"maxAttempts\": 2, \"hedgingDelay\": \"0s\", "       \
    "\"nonFatalStatusCodes\": [\"UNAVAILABLE\"]}"

static const char config[] =
    "{\"methodConfig\": [" NAMED("Unary", RETRIES) ", " NAMED(
        "Peer", HEDGES) ", " NAMED("Stream", RETRIES) "]}";

static char target[300];

static uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec +
           ms * UINT64_C(1000000);
}

/* More slices than a call has room for. */
static grpc_byte_buffer *make_request(void)
{
    grpc_slice slices[N_SLICES];
    grpc_byte_buffer *request;

    for (int i = 0; i < N_SLICES; i++) {
        slices[i] = grpc_slice_from_static_string("hello");
    }
    request = grpc_raw_byte_buffer_create(slices, N_SLICES);
    return request;
}

/* What one kind of call is made with, and how it ended. */
typedef struct caller {
    muster_channel *channel;
    grpc_byte_buffer *request;
    uint64_t patience_ms;
    size_t n_headers;
    grpc_status_code status;
    char message[256];
} caller;

/* Of unary calls and server streams one attempt fails first. */
enum { BIDI = 0, UNARY = 1, SERVER_STREAM = 2 };

/* NULL: no memory. */
static muster_call *make_call(const caller *self, const char *method)
{
    grpc_metadata headers[] = {
        {.key = grpc_slice_from_static_string("x-fail-attempts"),
         .value = grpc_slice_from_static_string("1")},
        {.key = grpc_slice_from_static_string("x-echo-end-after"),
         .value = grpc_slice_from_static_string("0")}};
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_WAIT_FOR_READY,
                                         .deadline_ns =
                                             in_ms(self->patience_ms),
                                         .metadata = headers,
                                         .n_metadata = self->n_headers};
    muster_call *call = NULL;

    (void)muster_call_create(self->channel, method, &options, &call, NULL);
    return call;
}

static void end(caller *self, muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    self->status = result.status;
    (void)snprintf(self->message, sizeof self->message, "%s", result.message);
    muster_call_destroy(call);
}

static void call_and_wait(caller *self, const char *method)
{
    muster_call *call = make_call(self, method);

    if (call == NULL) {
        self->status = GRPC_STATUS_RESOURCE_EXHAUSTED;
    } else if (muster_call_unary(call, self->request) == MUSTER_OK) {
        end(self, call);
    } else {
        muster_call_destroy(call);
        self->status = GRPC_STATUS_RESOURCE_EXHAUSTED;
    }
}

static void call_by_queue(caller *self, const char *method)
{
    muster_call_queue *queue = NULL;
    muster_call *call = make_call(self, method);
    muster_call_event event;

    self->status = GRPC_STATUS_RESOURCE_EXHAUSTED;
    if (call != NULL && muster_call_queue_create(&queue, NULL) == MUSTER_OK &&
        muster_call_start_unary(call, self->request, queue, NULL) ==
            MUSTER_OK) {
        if (muster_call_queue_next(queue, MUSTER_FOREVER, &event) !=
            MUSTER_OK) {
            passes_die("no event of a call that was started");
        }
        end(self, call);
    } else {
        muster_call_destroy(call);
    }
    muster_call_queue_destroy(queue);
}

/* There and back. */
static void talk(muster_call *stream, const grpc_byte_buffer *message)
{
    grpc_byte_buffer *answer = NULL;

    if (muster_call_write(stream, message, MUSTER_SEND_LAST) != MUSTER_OK) {
        muster_call_cancel(stream);
    }
    (void)muster_call_read(stream, &answer);
    grpc_byte_buffer_destroy(answer);
}

static void stream(caller *self, const char *method)
{
    const bool is_bidi = self->n_headers == BIDI;
    muster_call *call = make_call(self, method);

    self->status = GRPC_STATUS_RESOURCE_EXHAUSTED;
    if (call == NULL) {
        return;
    }
    if (muster_call_open(call, is_bidi ? NULL : self->request) != MUSTER_OK) {
        muster_call_destroy(call);
        return;
    }
    if (is_bidi) {
        talk(call, self->request);
    }
    if (muster_call_wait(call) != MUSTER_OK) {
        passes_die("a stream that was opened cannot be waited for");
    }
    end(self, call);
}

static const struct kind {
    void (*make)(caller *self, const char *method);
    const char *method;
    size_t n_headers;
} kinds[] = {{call_and_wait, "/echo.Echo/Unary", UNARY},
             {call_by_queue, "/echo.Echo/Unary", UNARY},
             {call_and_wait, "/echo.Echo/Peer", UNARY},
             {call_by_queue, "/echo.Echo/Peer", UNARY},
             {stream, "/echo.Echo/Stream", SERVER_STREAM},
             {stream, "/echo.Echo/Stream", BIDI}};

static void call_all(muster_channel *channel, grpc_byte_buffer *request,
                     uint64_t patience_ms, bool is_to_end_well)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        caller self = {
            .channel = channel, .request = request, .patience_ms = patience_ms};

        kinds[i].make(&self, kinds[i].method);
        if (is_to_end_well && self.status != GRPC_STATUS_OK) {
            (void)fprintf(stderr, "kind %zu: status %d: %s\n", i,
                          (int)self.status, self.message);
            passes_die("a call failed after memory came back");
        }
    }
}

static bool run(void *arg, const passes_failure *failure)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2,
                                            .resolver_initial_backoff_ms = 1,
                                            .resolver_max_backoff_ms = 2,
                                            .service_config = config};
    grpc_byte_buffer *request = make_request();
    muster_channel *channel = NULL;
    muster_error err;
    muster_status status;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S);
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster_grpc_channel_create(target, &options, NULL, &channel, &err);
    if (status == MUSTER_OK) {
        call_all(channel, request, BRIEFLY_MS, false);
        has_failed = failing_malloc_disarm();
        call_all(channel, request, HANG_S * 1000, true);
        muster_channel_destroy(channel);
    } else {
        has_failed = failing_malloc_disarm();
        if (!has_failed || status != MUSTER_NOMEM) {
            passes_die(err.message);
        }
    }
    grpc_byte_buffer_destroy(request);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    static const char *const flags[] = {"--end-with-parent", NULL};
    backend servers[N_SERVERS] = {0};
    int status;

    grpc_init();
    for (int i = 0; i < N_SERVERS; i++) {
        if (!backend_start(&servers[i], flags)) {
            return 1;
        }
    }
    (void)snprintf(target, sizeof target, "static:///%s,%s", servers[0].address,
                   servers[1].address);
    status = passes_run(argc, argv, run, NULL);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
    }
    return status;
}
