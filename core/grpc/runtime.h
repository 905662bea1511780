/* SPDX-License-Identifier: Apache-2.0 */
/* What libmuster-grpc has once a process: C core, a thread, two flags. */
#ifndef MUSTER_CORE_GRPC_RUNTIME_H
#define MUSTER_CORE_GRPC_RUNTIME_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <grpc/grpc.h>
#include <muster/status.h>

/* Starts C core and the threads, once. Thread: any. MUSTER_NOMEM (no thread),
 * MUSTER_FORKED. */
muster_status muster__grpc_start(muster_error *err);

/* True in a child of fork(). Thread: any. */
bool muster__grpc_is_forked(void);

/* The queue of connectivity watches and of calls that only muster waits for.
 * Tags are grpc_completion_queue_functor: it calls them on a thread of C
 * core's, several at once, and never inside a call that starts something. No
 * thread polls for it, so a watch costs the calls nothing. Valid after
 * muster__grpc_start(). Thread: any. */
grpc_completion_queue *muster__grpc_watch_queue(void);

/* A channel that connects nothing, for calls that only wake a queue. Valid
 * after muster__grpc_start(). Thread: any. */
grpc_channel *muster__grpc_lame_channel(void);

/* Starts a thread with signals blocked (signal_mask.h), to be joined or
 * detached. Thread: any. MUSTER_NOMEM. */
muster_status muster__grpc_thread_create(const char *name, void *(*run)(void *),
                                         void *arg, pthread_t *ret_thread);

/* The same, detached, for what runs as long as the process. */
muster_status muster__grpc_thread(const char *name, void *(*run)(void *));

/* That long after now, on C core's monotonic clock. Thread: any. */
gpr_timespec muster__grpc_after_ms(uint64_t delay_ms);

/* libmuster's control thread is known by what it calls: the transport class.
 * Thread: control / any. */
void muster__grpc_mark_control_thread(void);
bool muster__grpc_on_control_thread(void);

#endif
