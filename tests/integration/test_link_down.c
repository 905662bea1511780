/* SPDX-License-Identifier: Apache-2.0 */
/* The link to a host goes down, and up again: keepalive finds the connections
 * that are dead, and only the calls on them fail. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "far_host.h"
#include "limit.h"
#include "load.h"
#include "loopback_port.h"
#include "scale.h"
#include "state_log.h"

/* C core pings once a second at most. The time-out is what a busy machine may
 * keep a healthy server from answering. */
enum { KEEPALIVE_MS = 1000, FULL_KEEPALIVE_MS = 3000, TIMEOUT_MS = 2000 };

/* For timers and threads that run late, and the news on its way. */
enum { MARGIN_MS = 500 };

/* The first ones are near, the others far. */
enum { N_SERVERS = 4, N_NEAR = 2, ALL = (1 << N_SERVERS) - 1, N_CALLERS = 8 };

typedef struct scene {
    cluster cluster;
    far_host host;
    state_log logs[N_SERVERS];
    load *calls;
} scene;

static uint64_t keepalive_ms(void)
{
    return scale_is_full() ? FULL_KEEPALIVE_MS : KEEPALIVE_MS;
}

static bool is_far(size_t server)
{
    return server >= N_NEAR;
}

/* ---- the scene ---- */

/* The line on stderr is what ctest goes by. */
static void need_far_host(far_host *host)
{
    char reason[128];

    if (!far_host_create(host, reason, sizeof reason)) {
        (void)fprintf(stderr, "SKIPPED: %s\n", reason);
        cr_skip_test("%s", reason);
    }
}

/* The delay has calls in flight at any time. */
static void start_near(cluster *c)
{
    static const char *const flags[] = {"--delay-ms",
                                        "20",
                                        "--min-ping-interval-ms",
                                        "0",
                                        "--keepalive-permit-without-calls",
                                        NULL};

    cr_assert(backend_start(&c->servers[c->n_servers++], flags));
}

/* load.h knows servers by their ports: one that is free at both ends. */
static void start_far(cluster *c, const far_host *host)
{
    char number[16];
    const char *const flags[] = {"--address",
                                 FAR_HOST_ADDRESS,
                                 "--port",
                                 number,
                                 "--delay-ms",
                                 "20",
                                 "--min-ping-interval-ms",
                                 "0",
                                 "--keepalive-permit-without-calls",
                                 NULL};
    loopback_port port;

    cr_assert(loopback_port_take(&port, AF_INET));
    (void)snprintf(number, sizeof number, "%d", port.number);
    cr_assert(far_host_start(host, &c->servers[c->n_servers++], flags));
    loopback_port_release(&port);
}

static void open_scene(scene *self)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 200,
                                            .connect_timeout_ms = 500};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .keepalive_time_ms = keepalive_ms(),
        .keepalive_timeout_ms = TIMEOUT_MS,
        .keepalive_permit_without_calls = 1};
    cluster *c = &self->cluster;

    memset(self, 0, sizeof *self);
    need_far_host(&self->host);
    while (c->n_servers < N_NEAR) {
        start_near(c);
    }
    while (c->n_servers < N_SERVERS) {
        start_far(c, &self->host);
    }
    cluster_open(c, "link", &options, &grpc_options);
    cluster_list_ready(c, ALL);
    for (size_t i = 0; i < N_SERVERS; i++) {
        cr_assert(
            state_log_begin(&self->logs[i], c->channel, c->servers[i].address));
    }
}

static void close_scene(scene *self)
{
    for (size_t i = 0; i < N_SERVERS; i++) {
        state_log_end(&self->logs[i]);
    }
    cluster_fini(&self->cluster);
    far_host_destroy(&self->host);
}

/* ---- calls ---- */

static uint64_t answered_by(const scene *self, size_t server)
{
    return load_answered_by(self->calls, self->cluster.servers[server].port);
}

static uint64_t failed_on_far(const scene *self)
{
    uint64_t n = 0;

    for (size_t i = N_NEAR; i < N_SERVERS; i++) {
        n += load_failed_on(self->calls, self->cluster.servers[i].port);
    }
    return n;
}

/* Calls further on. */
static void go_on(const scene *self, uint64_t n)
{
    cr_assert(load_await(self->calls, load_ended(self->calls) + n));
}

static void start_calls(scene *self)
{
    self->calls = load_start_blocking(self->cluster.channel, N_CALLERS);
}

/* The servers themselves say how many calls came. */
static void stop_calls(scene *self)
{
    load_stop(self->calls);
    for (size_t i = 0; i < N_SERVERS; i++) {
        backend *server = &self->cluster.servers[i];

        cr_expect_geq(backend_count(server, "calls"), answered_by(self, i));
        cr_expect_gt(answered_by(self, i), 0);
    }
    (void)printf("%lu calls, %lu failed, all on the far host\n",
                 load_ended(self->calls), load_failed(self->calls));
    load_destroy(self->calls);
}

/* ---- down, and found ---- */

static void expect_found(state_log *log, size_t number, uint64_t begun_ns)
{
    const size_t lost = state_log_await(log, number, MUSTER_IDLE);
    uint64_t taken_ns;

    cr_assert_neq(lost, STATE_LOG_NONE);
    cr_expect_eq(state_log_at(log, lost).previous, MUSTER_READY);
    taken_ns = state_log_at(log, lost).time_ns - begun_ns;
    cr_expect_leq(taken_ns,
                  (keepalive_ms() + TIMEOUT_MS) * 1000000u +
                      limit_ns(MARGIN_MS),
                  "found after %.1f ms", (double)taken_ns / 1e6);
    (void)printf("found after %.1f ms (keepalive %lu + %d ms)\n",
                 (double)taken_ns / 1e6, keepalive_ms(), TIMEOUT_MS);
}

static void take_down(scene *self)
{
    size_t numbers[N_SERVERS];
    uint64_t begun_ns;

    for (size_t i = 0; i < N_SERVERS; i++) {
        numbers[i] = state_log_count(&self->logs[i]);
    }
    begun_ns = now_ns();
    cr_assert(far_host_set_link(&self->host, false));
    for (size_t i = 0; i < N_SERVERS; i++) {
        if (is_far(i)) {
            expect_found(&self->logs[i], numbers[i], begun_ns);
        }
    }
    for (size_t i = 0; i < N_NEAR; i++) {
        cr_expect_eq(state_log_count(&self->logs[i]), numbers[i]);
    }
}

static bool is_drained(void *arg)
{
    return cluster_stats(arg).draining == 0;
}

/* Those that had been placed there, and no others. */
static void expect_failed_calls(scene *self)
{
    cr_expect(eventually(is_drained, &self->cluster)); /* they have ended, */
    cr_assert(load_settle(self->calls));               /* and are counted */
    cr_expect_eq(load_failed(self->calls), failed_on_far(self),
                 "%lu calls failed, %lu of them on the far host",
                 load_failed(self->calls), failed_on_far(self));
}

/* The others get the calls, and none fails. */
static void expect_near(const scene *self)
{
    const uint64_t n_failed = load_failed(self->calls);
    uint64_t before[N_SERVERS];

    for (size_t i = 0; i < N_SERVERS; i++) {
        before[i] = answered_by(self, i);
    }
    go_on(self, 200);
    cr_expect_eq(load_failed(self->calls), n_failed);
    for (size_t i = 0; i < N_SERVERS; i++) {
        const uint64_t n = answered_by(self, i) - before[i];

        cr_expect(is_far(i) ? n == 0 : n > 50, "%lu calls on server %zu", n, i);
    }
}

/* ---- up again ---- */

typedef struct comeback {
    const scene *scene;
    uint64_t before[N_SERVERS];
} comeback;

static bool is_used(void *arg)
{
    const comeback *self = arg;

    for (size_t i = N_NEAR; i < N_SERVERS; i++) {
        if (answered_by(self->scene, i) < self->before[i] + 50) {
            return false;
        }
    }
    return true;
}

static void take_up(const scene *self)
{
    const uint64_t n_failed = load_failed(self->calls);
    comeback back = {.scene = self};

    for (size_t i = 0; i < N_SERVERS; i++) {
        back.before[i] = answered_by(self, i);
    }
    cr_assert(far_host_set_link(&self->host, true));
    cr_expect(eventually(is_used, &back), "the far host gets no calls again");
    cr_expect_eq(load_failed(self->calls), n_failed);
}

Test(link_down, is_found_under_calls_and_fails_only_those_on_it)
{
    const size_t n_rounds = scale(1, 10);
    scene s;

    open_scene(&s);
    start_calls(&s);
    for (size_t i = 0; i < n_rounds; i++) {
        go_on(&s, 100);
        take_down(&s);
        expect_failed_calls(&s);
        cr_expect_gt(load_failed(s.calls), 0);
        expect_near(&s);
        take_up(&s);
    }
    stop_calls(&s);
    cluster_await_calm(&s.cluster, N_SERVERS);
    close_scene(&s);
}

Test(link_down, is_found_without_a_call_so_that_none_fails)
{
    const size_t n_rounds = scale(1, 10);
    scene s;

    open_scene(&s);
    for (size_t i = 0; i < n_rounds; i++) {
        take_down(&s);
        start_calls(&s);
        expect_near(&s);
        take_up(&s);
        cr_expect_eq(load_failed(s.calls), 0);
        stop_calls(&s);
        cluster_await_calm(&s.cluster, N_SERVERS);
    }
    close_scene(&s);
}
