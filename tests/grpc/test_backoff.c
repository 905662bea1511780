/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts at real ports where nobody serves: when they are made, when they are
 * made at once, and what the dump says of the next one. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <muster/connectivity.h>

#include "backend.h"
#include "calling.h"
#include "limit.h"
#include "loopback_port.h"
#include "scale.h"
#include "script_resolver.h"
#include "state_log.h"

TestSuite(grpc_backoff, .timeout = 110);

#define TARGET "backoff"

/* For threads that run late. */
enum { MARGIN_MS = 30 };

enum { INITIAL_MS = 150, MAX_MS = 600, N_DELAYS = 7 };
enum { FULL_INITIAL_MS = 1000, FULL_MAX_MS = 8000, N_FULL_DELAYS = 9 };

enum { LONG_MS = 60000, AT_ONCE_MS = 50, READY_MS = 200 };

/* ---- the scene ---- */

typedef struct scene {
    loopback_port port; /* closed, unless a test listens there */
    char address[32];
    muster_channel *channel;
    state_log log;
} scene;

static muster_channel_options backoff(uint64_t initial_ms, uint64_t max_ms,
                                      uint32_t jitter_percent)
{
    return (muster_channel_options){.struct_size =
                                        sizeof(muster_channel_options),
                                    .initial_backoff_ms = initial_ms,
                                    .max_backoff_ms = max_ms,
                                    .backoff_jitter_percent = jitter_percent};
}

static void take_port(scene *self)
{
    memset(self, 0, sizeof *self);
    cr_assert(loopback_port_take(&self->port, AF_INET));
    (void)snprintf(self->address, sizeof self->address, "127.0.0.1:%d",
                   self->port.number);
}

/* The list comes when the log has begun: it has the first attempt, too. */
static void open_scene(scene *self, muster_channel_options options)
{
    const char *const address = self->address;
    muster_error err;

    script_register();
    cr_assert_eq(muster_grpc_channel_create("script:///" TARGET, &options, NULL,
                                            &self->channel, &err),
                 MUSTER_OK, "%s", err.message);
    cr_assert(state_log_begin(&self->log, self->channel, self->address));
    script_report_addresses(TARGET, &address, 1);
}

static void close_scene(scene *self)
{
    muster_channel_destroy(self->channel);
    state_log_end(&self->log);
    loopback_port_release(&self->port);
}

/* The first one from number on. */
static size_t await(scene *self, size_t number, muster_connectivity state)
{
    const size_t found = state_log_await(&self->log, number, state);

    cr_assert_neq(found, STATE_LOG_NONE);
    return found;
}

static uint64_t time_of(scene *self, size_t number)
{
    return state_log_at(&self->log, number).time_ns;
}

/* ---- spacing ---- */

/* One delay. The control thread, which takes the stamps, starts the timer
 * between the beginning of an attempt and the news that it failed: the delay is
 * no longer than from one beginning to the next, and no shorter than from the
 * news to the next beginning. */
typedef struct delay {
    double most_ms;
    double least_ms;
} delay;

static double ms_between(scene *self, size_t first, size_t second)
{
    return (double)(time_of(self, second) - time_of(self, first)) / 1e6;
}

/* After the attempt of that number, which becomes that of the next one. */
static delay await_delay(scene *self, size_t *number)
{
    const size_t failed = await(self, *number, MUSTER_TRANSIENT_FAILURE);
    const size_t next = await(self, failed, MUSTER_CONNECTING);
    const delay taken = {.most_ms = ms_between(self, *number, next),
                         .least_ms = ms_between(self, failed, next)};

    *number = next;
    return taken;
}

static double next_nominal(double nominal_ms, double max_ms)
{
    const double next_ms = nominal_ms * 1.6;

    return next_ms < max_ms ? next_ms : max_ms;
}

/* strays is how far a delay may be from the nominal one, either way. The
 * machine may be busy once; but none is early. */
static void expect_sequence(scene *self, double initial_ms, double max_ms,
                            size_t n_delays, double strays)
{
    const double margin_ms = (double)limit_ns(MARGIN_MS) / 1e6;
    double nominal_ms = initial_ms;
    size_t number = await(self, 0, MUSTER_CONNECTING);
    size_t n_late = 0;

    for (size_t i = 0; i < n_delays; i++) {
        const delay taken = await_delay(self, &number);

        (void)printf("%.1f to %.1f ms, nominally %.1f\n", taken.least_ms,
                     taken.most_ms, nominal_ms);
        cr_expect_geq(taken.most_ms, nominal_ms * (1 - strays) - 1,
                      "%.1f ms for %.1f", taken.most_ms, nominal_ms);
        n_late += taken.least_ms > nominal_ms * (1 + strays) + margin_ms;
        nominal_ms = next_nominal(nominal_ms, max_ms);
    }
    cr_expect_leq(n_late, 1, "%zu of %zu are late", n_late, n_delays);
}

static void expect_spacing(uint32_t jitter_percent)
{
    const bool is_full = scale_is_full();
    const uint64_t initial_ms = is_full ? FULL_INITIAL_MS : INITIAL_MS;
    const uint64_t max_ms = is_full ? FULL_MAX_MS : MAX_MS;
    scene s;

    take_port(&s);
    open_scene(&s, backoff(initial_ms, max_ms, jitter_percent));
    expect_sequence(&s, (double)initial_ms, (double)max_ms,
                    is_full ? N_FULL_DELAYS : N_DELAYS, jitter_percent / 100.0);
    close_scene(&s);
}

Test(grpc_backoff, of_a_closed_port_grows_by_1_6_within_20_percent)
{
    expect_spacing(20);
}

/* All of the 20 percent are left for the machine. */
Test(grpc_backoff, of_a_closed_port_grows_by_1_6_with_little_jitter)
{
    expect_spacing(1);
}

/* ---- what the network sees ---- */

/* A listener that resets whatever comes. */
typedef struct listener {
    int fd;
    int wake[2];
    atomic_uint n_accepted;
    pthread_t thread;
} listener;

static void *reset_all(void *arg)
{
    listener *self = arg;
    const struct linger now = {.l_onoff = 1};
    struct pollfd waited[] = {{.fd = self->fd, .events = POLLIN},
                              {.fd = self->wake[0], .events = POLLIN}};

    while (poll(waited, 2, -1) > 0 && waited[1].revents == 0) {
        const int client = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC);

        if (client >= 0) {
            atomic_fetch_add(&self->n_accepted, 1);
            (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            (void)close(client);
        }
    }
    return NULL;
}

static void listener_start(listener *self, int port)
{
    self->fd = loopback_bind(AF_INET, SOCK_STREAM, port);
    atomic_init(&self->n_accepted, 0);
    cr_assert_eq(pipe(self->wake), 0);
    cr_assert(self->fd >= 0 && listen(self->fd, 16) == 0);
    cr_assert_eq(pthread_create(&self->thread, NULL, reset_all, self), 0);
}

static void listener_stop(listener *self)
{
    cr_assert_eq(write(self->wake[1], "", 1), 1);
    (void)pthread_join(self->thread, NULL);
    (void)close(self->wake[0]);
    (void)close(self->wake[1]);
    (void)close(self->fd);
}

static size_t count_of(scene *self, muster_connectivity state)
{
    const size_t n = state_log_count(&self->log);
    size_t n_found = 0;

    for (size_t i = 0; i < n; i++) {
        n_found += state_log_at(&self->log, i).state == state;
    }
    return n_found;
}

/* C core would connect again by itself. */
Test(grpc_backoff, has_one_connection_an_attempt_and_none_between)
{
    listener resets;
    size_t number = 0;
    size_t n_accepted;
    scene s;

    take_port(&s);
    listener_start(&resets, s.port.number);
    open_scene(&s, backoff(INITIAL_MS, INITIAL_MS, 20));
    for (size_t i = 0; i < N_DELAYS; i++) {
        number = await(&s, number + 1, MUSTER_TRANSIENT_FAILURE);
    }
    muster_channel_destroy(s.channel);
    s.channel = NULL;
    listener_stop(&resets);
    n_accepted = atomic_load(&resets.n_accepted);
    cr_expect_geq(n_accepted, N_DELAYS);
    cr_expect_leq(n_accepted, count_of(&s, MUSTER_CONNECTING));
    close_scene(&s);
}

/* ---- reset ---- */

static void expect_within(scene *self, size_t number, uint64_t begun_ns,
                          uint64_t limit_ms)
{
    const uint64_t taken_ns = time_of(self, number) - begun_ns;

    (void)printf("after %.2f ms\n", (double)taken_ns / 1e6);
    cr_expect_leq(taken_ns, limit_ns(limit_ms), "after %.2f ms",
                  (double)taken_ns / 1e6);
}

/* When it is in a backoff of a minute. */
static size_t await_backoff(scene *self)
{
    (void)await(self, 0, MUSTER_TRANSIENT_FAILURE);
    return state_log_count(&self->log);
}

Test(grpc_backoff, that_is_reset_connects_at_once)
{
    char port[16];
    const char *const flags[] = {"--port", port, "--id", "late", NULL};
    backend server;
    uint64_t begun_ns;
    size_t number;
    char *answer = NULL;
    scene s;

    take_port(&s);
    open_scene(&s, backoff(LONG_MS, LONG_MS, 20));
    number = await_backoff(&s);
    (void)snprintf(port, sizeof port, "%d", s.port.number);
    cr_assert(backend_start(&server, flags));
    begun_ns = now_ns();
    muster_channel_reset_backoff(s.channel);
    expect_within(&s, await(&s, number, MUSTER_CONNECTING), begun_ns,
                  AT_ONCE_MS);
    expect_within(&s, await(&s, number, MUSTER_READY), begun_ns, READY_MS);
    cr_expect_eq(ask(s.channel, "hello", &patient, &answer), GRPC_STATUS_OK);
    cr_expect_str_eq(answer, "late:hello");
    free(answer);
    close_scene(&s);
    backend_kill(&server);
}

/* ---- the dump ---- */

static int64_t left_ms(const scene *self)
{
    char *text = NULL;
    json_t *root;
    json_t *endpoint;
    int64_t left;

    cr_assert_eq(muster_channel_dump_json(self->channel, &text), MUSTER_OK);
    root = json_loads(text, 0, NULL);
    endpoint = json_array_get(json_object_get(root, "endpoints"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(endpoint, "address")),
                     self->address);
    left = json_integer_value(json_object_get(endpoint, "backoff_left_ms"));
    json_decref(root);
    free(text);
    return left;
}

/* A look at what is left, between two stamps. */
typedef struct look {
    uint64_t before_ns;
    int64_t left_ms;
    uint64_t after_ns;
} look;

static look look_now(const scene *self)
{
    look taken = {.before_ns = now_ns()};

    taken.left_ms = left_ms(self);
    taken.after_ns = now_ns();
    return taken;
}

/* The attempt is made no earlier than the dump said; true: and hardly later. A
 * look that it overtook may be of the next backoff. */
static bool is_in_time(const look *taken, uint64_t next_ns)
{
    const double most_ms = ((double)next_ns - (double)taken->before_ns) / 1e6;
    const double least_ms = ((double)next_ns - (double)taken->after_ns) / 1e6;

    if (next_ns < taken->after_ns) {
        return false;
    }
    (void)printf("%ld ms left of %.1f\n", (long)taken->left_ms, most_ms);
    cr_expect_leq((double)taken->left_ms, most_ms + 1);
    return (double)taken->left_ms >=
           least_ms - (double)limit_ns(MARGIN_MS) / 1e6;
}

/* The machine may be busy once. */
Test(grpc_backoff, time_that_is_left_is_in_the_dump)
{
    enum { N_TRIES = 5 };
    size_t number = 0;
    size_t n_late = 0;
    scene s;

    take_port(&s);
    open_scene(&s, backoff(MAX_MS, MAX_MS, 20));
    for (int i = 0; i < N_TRIES; i++) {
        look taken;

        number = await(&s, number, MUSTER_TRANSIENT_FAILURE);
        (void)poll(NULL, 0, i * MAX_MS / 16); /* at some time of it */
        taken = look_now(&s);
        number = await(&s, number, MUSTER_CONNECTING);
        n_late +=
            taken.left_ms == 0 || !is_in_time(&taken, time_of(&s, number));
    }
    cr_expect_leq(n_late, 1);
    close_scene(&s);
}

static bool has_attempt_since(scene *self, size_t number)
{
    const size_t n = state_log_count(&self->log);

    while (number < n &&
           state_log_at(&self->log, number).state != MUSTER_CONNECTING) {
        number++;
    }
    return number < n;
}

/* Of the first backoff after a reset, which led to the attempt of that number.
 * A look that the next attempt overtook is of the second; then all is reset
 * once more. */
static int64_t left_of_first_ms(scene *self, size_t number)
{
    size_t failed = await(self, number, MUSTER_TRANSIENT_FAILURE);
    int64_t left = left_ms(self);

    while (has_attempt_since(self, failed)) {
        number = state_log_count(&self->log);
        muster_channel_reset_backoff(self->channel);
        number = await(self, number, MUSTER_CONNECTING);
        failed = await(self, number, MUSTER_TRANSIENT_FAILURE);
        left = left_ms(self);
    }
    return left;
}

Test(grpc_backoff, that_is_reset_starts_anew)
{
    uint64_t begun_ns;
    int64_t delay_ms;
    size_t number = 0;
    scene s;

    take_port(&s);
    open_scene(&s, backoff(INITIAL_MS, LONG_MS, 20));
    for (int i = 0; i < 5; i++) { /* 6.6 times the initial one by then */
        number = await(&s, number + 1, MUSTER_TRANSIENT_FAILURE);
    }
    delay_ms = left_ms(&s);
    delay_ms += (int64_t)((now_ns() - time_of(&s, number)) / MILLISECOND);
    cr_expect_geq(delay_ms, INITIAL_MS * 3);
    begun_ns = now_ns();
    muster_channel_reset_backoff(s.channel);
    number = await(&s, number + 1, MUSTER_CONNECTING);
    expect_within(&s, number, begun_ns, AT_ONCE_MS);
    cr_expect_leq(left_of_first_ms(&s, number), INITIAL_MS * 6 / 5);
    close_scene(&s);
}
