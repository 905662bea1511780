/* SPDX-License-Identifier: Apache-2.0 */
/* Starts muster's own threads. */
#ifndef MUSTER_CORE_THREAD_H
#define MUSTER_CORE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include <muster/status.h>

/* Runs fn(arg) on a new thread that blocks signals, so that the program's
 * handlers never run on it, but for what it causes itself (signal_mask.h). name
 * has at most 15 characters. The caller joins *ret_thread. Thread: any.
 * MUSTER_NOMEM, MUSTER_UNAVAILABLE (no thread). */
muster_status muster__thread_start(const char *name, void *(*fn)(void *arg),
                                   void *arg, pthread_t *ret_thread);

/* A condition variable whose time-outs are on CLOCK_MONOTONIC. MUSTER_NOMEM. */
muster_status muster__cond_init(pthread_cond_t *cond);

/* Waits on cond until it is signalled (0) or muster__now_ns() reaches
 * deadline_ns (ETIMEDOUT). UINT64_MAX never comes. */
int muster__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
                            uint64_t deadline_ns);

/* deadline_ns of something timeout_ms from now; saturates at UINT64_MAX. */
uint64_t muster__deadline_ns(uint64_t timeout_ms);

#endif
