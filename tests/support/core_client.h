/* SPDX-License-Identifier: Apache-2.0 */
/* A client of plain C core that makes one call at a time and waits for it. What
 * cannot be set up ends the process.
 *
 * Nothing of the channel moves, answers to pings neither, while the test does
 * not wait in a function here: C core works in the threads that poll. */
#ifndef MUSTER_TESTS_CORE_CLIENT_H
#define MUSTER_TESTS_CORE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "core_call.h"

typedef struct core_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    bool is_watched; /* an event of that is to come */
    grpc_connectivity_state watched;
} core_client;

/* Of one address, "127.0.0.1:4711". It shares no connection with others, and
 * connects again at once. credentials may be NULL; borrows all. */
void core_client_open(core_client *self, const char *address,
                      grpc_channel_credentials *credentials,
                      const grpc_arg *arguments, size_t n_arguments);

/* No call may be open. */
void core_client_close(core_client *self);

/* An argument for it. key lives as long as the argument. */
grpc_arg core_number(const char *key, int value);
grpc_arg core_text(const char *key, const char *value);

/* A header; both live as long as the call. */
grpc_metadata core_header(const char *key, const char *value);

/* Makes a call of /echo.Echo/Unary with the text and waits for its end, 30 s at
 * most. headers may be NULL. core_call_fini() frees what it leaves. */
void core_client_call(core_client *self, core_call *made, const char *text,
                      grpc_metadata *headers, size_t n_headers);

/* The same of any method. */
void core_client_call_method(core_client *self, core_call *made,
                             const char *method, const char *text,
                             grpc_metadata *headers, size_t n_headers);

/* The same, of which only the status counts. */
grpc_status_code core_client_ask(core_client *self);

/* Waits until so many calls of core_call_start() have ended. False: not for
 * 30 s. */
bool core_client_await_calls(core_client *self, size_t n_calls);

/* Waits until the channel is in that state. False: not for 30 s. */
bool core_client_await_state(core_client *self, grpc_connectivity_state state);

/* Lets the channel move until condition(arg) holds. False: not for 30 s. */
bool core_client_await_condition(core_client *self,
                                 bool (*condition)(void *arg), void *arg);

/* The answer, or the value of the header; for free(3). NULL: none. */
char *core_call_text(const core_call *self);
char *core_find(const grpc_metadata_array *array, const char *key);

#endif
