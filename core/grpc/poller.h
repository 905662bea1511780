/* SPDX-License-Identifier: Apache-2.0 */
/* Sees to it that some thread always polls C core's descriptors.
 *
 * C core moves bytes only while a thread is in grpc_completion_queue_next() of
 * a polling queue. Threads that carry calls are: they say so here. While there
 * is none a thread of muster polls, because connections are made, lost and
 * pinged without calls too. It keeps away while calls run: a thread parked
 * beside them takes their events and costs up to a third of the calls/s. */
#ifndef MUSTER_CORE_GRPC_POLLER_H
#define MUSTER_CORE_GRPC_POLLER_H

#include <stdbool.h>

#include <muster/status.h>

/* Starts the thread, once. Called with C core started. Thread: one at a
 * time. */
muster_status muster__grpc_poller_start(void);

/* Around each grpc_completion_queue_next() that waits for calls. Thread:
 * any. */
void muster__grpc_poller_enter(void);
void muster__grpc_poller_leave(void);

/* A call begins that is polled for out of muster's sight. Thread: any. */
void muster__grpc_poller_came(void);

/* While at least one is held the thread looks after the descriptors; else it
 * sleeps. Thread: any. */
void muster__grpc_poller_hold(void);
void muster__grpc_poller_release(void);

/* True when C core's engine lets any polling thread serve every descriptor
 * (epoll1); false for poll, where a queue's thread serves that queue's.
 * Thread: any. */
bool muster__grpc_poller_serves_all(void);

#endif
