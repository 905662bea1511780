/* SPDX-License-Identifier: Apache-2.0 */
/* The gRPC transport's host, in the place of libmuster's core. */
#ifndef MUSTER_TESTS_TRANSPORT_HOST_H
#define MUSTER_TESTS_TRANSPORT_HOST_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/transport.h>

#include "grpc_config.h"

/* What a connection reported, in order. */
typedef struct host {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    muster_connectivity states[8];
    size_t n_states;
    char reason[256];
    uint64_t last_ns;
} host;

void host_init(host *h);

/* Waits for the report number `index`; -1 when it does not come. */
int wait_for_state(host *h, size_t index);

/* Without options. Fails the test when that fails, as the next does. */
muster__grpc_config *make_config(void);

/* timeout_ms 0: the transport's own. */
void *connect_to(muster__grpc_config *config, host *h, const char *address,
                 uint64_t timeout_ms);

/* A server that accepts and never speaks HTTP/2; its descriptor. */
int silent_server(char *ret_address, size_t size);

#endif
