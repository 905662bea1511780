/* SPDX-License-Identifier: Apache-2.0 */
/* Channels and calls for the tests. Each function fails the test when it
 * cannot do what it says. */
#ifndef MUSTER_TESTS_CALLING_H
#define MUSTER_TESTS_CALLING_H

#include <stdint.h>

#include <muster/grpc.h>

#define METHOD "/echo.Echo/Unary"
#define MILLISECOND UINT64_C(1000000)

/* Waits, so that a test does not race with its servers. */
extern const muster_call_options patient;

uint64_t now_ns(void);

/* A channel that reconnects quickly; format makes the target. */
__attribute__((format(printf, 1, 2))) muster_channel *
open_channel(const char *format, ...);

muster_call *make_call(muster_channel *channel,
                       const muster_call_options *options);
muster_call_queue *make_queue(void);

grpc_byte_buffer *buffer_of(const char *text);

/* The caller's, for free(3). */
char *text_of(grpc_byte_buffer *buffer);

muster_call_result result_of(const muster_call *call);

/* Blocks for one call of text: its status. *ret_answer (may be NULL) is the
 * answer, or the message; for free(3). */
grpc_status_code ask(muster_channel *channel, const char *text,
                     const muster_call_options *options, char **ret_answer);

/* Patient options with one header, which free_header() frees. */
muster_call_options with_header(grpc_metadata *item, const char *key,
                                const char *value);
void free_header(grpc_metadata *item);

/* NULL when there is none. */
const grpc_metadata *find(const grpc_metadata_array *array, const char *key);

/* Puts a list of one endpoint into the place of the file, for file: targets. */
void write_list(const char *path, const char *address);

#endif
