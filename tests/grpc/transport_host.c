/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts the transport's connections for tests. */
#include "transport_host.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "calling.h"
#include "grpc_connection.h"

#define WAIT_S 10

static void on_state(void *ctx, muster_connectivity state, const char *reason)
{
    host *h = ctx;

    pthread_mutex_lock(&h->mutex);
    h->states[h->n_states++ % 8] = state;
    (void)snprintf(h->reason, sizeof h->reason, "%s",
                   reason == NULL ? "" : reason);
    h->last_ns = now_ns();
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

static const muster_transport_host host_class = {
    .struct_size = sizeof(muster_transport_host), .state = on_state};

void host_init(host *h)
{
    pthread_condattr_t attributes;

    memset(h, 0, sizeof *h);
    (void)pthread_mutex_init(&h->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&h->changed, &attributes);
}

int wait_for_state(host *h, size_t index)
{
    struct timespec end;
    int state;
    int failed = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += WAIT_S;
    pthread_mutex_lock(&h->mutex);
    while (h->n_states <= index && failed == 0) {
        failed = pthread_cond_timedwait(&h->changed, &h->mutex, &end);
    }
    state = h->n_states > index ? (int)h->states[index % 8] : -1;
    pthread_mutex_unlock(&h->mutex);
    return state;
}

muster__grpc_config *make_config(void)
{
    muster__grpc_config *config = NULL;
    muster_error err;

    cr_assert_eq(muster__grpc_config_create("static:///x", NULL, &config, &err),
                 MUSTER_OK, "%s", err.message);
    return config;
}

void *connect_to(muster__grpc_config *config, host *h, const char *address,
                 uint64_t timeout_ms)
{
    muster_endpoint endpoint = {.address = address};
    muster_connection_env env = {.struct_size = sizeof env,
                                 .host = &host_class,
                                 .ctx = h,
                                 .endpoint = &endpoint,
                                 .connect_timeout_ms = timeout_ms};
    void *connection = NULL;
    muster_error err;

    cr_assert_eq(muster__grpc_transport.create(config, &env, &connection, &err),
                 MUSTER_OK, "%s", err.message);
    return connection;
}

int silent_server(char *ret_address, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(listen(descriptor, 16), 0);
    cr_assert_eq(getsockname(descriptor, (struct sockaddr *)&address, &length),
                 0);
    (void)snprintf(ret_address, size, "127.0.0.1:%d", ntohs(address.sin_port));
    return descriptor;
}
