/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts at a stream beside one another: gRFC A6's hedging, of a stream that
 * was opened with its request. Each is opened and asked for one message; the
 * first message decides, and the stream goes on where it came from. An attempt
 * that ends without one is judged as that of a unary call is. */
#include <stddef.h>
#include <string.h>

#include "call_hedge.h"
#include "stream.h"

bool muster__stream_may_race(const muster_call *call)
{
    return call->stream == NULL || call->stream->is_send_silent;
}

static muster__stream_racer *racer_of(const muster__grpc_attempt *attempt)
{
    muster__call_hedge *hedge = attempt->call->hedge;

    return &hedge->racers[attempt - hedge->attempts];
}

static muster__grpc_attempt *attempt_of(muster__call_hedge *hedge,
                                        const muster__stream_racer *racer)
{
    return &hedge->attempts[racer - hedge->racers];
}

/* ---- Ends of batches ---- */

/* The mutex is held, and is released. */
static bool finish_batch(muster__grpc_attempt *attempt,
                         muster_call_event *ret_event)
{
    const bool is_over = --racer_of(attempt)->n_batches == 0;

    pthread_mutex_unlock(&attempt->call->mutex);
    return is_over && muster__call_hedge_settle(attempt, ret_event);
}

static bool take_opening(muster__call_step *step, bool is_ok,
                         muster_call_event *ret_event)
{
    muster__stream_racer *racer =
        (muster__stream_racer *)((char *)step -
                                 offsetof(muster__stream_racer, on_opening));
    muster__grpc_attempt *attempt = attempt_of(racer->hedge, racer);
    muster_call *call = attempt->call;

    (void)is_ok; /* the status says it */
    pthread_mutex_lock(&call->mutex);
    return attempt->is_racing
               ? finish_batch(attempt, ret_event)
               : muster__stream_finish_opening(call->stream, ret_event);
}

static bool take_first(muster__call_step *step, bool is_ok,
                       muster_call_event *ret_event)
{
    muster__stream_racer *racer =
        (muster__stream_racer *)((char *)step -
                                 offsetof(muster__stream_racer, on_first));
    muster__grpc_attempt *attempt = attempt_of(racer->hedge, racer);

    (void)is_ok; /* there is a message, or none */
    pthread_mutex_lock(&attempt->call->mutex);
    if (attempt->response == NULL || racer->hedge->is_decided) {
        return finish_batch(attempt, ret_event);
    }
    muster__call_hedge_adopt_locked(racer->hedge, attempt);
    return muster__stream_adopt(attempt, racer->n_batches - 1, racer->is_closed,
                                ret_event);
}

static bool take_status(muster__call_step *step, bool is_ok,
                        muster_call_event *ret_event)
{
    muster__grpc_attempt *attempt = (muster__grpc_attempt *)step;
    muster_call *call = attempt->call;

    (void)is_ok;
    pthread_mutex_lock(&call->mutex);
    racer_of(attempt)->is_closed = true;
    return attempt->is_racing
               ? finish_batch(attempt, ret_event)
               : muster__stream_finish_status(call->stream, ret_event);
}

/* ---- Beginning ---- */

static void start_opening(muster__grpc_attempt *attempt)
{
    const muster_call *call = attempt->call;
    grpc_op ops[4];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.count = call->n_metadata;
    ops[0].data.send_initial_metadata.metadata = call->metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = attempt->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &attempt->initial;
    (void)grpc_call_start_batch(attempt->placed.call, ops, 4,
                                &racer_of(attempt)->on_opening, NULL);
}

static void start_first(muster__grpc_attempt *attempt)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &attempt->response;
    (void)grpc_call_start_batch(attempt->placed.call, &op, 1,
                                &racer_of(attempt)->on_first, NULL);
}

/* All three keep the attempt: it may be over as soon as the last has begun. */
void muster__stream_race_start(muster__grpc_attempt *attempt)
{
    muster__stream_racer *racer = racer_of(attempt);

    racer->hedge = attempt->call->hedge;
    racer->on_opening.take = take_opening;
    racer->on_first.take = take_first;
    racer->n_batches = 3;
    racer->is_closed = false;
    attempt->step.take = take_status;
    start_opening(attempt);
    start_first(attempt);
    muster__stream_start_status(attempt);
}
