/* SPDX-License-Identifier: Apache-2.0 */
/* Real servers and a channel whose list the test writes. What cannot be set up
 * ends the process. */
#ifndef MUSTER_TESTS_CLUSTER_H
#define MUSTER_TESTS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "backend.h"

enum { CLUSTER_MAX_SERVERS = 8 };

typedef struct cluster {
    const char *name; /* the channel's target is script:///name */
    backend servers[CLUSTER_MAX_SERVERS];
    size_t n_servers;
    muster_channel *channel;
} cluster;

/* Says what went wrong, and aborts. */
_Noreturn void cluster_die(const char *format, ...) MUSTER_FORMAT_(1, 2);

/* Starts servers (flags as in backend_start()), and opens a channel that has no
 * list yet. options may be NULL. */
void cluster_init(cluster *self, const char *name, size_t n_servers,
                  const char *const *flags,
                  const muster_channel_options *options);

/* The same with options of gRPC, which may be NULL. */
void cluster_init_grpc(cluster *self, const char *name, size_t n_servers,
                       const char *const *flags,
                       const muster_channel_options *options,
                       const muster_grpc_options *grpc_options);

/* The same for servers that the caller has put into *self, and nothing else.
 * Both options may be NULL. */
void cluster_open(cluster *self, const char *name,
                  const muster_channel_options *options,
                  const muster_grpc_options *grpc_options);

/* Destroys the channel, kills the servers. */
void cluster_fini(cluster *self);

/* Reports the servers whose bits are set in listed. */
void cluster_list(cluster *self, unsigned listed);

/* The same, and waits until all of them are READY. */
void cluster_list_ready(cluster *self, unsigned listed);

muster_channel_stats cluster_stats(const cluster *self);

/* Waits until no call is in flight, nothing drains, no connection is being
 * made, and n_ready are READY. */
void cluster_await_calm(const cluster *self, uint64_t n_ready);

/* Waits until condition(arg) holds; false after 20 s. For what another process
 * or the control thread brings about. */
bool eventually(bool (*condition)(void *arg), void *arg);

bool cluster_await_ready(const cluster *self, uint64_t n_ready);
bool cluster_await_state(const cluster *self, muster_connectivity state);

uint64_t now_ns(void);

#endif
