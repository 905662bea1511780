/* SPDX-License-Identifier: Apache-2.0 */
/* Makes calls, starts them, tells how they ended. */
#include "call.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>

#include "call_hedge.h"
#include "call_pool.h"
#include "grpc_target.h"
#include "runtime.h"
#include "sized.h"
#include "stream.h"

uint64_t muster__grpc_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t muster__call_after(uint64_t now_ns, uint64_t delay_ns)
{
    return delay_ns < MUSTER_FOREVER - now_ns ? now_ns + delay_ns
                                              : MUSTER_FOREVER;
}

gpr_timespec muster__grpc_timespec(uint64_t deadline_ns)
{
    gpr_timespec time = gpr_inf_future(GPR_CLOCK_MONOTONIC);

    if (deadline_ns != MUSTER_FOREVER) {
        time.tv_sec = (int64_t)(deadline_ns / UINT64_C(1000000000));
        time.tv_nsec = (int32_t)(deadline_ns % UINT64_C(1000000000));
    }
    return time;
}

void muster__grpc_attempt_init(muster__grpc_attempt *attempt, muster_call *call)
{
    memset(attempt, 0, sizeof *attempt);
    attempt->step.take = muster__call_settle;
    attempt->call = call;
    grpc_metadata_array_init(&attempt->initial);
    grpc_metadata_array_init(&attempt->trailing);
    attempt->details = grpc_empty_slice();
}

void muster__grpc_attempt_fini(muster__grpc_attempt *attempt)
{
    if (attempt->placed.call == NULL) {
        return;
    }
    grpc_byte_buffer_destroy(attempt->request);
    grpc_byte_buffer_destroy(attempt->response);
    grpc_metadata_array_destroy(&attempt->initial);
    grpc_metadata_array_destroy(&attempt->trailing);
    grpc_slice_unref(attempt->details);
    gpr_free((void *)(uintptr_t)attempt->error_text);
    gpr_free(attempt->placed.peer);
    grpc_call_unref(attempt->placed.call);
    attempt->placed.call = NULL;
}

static muster_call_options read_options(const muster_call_options *options)
{
    muster_call_options known;

    muster__sized_read(&known, sizeof known, options);
    return known;
}

static char *place_text(char **end, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = memcpy(*end, text, size);

    *end += size;
    return copy;
}

/* One allocation a call: the struct, its metadata, its texts. */
static muster_call *allocate(const char *method,
                             const muster_call_options *options)
{
    const size_t metadata_size = options->n_metadata * sizeof(grpc_metadata);
    const size_t key_size =
        options->hash_key == NULL ? 0 : strlen(options->hash_key) + 1;
    muster_call *call =
        malloc(sizeof *call + metadata_size + strlen(method) + 1 + key_size);
    char *end;

    if (call == NULL) {
        return NULL;
    }
    memset(call, 0, sizeof *call);
    call->metadata = (grpc_metadata *)(void *)(call + 1);
    end = (char *)(call + 1) + metadata_size;
    call->method = place_text(&end, method);
    if (options->hash_key != NULL) {
        call->hash_key = place_text(&end, options->hash_key);
    }
    return call;
}

/* C core would refuse the batch that has another, and never tell of its end. */
static bool is_legal(const grpc_metadata *item)
{
    return grpc_header_key_is_legal(item->key) &&
           GRPC_SLICE_LENGTH(item->value) < UINT32_MAX &&
           (grpc_is_binary_header(item->key) ||
            grpc_header_nonbin_value_is_legal(item->value));
}

static bool is_metadata_legal(const muster_call_options *options)
{
    for (size_t i = 0; i < options->n_metadata; i++) {
        if (!is_legal(&options->metadata[i])) {
            return false;
        }
    }
    return true;
}

static void copy_metadata(muster_call *call, const muster_call_options *options)
{
    call->n_metadata = options->n_metadata;
    for (size_t i = 0; i < options->n_metadata; i++) {
        memset(&call->metadata[i], 0, sizeof call->metadata[i]);
        call->metadata[i].key = grpc_slice_ref(options->metadata[i].key);
        call->metadata[i].value = grpc_slice_ref(options->metadata[i].value);
    }
}

muster_status muster_call_create(muster_channel *channel, const char *method,
                                 const muster_call_options *options,
                                 muster_call **ret_call, muster_error *err)
{
    const muster_call_options known = read_options(options);
    muster_call *call;

    if (muster__grpc_is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    if (channel == NULL || method == NULL || method[0] != '/') {
        return muster_error_set(err, MUSTER_INVAL,
                                "a call wants a channel and a method like "
                                "\"/pkg.Service/Method\"");
    }
    if (!is_metadata_legal(&known)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "%s: metadata has a key or a value that gRPC "
                                "does not allow",
                                method);
    }
    call = allocate(method, &known);
    if (call == NULL || pthread_mutex_init(&call->mutex, NULL) != 0) {
        free(call);
        return muster_error_set(err, MUSTER_NOMEM, "%s: %s", method,
                                muster_status_text(MUSTER_NOMEM));
    }
    call->channel = channel;
    call->flags = known.flags;
    call->deadline_ns =
        known.deadline_ns == 0 ? MUSTER_FOREVER : known.deadline_ns;
    call->max_request_bytes = UINT64_MAX;
    call->max_response_bytes = UINT64_MAX;
    call->credentials = known.credentials;
    call->status = GRPC_STATUS_UNKNOWN;
    copy_metadata(call, &known);
    call->attempt = &call->own_attempt;
    muster__grpc_attempt_init(call->attempt, call);
    atomic_init(&call->n_refs, 1);
    *ret_call = call;
    return MUSTER_OK;
}

static void destroy(muster_call *call)
{
    muster__grpc_attempt_fini(call->attempt);
    muster__grpc_attempt_fini(&call->own_attempt);
    for (size_t i = 0; i < call->n_metadata; i++) {
        grpc_slice_unref(call->metadata[i].key);
        grpc_slice_unref(call->metadata[i].value);
    }
    muster__call_hedge_destroy(call->hedge);
    muster__stream_destroy(call->stream);
    muster__grpc_request_fini(&call->request);
    (void)pthread_mutex_destroy(&call->mutex);
    muster__call_headers_fini(call->headers);
    free(call->message);
    free(call->last_message);
    free(call->last_failure);
    gpr_free(call->peer);
    free(call);
}

void muster__call_ref(muster_call *call)
{
    /* Relaxed: who adds one holds one. */
    atomic_fetch_add_explicit(&call->n_refs, 1, memory_order_relaxed);
}

/* Acquire-release: the last one sees what the others did. */
void muster__call_unref(muster_call *call)
{
    if (atomic_fetch_sub_explicit(&call->n_refs, 1, memory_order_acq_rel) ==
        1) {
        destroy(call);
    }
}

void muster_call_destroy(muster_call *call)
{
    if (call != NULL && !muster__grpc_is_forked()) {
        muster__call_unref(call);
    }
}

/* Relaxed: only guards against a second start. */
bool muster__call_claim(muster_call *call)
{
    return !atomic_exchange_explicit(&call->is_started, true,
                                     memory_order_relaxed);
}

muster_status muster__call_start(muster_call *call, muster_call_queue *queue,
                                 void *tag)
{
    if (!muster__call_queue_enter(queue)) {
        return MUSTER_CLOSED;
    }
    call->queue = queue;
    call->tag = tag;
    call->started_ns = muster__grpc_now_ns();
    muster__call_configure(call);
    muster__call_pick(call, call->started_ns);
    return MUSTER_OK;
}

muster_status muster_call_unary(muster_call *call,
                                const grpc_byte_buffer *request)
{
    muster_call_queue *queue;
    muster_call_event event;
    muster_status status;

    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__grpc_on_control_thread()) {
        return MUSTER_WOULD_DEADLOCK;
    }
    if (call == NULL || !muster__call_claim(call)) {
        return MUSTER_INVAL;
    }
    status = muster__call_pool_take(&queue);
    if (status != MUSTER_OK) {
        return status;
    }
    muster__grpc_request_borrow(&call->request, request);
    status = muster__call_start(call, queue, NULL);
    if (status == MUSTER_OK) {
        status = muster_call_queue_next(queue, MUSTER_FOREVER, &event);
    }
    muster__call_pool_give(queue);
    return status;
}

muster_status muster_call_start_unary(muster_call *call,
                                      const grpc_byte_buffer *request,
                                      muster_call_queue *queue, void *tag)
{
    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (call == NULL || queue == NULL || !muster__call_claim(call)) {
        return MUSTER_INVAL;
    }
    if (!muster__grpc_request_keep(&call->request, request)) {
        return MUSTER_NOMEM;
    }
    return muster__call_start(call, queue, tag);
}

static void keep_peer_locked(muster_call *call)
{
    if (call->peer == NULL) {
        call->peer = muster__grpc_peer_of(call->attempt->placed.call);
    }
}

void muster_call_cancel(muster_call *call)
{
    if (call == NULL || muster__grpc_is_forked()) {
        return;
    }
    pthread_mutex_lock(&call->mutex);
    call->is_cancelled = true;
    if (call->is_parked) {
        (void)muster_channel_pick_cancel(call->channel, call->pick);
    } else if (call->hedge != NULL) {
        if (call->attempt != &call->own_attempt) {
            keep_peer_locked(call); /* a stream goes on with it */
        }
        muster__call_hedge_cancel_locked(call->hedge);
        muster__stream_drop_early_locked(call, GRPC_STATUS_CANCELLED);
    } else if (call->attempt->placed.call != NULL) {
        keep_peer_locked(call);
        (void)grpc_call_cancel(call->attempt->placed.call, NULL);
    }
    pthread_mutex_unlock(&call->mutex);
}

static bool has_ended_locked(const muster_call *call)
{
    return call->stream == NULL ? call->has_ended : call->stream->is_over;
}

static void fill_before_end_locked(const muster_call *call,
                                   muster_call_result *ret_result)
{
    static const grpc_metadata_array none;

    ret_result->status = GRPC_STATUS_UNKNOWN;
    ret_result->n_attempts = call->n_attempts;
    ret_result->message = "";
    ret_result->initial_metadata = &none;
    ret_result->trailing_metadata = &none;
    if (call->stream != NULL) {
        muster__stream_fill_result_locked(call->stream, ret_result);
    }
}

static void fill_result_locked(const muster_call *call,
                               muster_call_result *ret_result)
{
    if (!has_ended_locked(call)) {
        fill_before_end_locked(call, ret_result);
        return;
    }
    ret_result->flags =
        call->attempt->is_from_server ? MUSTER_OUTCOME_FROM_SERVER : 0;
    ret_result->status = call->status;
    ret_result->n_attempts = call->n_attempts;
    ret_result->message = call->message == NULL ? "" : call->message;
    ret_result->response = call->attempt->response;
    ret_result->initial_metadata = &call->attempt->initial;
    ret_result->trailing_metadata = &call->attempt->trailing;
    ret_result->latency_ns = call->latency_ns;
}

/* In a fork child there is one thread, and the mutex may stay locked. */
void muster_call_get_result(const muster_call *call,
                            muster_call_result *ret_result)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&call->mutex;
    muster_call_result result;
    size_t size = ret_result->struct_size;

    memset(&result, 0, sizeof result);
    if (muster__grpc_is_forked()) {
        fill_result_locked(call, &result);
    } else {
        pthread_mutex_lock(mutex);
        fill_result_locked(call, &result);
        pthread_mutex_unlock(mutex);
    }
    result.struct_size = ret_result->struct_size;
    memcpy(ret_result, &result, size < sizeof result ? size : sizeof result);
}

static bool has_peer_locked(const muster_call *call)
{
    return call->stream == NULL ? call->has_ended
                                : muster__stream_has_peer_locked(call->stream);
}

const char *muster_call_peer(muster_call *call)
{
    muster__grpc_placed *placed;
    const char *peer;

    if (muster__grpc_is_forked()) {
        return NULL;
    }
    pthread_mutex_lock(&call->mutex);
    placed = &call->attempt->placed; /* of a stream another, maybe, later */
    if (has_peer_locked(call) && placed->call != NULL) {
        if (call->peer == NULL && has_ended_locked(call)) {
            call->peer = placed->peer;
            placed->peer = NULL;
        }
        keep_peer_locked(call);
    }
    peer = call->peer;
    pthread_mutex_unlock(&call->mutex);
    return peer;
}
