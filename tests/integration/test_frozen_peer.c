/* SPDX-License-Identifier: Apache-2.0 */
/* A server that freezes, or the link to it, after its connection was silent for
 * five times the keepalive time: keepalive finds it, and only the calls on it
 * fail. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "h2_relay.h"
#include "limit.h"
#include "load.h"
#include "scale.h"
#include "state_log.h"
#include "stream.h"

/* C core pings once a second at most. The time-out is what a busy machine may
 * keep a healthy server from answering. */
enum { KEEPALIVE_MS = 1000, FULL_KEEPALIVE_MS = 3000, TIMEOUT_MS = 2000 };

/* For timers and threads that run late, and the news on its way. */
enum { MARGIN_MS = 500 };

/* C core also measures the bandwidth with pings while data comes. One that is
 * due when the peer freezes goes out up to a second later, and the keepalive
 * time begins anew then, though nothing came. */
enum { BANDWIDTH_PING_MS = 1000 };

/* A keepalive time passes between two pings, at least. */
enum { SILENT_TIMES = 5, SILENT_PINGS = SILENT_TIMES + 1 };

enum { N_SERVERS = 3, ALL = (1 << N_SERVERS) - 1, VICTIM = 0, N_CALLERS = 8 };

typedef enum cause { THE_LINK, THE_SERVER } cause;
typedef enum traffic { NO_STREAM, IDLE_STREAMS, BUSY_STREAMS } traffic;

/* What makes a stream busy. */
typedef struct echoer {
    stream *stream;
    atomic_bool is_stopped;
    pthread_t thread;
} echoer;

typedef struct scene {
    cluster cluster;
    h2_relay *relay; /* before the victim */
    cause cause;
    traffic traffic;
    state_log log; /* of the victim */
    stream *streams[N_SERVERS];
    echoer echoers[N_SERVERS]; /* with busy ones, beside which calls run */
    load *calls;
    uint64_t slowest_ns;
} scene;

static uint64_t keepalive_ms(void)
{
    return scale_is_full() ? FULL_KEEPALIVE_MS : KEEPALIVE_MS;
}

/* ---- the scene ---- */

/* Each on an address of its own, which its answers carry: load.h compares it
 * with that of the peer. The delay has calls in flight at any time, and leaves
 * the processors to those that measure. */
static void start_server(cluster *c)
{
    const size_t number = c->n_servers++;
    char host[16];
    const char *const flags[] = {"--address",
                                 host,
                                 "--id",
                                 host,
                                 "--delay-ms",
                                 "20",
                                 "--min-ping-interval-ms",
                                 "0",
                                 "--keepalive-permit-without-calls",
                                 "--end-with-parent",
                                 NULL};

    (void)snprintf(host, sizeof host, "127.0.0.%zu", number + 1);
    cr_assert(backend_start(&c->servers[number], flags));
}

/* From now on it is known by the address of the relay. */
static void put_relay_before(scene *self, backend *victim)
{
    self->relay = h2_relay_start(victim->port);
    cr_assert_not_null(self->relay);
    (void)snprintf(victim->address, sizeof victim->address, "%s",
                   h2_relay_address(self->relay));
    cr_assert_eq(sscanf(victim->address, "127.0.0.1:%d", &victim->port), 1);
}

static void open_scene(scene *self, cause what, traffic with)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 200,
                                            .connect_timeout_ms = 1000};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .keepalive_time_ms = keepalive_ms(),
        .keepalive_timeout_ms = TIMEOUT_MS,
        .keepalive_permit_without_calls = 1};
    cluster *c = &self->cluster;

    memset(self, 0, sizeof *self);
    self->cause = what;
    self->traffic = with;
    while (c->n_servers < N_SERVERS) {
        start_server(c);
    }
    put_relay_before(self, &c->servers[VICTIM]);
    cluster_open(c, "frozen", &options, &grpc_options);
    cluster_list_ready(c, ALL);
    cr_assert(
        state_log_begin(&self->log, c->channel, c->servers[VICTIM].address));
}

static void close_scene(scene *self)
{
    state_log_end(&self->log);
    cluster_fini(&self->cluster);
    h2_relay_stop(self->relay);
}

/* ---- before ---- */

/* One on each server. */
static void open_streams(scene *self)
{
    for (size_t i = 0; i < N_SERVERS; i++) {
        self->streams[i] = stream_open(self->cluster.channel);
        cr_assert(stream_echo(self->streams[i]));
        for (size_t j = 0; j < i; j++) {
            cr_assert_str_neq(stream_address(self->streams[i]),
                              stream_address(self->streams[j]));
        }
    }
}

static uint64_t frames_of_calls(h2_relay *relay)
{
    return h2_relay_client_frames(relay, H2_HEADERS) +
           h2_relay_client_frames(relay, H2_DATA) +
           h2_relay_server_frames(relay, H2_HEADERS) +
           h2_relay_server_frames(relay, H2_DATA);
}

/* The last ping on the connection in use. */
static bool is_answered(void *arg)
{
    h2_relay *relay = arg;
    h2_relay_view view;

    return h2_relay_look(relay, h2_relay_n_connections(relay) - 1, &view) &&
           view.from_server.n_frames[H2_PING] - view.from_server.n_pings >=
               view.from_client.n_pings;
}

/* Ends when the next ping is as far away as it can be. */
static void be_silent(scene *self)
{
    const uint64_t n_frames = frames_of_calls(self->relay);
    const size_t n_connections = h2_relay_n_connections(self->relay);

    cr_assert(
        h2_relay_await(self->relay, h2_relay_client_pings,
                       h2_relay_client_pings(self->relay) + SILENT_PINGS));
    cr_assert(eventually(is_answered, self->relay));
    cr_expect_eq(frames_of_calls(self->relay), n_frames);
    cr_expect_eq(h2_relay_n_connections(self->relay), n_connections);
}

/* Calls further on. */
static void go_on(load *calls, uint64_t n)
{
    cr_assert(load_await(calls, load_ended(calls) + n));
}

static void start_calls(scene *self)
{
    self->calls = load_start_blocking(self->cluster.channel, N_CALLERS);
}

/* Until it is stopped, or the stream is over. The pause is a pace, which leaves
 * the processors to others. */
static void *echo_on(void *arg)
{
    echoer *self = arg;

    while (!atomic_load(&self->is_stopped) && stream_echo(self->stream)) {
        (void)poll(NULL, 0, 5);
    }
    return NULL;
}

static void start_echoes(scene *self)
{
    for (size_t i = 0; i < N_SERVERS; i++) {
        echoer *each = &self->echoers[i];

        each->stream = self->streams[i];
        atomic_init(&each->is_stopped, false);
        cr_assert_eq(pthread_create(&each->thread, NULL, echo_on, each), 0);
    }
}

static void begin_traffic(scene *self)
{
    if (self->traffic != NO_STREAM) {
        open_streams(self);
    }
    be_silent(self);
    if (self->traffic == BUSY_STREAMS) {
        start_echoes(self);
        start_calls(self);
        go_on(self->calls, 100);
        cr_assert_eq(load_failed(self->calls), 0);
        cr_assert_gt(
            load_answered_by(self->calls, self->cluster.servers[VICTIM].port),
            0);
    }
}

/* ---- frozen, and found ---- */

static void freeze(scene *self)
{
    if (self->cause == THE_LINK) {
        h2_relay_freeze(self->relay, H2_RELAY_ALL);
    } else {
        backend_freeze(&self->cluster.servers[VICTIM]);
    }
}

static void thaw(scene *self)
{
    if (self->cause == THE_LINK) {
        h2_relay_thaw(self->relay, H2_RELAY_ALL);
    } else {
        backend_thaw(&self->cluster.servers[VICTIM]);
    }
}

static uint64_t promised_ms(traffic with)
{
    return keepalive_ms() + TIMEOUT_MS +
           (with == BUSY_STREAMS ? BANDWIDTH_PING_MS : 0);
}

/* When the last ping came by, as seen from when the peer froze: tells a ping
 * that C core sent late from news of it that came late. A frozen link has none
 * go by. */
static double last_ping_ms(h2_relay *relay, size_t connection,
                           uint64_t frozen_ns)
{
    h2_relay_view view;
    uint64_t n;

    cr_assert(h2_relay_look(relay, connection, &view));
    n = view.from_client.n_pings;
    cr_assert(n > 0 && n <= H2_MAX_PINGS);
    return ((double)view.from_client.ping_ns[n - 1] - (double)frozen_ns) / 1e6;
}

static void freeze_and_find(scene *self)
{
    const uint64_t most_ns =
        promised_ms(self->traffic) * 1000000u + limit_ns(MARGIN_MS);
    const size_t number = state_log_count(&self->log);
    const size_t connection = h2_relay_n_connections(self->relay) - 1;
    const uint64_t frozen_ns = now_ns();
    uint64_t taken_ns;
    size_t lost;

    freeze(self);
    lost = state_log_await(&self->log, number, MUSTER_IDLE);
    cr_assert_neq(lost, STATE_LOG_NONE);
    cr_expect_eq(state_log_at(&self->log, lost).previous, MUSTER_READY);
    taken_ns = state_log_at(&self->log, lost).time_ns - frozen_ns;
    cr_expect_leq(taken_ns, most_ns, "found after %.1f ms",
                  (double)taken_ns / 1e6);
    (void)printf("found after %.1f ms (promised: %lu ms); last ping: %.1f ms\n",
                 (double)taken_ns / 1e6, promised_ms(self->traffic),
                 last_ping_ms(self->relay, connection, frozen_ns));
}

/* ---- after ---- */

/* The victim's ends by itself. */
static void end_echoes(echoer *self, bool is_on_victim)
{
    if (!is_on_victim) {
        atomic_store(&self->is_stopped, true);
    }
    (void)pthread_join(self->thread, NULL);
}

/* That of the victim fails, the others go on. */
static void expect_streams(scene *self)
{
    const char *address = self->cluster.servers[VICTIM].address;

    for (size_t i = 0; i < N_SERVERS; i++) {
        stream *each = self->streams[i];
        const bool is_on_victim = strcmp(stream_address(each), address) == 0;

        if (self->traffic == BUSY_STREAMS) {
            end_echoes(&self->echoers[i], is_on_victim);
        }
        if (is_on_victim) {
            cr_expect_eq(stream_await_end(each), GRPC_STATUS_UNAVAILABLE);
        } else {
            cr_expect(stream_echo(each));
            cr_expect_eq(stream_finish(each), GRPC_STATUS_OK);
        }
    }
}

static bool is_drained(void *arg)
{
    return cluster_stats(arg).draining == 0;
}

/* Those that had been placed on it, and no others. */
static void expect_failed_calls(scene *self)
{
    const int port = self->cluster.servers[VICTIM].port;

    cr_expect(eventually(is_drained, &self->cluster)); /* they have ended, */
    cr_assert(load_settle(self->calls));               /* and are counted */
    cr_expect_gt(load_failed(self->calls), 0);
    cr_expect_eq(load_failed(self->calls), load_failed_on(self->calls, port),
                 "%lu calls failed, %lu of them on the frozen server",
                 load_failed(self->calls), load_failed_on(self->calls, port));
}

/* The others get the calls, and none fails. */
static void expect_others(const scene *self)
{
    const backend *servers = self->cluster.servers;
    const uint64_t n_failed = load_failed(self->calls);
    uint64_t before[N_SERVERS];

    for (size_t i = 0; i < N_SERVERS; i++) {
        before[i] = load_answered_by(self->calls, servers[i].port);
    }
    go_on(self->calls, 200);
    cr_expect_eq(load_failed(self->calls), n_failed);
    for (size_t i = 0; i < N_SERVERS; i++) {
        const uint64_t n =
            load_answered_by(self->calls, servers[i].port) - before[i];

        cr_expect(i == VICTIM ? n == 0 : n > 50, "%lu calls on server %zu", n,
                  i);
    }
}

typedef struct comeback {
    const scene *scene;
    uint64_t before;
} comeback;

static bool is_used(void *arg)
{
    const comeback *self = arg;
    const scene *s = self->scene;

    return load_answered_by(s->calls, s->cluster.servers[VICTIM].port) >
           self->before + 50;
}

static void expect_comeback(scene *self)
{
    const uint64_t n_failed = load_failed(self->calls);
    comeback back = {.scene = self,
                     .before = load_answered_by(
                         self->calls, self->cluster.servers[VICTIM].port)};

    thaw(self);
    cr_expect(eventually(is_used, &back), "it gets no calls again");
    cr_expect_eq(load_failed(self->calls), n_failed);
}

static void run_round(scene *self)
{
    begin_traffic(self);
    freeze_and_find(self);
    if (self->traffic != NO_STREAM) {
        expect_streams(self);
    }
    if (self->traffic == BUSY_STREAMS) {
        expect_failed_calls(self);
    } else {
        start_calls(self);
    }
    expect_others(self);
    expect_comeback(self);
    load_stop(self->calls);
    load_destroy(self->calls);
    cluster_await_calm(&self->cluster, N_SERVERS);
}

static void expect_found(cause what, traffic with)
{
    const size_t n_rounds = scale_is_full() ? 5 : 1;
    scene s;

    open_scene(&s, what, with);
    for (size_t i = 0; i < n_rounds; i++) {
        run_round(&s);
    }
    close_scene(&s);
}

Test(frozen_link, is_found_with_no_stream)
{
    expect_found(THE_LINK, NO_STREAM);
}

Test(frozen_link, is_found_with_an_idle_stream)
{
    expect_found(THE_LINK, IDLE_STREAMS);
}

Test(frozen_link, is_found_with_a_busy_stream_and_calls)
{
    expect_found(THE_LINK, BUSY_STREAMS);
}

Test(frozen_server, is_found_with_no_stream)
{
    expect_found(THE_SERVER, NO_STREAM);
}

Test(frozen_server, is_found_with_an_idle_stream)
{
    expect_found(THE_SERVER, IDLE_STREAMS);
}

Test(frozen_server, is_found_with_a_busy_stream_and_calls)
{
    expect_found(THE_SERVER, BUSY_STREAMS);
}
