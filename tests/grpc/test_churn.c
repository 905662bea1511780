/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that must not notice what happens to connections. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <muster/grpc.h>
#include <muster/muster.h>

#include "backend.h"
#include "loopback_port.h"

enum { N_SERVERS = 3, N_CALLERS = 4 };

/* Callers that block for one call after the other, and count. */
typedef struct load {
    muster_channel *channel;
    atomic_bool is_stopped;
    atomic_int n_good;
    atomic_int n_bad;
    atomic_int awaited; /* n_good that somebody waits for */
    pthread_mutex_t mutex;
    pthread_cond_t is_enough;
    char message[256]; /* of a bad one */
    pthread_t threads[N_CALLERS];
} load;

static void count_good(load *self)
{
    if (atomic_fetch_add(&self->n_good, 1) + 1 == atomic_load(&self->awaited)) {
        (void)pthread_mutex_lock(&self->mutex);
        (void)pthread_cond_signal(&self->is_enough);
        (void)pthread_mutex_unlock(&self->mutex);
    }
}

static void call_once(load *self)
{
    muster_call *call = NULL;
    muster_call_result result = {.struct_size = sizeof result};

    cr_assert_eq(muster_call_create(self->channel, "/echo.Echo/Unary", NULL,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    muster_call_get_result(call, &result);
    if (result.status == GRPC_STATUS_OK) {
        count_good(self);
    } else if (atomic_fetch_add(&self->n_bad, 1) == 0) {
        (void)snprintf(self->message, sizeof self->message, "%d: %s",
                       (int)result.status, result.message);
    }
    muster_call_destroy(call);
}

static void *keep_calling(void *arg)
{
    load *self = arg;

    while (!atomic_load(&self->is_stopped)) {
        call_once(self);
    }
    return NULL;
}

static void load_start(load *self, const backend *servers)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 20,
                                      .max_backoff_ms = 50};
    muster_call_info info = {.struct_size = sizeof info};
    muster_lease lease;
    char target[512];

    (void)snprintf(target, sizeof target, "static:///%s,%s,%s",
                   servers[0].address, servers[1].address, servers[2].address);
    cr_assert_eq(muster_grpc_channel_create(target, &options, NULL,
                                            &self->channel, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_channel_pick_wait(self->channel, &info, &lease, NULL),
                 MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    for (int i = 0; i < N_CALLERS; i++) {
        cr_assert_eq(
            pthread_create(&self->threads[i], NULL, keep_calling, self), 0);
    }
}

static void load_stop(load *self)
{
    atomic_store(&self->is_stopped, true);
    for (int i = 0; i < N_CALLERS; i++) {
        (void)pthread_join(self->threads[i], NULL);
    }
    muster_channel_destroy(self->channel);
}

/* Until so many further calls were answered. */
static void let_pass(load *self, int n_calls)
{
    const int enough = atomic_load(&self->n_good) + n_calls;

    (void)pthread_mutex_lock(&self->mutex);
    atomic_store(&self->awaited, enough);
    while (atomic_load(&self->n_good) < enough) {
        (void)pthread_cond_wait(&self->is_enough, &self->mutex);
    }
    (void)pthread_mutex_unlock(&self->mutex);
}

Test(grpc_churn, loses_no_call_to_connections_that_grow_old)
{
    static const char *const flags[] = {"--max-connection-age-ms", "50",
                                        "--max-connection-age-grace-ms",
                                        "30000", NULL};
    backend servers[N_SERVERS];
    load self = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                 .is_enough = PTHREAD_COND_INITIALIZER};

    for (int i = 0; i < N_SERVERS; i++) {
        cr_assert(backend_start(&servers[i], flags));
    }
    load_start(&self, servers);
    let_pass(&self, 10000);
    load_stop(&self);
    cr_expect_eq(self.n_bad, 0, "%d of %d: %s", self.n_bad,
                 self.n_bad + self.n_good, self.message);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
    }
}

Test(grpc_churn, loses_only_what_was_on_the_wire_to_servers_that_die)
{
    enum { N_DEATHS = 6 };
    backend servers[N_SERVERS];
    loopback_port ports[N_SERVERS]; /* kept while nobody listens there */
    load self = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                 .is_enough = PTHREAD_COND_INITIALIZER};

    for (int i = 0; i < N_SERVERS; i++) {
        cr_assert(loopback_port_take(&ports[i], AF_INET));
        cr_assert(backend_start_on(&servers[i], ports[i].number));
    }
    load_start(&self, servers);
    for (int i = 0; i < N_DEATHS; i++) {
        backend *server = &servers[i % N_SERVERS];

        let_pass(&self, 500);
        backend_kill(server);
        let_pass(&self, 500);
        cr_assert(backend_start_on(server, ports[i % N_SERVERS].number));
    }
    load_stop(&self);
    /* A caller may be on the way to a connection that was just reset. */
    cr_expect_leq(self.n_bad, 2 * N_DEATHS * N_CALLERS, "%d of %d: %s",
                  self.n_bad, self.n_bad + self.n_good, self.message);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
        loopback_port_release(&ports[i]);
    }
}
