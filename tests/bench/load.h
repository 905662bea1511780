/* SPDX-License-Identifier: Apache-2.0 */
/* One run of unary calls, through muster or through C core's round_robin. */
#ifndef MUSTER_TESTS_LOAD_H
#define MUSTER_TESTS_LOAD_H

#include <stdbool.h>

#include <grpc/grpc.h>

/* What is called: the side that runs fills these. Each function returns false
 * when a call does not end OK. */
typedef struct load_side {
    /* addresses is "127.0.0.1:1,127.0.0.1:2". */
    bool (*open)(const char *addresses);
    /* On the caller's thread: what one thread needs. */
    void *(*enter)(void);
    void (*leave)(void *context);
    /* A blocking call. */
    bool (*call)(void *context, grpc_byte_buffer *request);
    /* Without waiting: begin one; wait until one has ended. */
    bool (*start)(void *context, grpc_byte_buffer *request);
    bool (*finish)(void *context);
} load_side;

extern const load_side load_muster;
extern const load_side load_round_robin;
extern const load_side load_bare;

typedef struct load_result {
    double calls_per_s;
    double cpu_us_per_call;
} load_result;

/* n_callers threads that block, or one that keeps n_callers calls in flight,
 * for warm_s and then for run_s, which is measured. */
bool load_run(const load_side *side, const char *addresses, bool is_blocking,
              int n_callers, double warm_s, double run_s,
              load_result *ret_result);

#endif
