/* SPDX-License-Identifier: Apache-2.0 */
/* Streams for the tests: the calls, messages that can be told from one another,
 * and events in the order they are expected in. Each function fails the test
 * when it cannot do what it says. */
#ifndef MUSTER_TESTS_STREAMING_H
#define MUSTER_TESTS_STREAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "calling.h"

#define STREAM_METHOD "/echo.Echo/Stream"

/* A patient stream that sends these headers, "name", "value", ..., NULL (which
 * may be NULL: none). deadline_ns 0: none. */
muster_call *make_stream(muster_channel *channel, const char *const *headers,
                         uint64_t deadline_ns);

/* Message number of that size, which is at least 8; whether it is that, which
 * it destroys. */
grpc_byte_buffer *message_of(uint64_t number, size_t size);
bool is_message(grpc_byte_buffer *message, uint64_t number, size_t size);

/* Opened on queue with its tag being the call. request as in
 * muster_call_start_stream(), and destroyed. */
void open_stream(muster_call *call, grpc_byte_buffer *request,
                 muster_call_queue *queue);

/* Send (message is destroyed), receive; the tag is the call. */
void send_message(muster_call *call, grpc_byte_buffer *message, uint32_t flags);
void receive_message(muster_call *call);

/* The next event, which is of call and of that kind. */
muster_call_event await_event(muster_call_queue *queue, muster_call *call,
                              muster_call_event_kind kind);

/* The next event is that call has ended; how. */
muster_call_result await_end(muster_call_queue *queue, muster_call *call);

/* Sends "hello" and receives it back: the stream is on the wire. */
void say_hello(muster_call_queue *queue, muster_call *call);

#endif
