/* SPDX-License-Identifier: Apache-2.0 */
/* Bidirectional streams: C core's own calls on leased connections. */
#ifndef MUSTER_TESTS_STREAM_H
#define MUSTER_TESTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/grpc.h>

/* One stream, driven by one thread. */
typedef struct stream stream;

/* Picks (waiting) and opens. */
stream *stream_open(muster_channel *channel);

/* Sends a message and waits for its echo. False when the stream is over. */
bool stream_echo(stream *self);

/* The address it was opened on. */
const char *stream_address(const stream *self);

/* Closes our half, waits for the status, finishes the lease, frees. */
grpc_status_code stream_finish(stream *self);

/* Waits for the status without closing our half, then as above. */
grpc_status_code stream_await_end(stream *self);

/* Many streams on a thread of their own: they echo in turn. Those with an odd
 * number are closed after some echoes, and opened again. */
typedef struct stream_load stream_load;

/* Waits until all of them have echoed. */
stream_load *stream_load_start(muster_channel *channel, size_t n_streams);

/* The same, but all of them are closed after some echoes. */
stream_load *stream_load_start_short(muster_channel *channel, size_t n_streams);

/* Streams that ended, and those of them that did not end well. */
uint64_t stream_load_ended(const stream_load *self);
uint64_t stream_load_failed(const stream_load *self);

/* Finishes all of them. */
void stream_load_stop(stream_load *self);

void stream_load_destroy(stream_load *self);

#endif
