/* SPDX-License-Identifier: Apache-2.0 */
/* Real servers and a channel whose list the test writes. */
#include "cluster.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "script_resolver.h"

#define WAIT_NS UINT64_C(20000000000)

_Noreturn void cluster_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    abort();
}

uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool eventually(bool (*condition)(void *arg), void *arg)
{
    const uint64_t end_ns = now_ns() + WAIT_NS;

    while (!condition(arg)) {
        if (now_ns() > end_ns) {
            return false;
        }
        (void)poll(NULL, 0, 1);
    }
    return true;
}

void cluster_open(cluster *self, const char *name,
                  const muster_channel_options *options,
                  const muster_grpc_options *grpc_options)
{
    char target[64];
    muster_error err;

    self->name = name;
    script_register();
    (void)snprintf(target, sizeof target, "script:///%s", name);
    if (muster_grpc_channel_create(target, options, grpc_options,
                                   &self->channel, &err) != MUSTER_OK) {
        cluster_die("%s", err.message);
    }
}

void cluster_init(cluster *self, const char *name, size_t n_servers,
                  const char *const *flags,
                  const muster_channel_options *options)
{
    cluster_init_grpc(self, name, n_servers, flags, options, NULL);
}

void cluster_init_grpc(cluster *self, const char *name, size_t n_servers,
                       const char *const *flags,
                       const muster_channel_options *options,
                       const muster_grpc_options *grpc_options)
{
    memset(self, 0, sizeof *self);
    self->n_servers = n_servers;
    for (size_t i = 0; i < n_servers; i++) {
        if (!backend_start(&self->servers[i], flags)) {
            cluster_die("server %zu did not start", i);
        }
    }
    cluster_open(self, name, options, grpc_options);
}

void cluster_fini(cluster *self)
{
    muster_channel_destroy(self->channel);
    for (size_t i = 0; i < self->n_servers; i++) {
        backend_kill(&self->servers[i]);
    }
}

void cluster_list(cluster *self, unsigned listed)
{
    const char *addresses[CLUSTER_MAX_SERVERS];
    size_t n = 0;

    for (size_t i = 0; i < self->n_servers; i++) {
        if ((listed >> i & 1) != 0) {
            addresses[n++] = self->servers[i].address;
        }
    }
    script_report_addresses(self->name, addresses, n);
}

void cluster_list_ready(cluster *self, unsigned listed)
{
    cluster_list(self, listed);
    cluster_await_calm(self, (uint64_t)__builtin_popcount(listed));
}

muster_channel_stats cluster_stats(const cluster *self)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_status status = muster_channel_get_stats(self->channel, &stats);

    if (status != MUSTER_OK) {
        cluster_die("no stats: %s", muster_status_name(status));
    }
    return stats;
}

typedef struct expectation {
    const cluster *self;
    uint64_t n_ready;
    muster_connectivity state;
} expectation;

static bool is_ready(void *arg)
{
    const expectation *expected = arg;
    const muster_channel_stats stats = cluster_stats(expected->self);

    return stats.ready == expected->n_ready;
}

static bool is_calm(void *arg)
{
    const expectation *expected = arg;
    const muster_channel_stats stats = cluster_stats(expected->self);

    return stats.ready == expected->n_ready && stats.in_flight == 0 &&
           stats.draining == 0 &&
           stats.connections_created ==
               stats.connections_destroyed + expected->n_ready;
}

static bool is_in_state(void *arg)
{
    const expectation *expected = arg;

    return muster_channel_state(expected->self->channel) == expected->state;
}

bool cluster_await_ready(const cluster *self, uint64_t n_ready)
{
    expectation expected = {.self = self, .n_ready = n_ready};

    return eventually(is_ready, &expected);
}

bool cluster_await_state(const cluster *self, muster_connectivity state)
{
    expectation expected = {.self = self, .state = state};

    return eventually(is_in_state, &expected);
}

void cluster_await_calm(const cluster *self, uint64_t n_ready)
{
    expectation expected = {.self = self, .n_ready = n_ready};
    char *json = NULL;

    if (!eventually(is_calm, &expected)) {
        const muster_channel_stats stats = cluster_stats(self);

        (void)muster_channel_dump_json(self->channel, &json);
        cluster_die("no calm: ready %lu of %lu, in flight %lu, draining %lu, "
                    "created %lu, destroyed %lu\n%s",
                    stats.ready, n_ready, stats.in_flight, stats.draining,
                    stats.connections_created, stats.connections_destroyed,
                    json);
    }
}
