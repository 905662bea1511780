/* SPDX-License-Identifier: Apache-2.0 */
/* Health of real servers: watched, and heeded without a call lost. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <muster/muster.h>

#include "backend.h"
#include "calling.h"
#include "scale.h"
#include "script_resolver.h"

TestSuite(grpc_health, .timeout = 110);

#define TARGET "health"
#define WATCHES_A "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}"

enum { MAX_SERVERS = 3, N_CALLERS = 3, HOUR_MS = 3600000 };

static const char *const serves_all[] = {"--health", "SERVING", NULL};
static const char *const serves_a[] = {"--health", "NOT_SERVING",
                                       "--health-service", "a=SERVING", NULL};

/* Not 0: an endpoint's C core channel goes on with its next connection. */
static uint64_t keepalive_time_ms;

typedef struct scene {
    backend servers[MAX_SERVERS];
    size_t n;
    muster_channel *channel;
} scene;

static void report(const scene *self, const char *service_config)
{
    muster_endpoint endpoints[MAX_SERVERS] = {{0}};

    for (size_t i = 0; i < self->n; i++) {
        endpoints[i].address = self->servers[i].address;
    }
    script_report_config(TARGET, endpoints, self->n, service_config);
}

/* n servers; what the channel's options and its resolver's config say. */
static void open_scene(scene *self, size_t n, const char *const *flags,
                       const char *health_service, const char *service_config)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 100};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .health_service = health_service,
        .keepalive_time_ms = keepalive_time_ms};
    muster_error err;

    memset(self, 0, sizeof *self);
    self->n = n;
    for (size_t i = 0; i < n; i++) {
        cr_assert(backend_start(&self->servers[i], flags));
    }
    script_register();
    cr_assert_eq(muster_grpc_channel_create("script:///" TARGET, &options,
                                            &grpc_options, &self->channel,
                                            &err),
                 MUSTER_OK, "%s", err.message);
    report(self, service_config);
}

static void close_scene(scene *self)
{
    muster_channel_destroy(self->channel);
    for (size_t i = 0; i < self->n; i++) {
        backend_kill(&self->servers[i]);
    }
}

static muster_channel_stats stats_of(const scene *self)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(self->channel, &stats), MUSTER_OK);
    return stats;
}

/* Each look at the channel waits for its control thread. */
static void await_ready(const scene *self, uint64_t n)
{
    const uint64_t give_up_ns = now_ns() + 30000 * MILLISECOND;

    while (stats_of(self).ready != n) {
        cr_assert_lt(now_ns(), give_up_ns, "%llu never ready",
                     (unsigned long long)n);
    }
}

/* What is not healthy yet may not have come to its server either. */
static void await_at_each(scene *self, const char *name, uint64_t expected)
{
    for (size_t i = 0; i < self->n; i++) {
        cr_expect(backend_await_count(&self->servers[i], name, expected));
    }
}

/* Nothing was made, lost or asked for beside the first connections. */
static void expect_quiet(const scene *self)
{
    muster_channel_stats stats = stats_of(self);

    cr_expect_eq(stats.connections_created, self->n);
    cr_expect_eq(stats.connections_destroyed, 0);
    cr_expect_eq(script_refreshes(TARGET), 0);
}

/* ---- flips under load ---- */

typedef struct caller {
    muster_channel *channel;
    atomic_bool is_stopped;
    atomic_int n_good;
    atomic_int n_bad;
    char *said; /* by the first that was bad */
    pthread_t thread;
} caller;

static void *call_until_stopped(void *arg)
{
    caller *self = arg;

    while (!atomic_load(&self->is_stopped)) {
        char *answer = NULL;

        if (ask(self->channel, "hello", NULL, &answer) == GRPC_STATUS_OK) {
            atomic_fetch_add(&self->n_good, 1);
        } else if (atomic_fetch_add(&self->n_bad, 1) == 0) {
            self->said = answer;
            continue;
        }
        free(answer);
    }
    return NULL;
}

static void start_callers(caller *callers, muster_channel *channel)
{
    memset(callers, 0, N_CALLERS * sizeof *callers);
    for (int i = 0; i < N_CALLERS; i++) {
        callers[i].channel = channel;
        cr_assert_eq(pthread_create(&callers[i].thread, NULL,
                                    call_until_stopped, &callers[i]),
                     0);
    }
}

/* Each of them has had another answer. */
static void await_answers(caller *callers)
{
    for (int i = 0; i < N_CALLERS; i++) {
        const int n_good = atomic_load(&callers[i].n_good);

        while (atomic_load(&callers[i].n_good) == n_good &&
               atomic_load(&callers[i].n_bad) == 0) {
            (void)sched_yield();
        }
    }
}

static void stop_callers(caller *callers)
{
    for (int i = 0; i < N_CALLERS; i++) {
        atomic_store(&callers[i].is_stopped, true);
    }
    for (int i = 0; i < N_CALLERS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        cr_expect_gt(callers[i].n_good, 0);
        cr_expect_eq(callers[i].n_bad, 0, "%d of %d: %s", callers[i].n_bad,
                     callers[i].n_bad + callers[i].n_good, callers[i].said);
        free(callers[i].said);
    }
}

Test(grpc_health, flips_under_load_without_a_call_or_connection_lost)
{
    const size_t n_flips = scale(10, 100);
    caller callers[N_CALLERS];
    scene s;
    uint64_t n_calls;

    open_scene(&s, 3, serves_all, "", NULL);
    await_ready(&s, 3);
    start_callers(callers, s.channel);
    for (size_t i = 0; i < n_flips; i++) {
        backend *server = &s.servers[i % s.n];

        cr_assert(backend_tell(server, "health NOT_SERVING"));
        await_ready(&s, 2);
        await_answers(callers);
        cr_assert(backend_tell(server, "health SERVING"));
        await_ready(&s, 3);
        await_answers(callers);
    }
    stop_callers(callers);
    expect_quiet(&s);
    for (size_t i = 0; i < s.n; i++) {
        cr_expect_eq(backend_count(&s.servers[i], "health-calls"), 1);
        cr_expect_eq(backend_count(&s.servers[i], "accepted"), 1);
    }
    n_calls =
        (uint64_t)(callers[0].n_good + callers[1].n_good + callers[2].n_good);
    (void)fprintf(stderr, "%zu flips, %llu calls, none failed\n", n_flips,
                  (unsigned long long)n_calls);
    close_scene(&s);
}

/* ---- what servers answer ---- */

Test(grpc_health, says_why_when_nothing_serves)
{
    scene s;
    char *answer;

    open_scene(&s, 2, serves_all, "", NULL);
    await_ready(&s, 2);
    for (size_t i = 0; i < s.n; i++) {
        cr_assert(backend_tell(&s.servers[i], "health NOT_SERVING"));
    }
    await_ready(&s, 0);
    cr_expect_eq(ask(s.channel, "hello", NULL, &answer),
                 GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(answer, "health check of the server: "
                                      "NOT_SERVING"),
                       "%s", answer);
    free(answer);
    expect_quiet(&s);
    close_scene(&s);
}

Test(grpc_health, of_a_server_that_does_not_tell_is_good)
{
    scene s;

    open_scene(&s, 1, NULL, "a", NULL);
    await_ready(&s, 1);
    cr_expect_eq(ask(s.channel, "hello", &patient, NULL), GRPC_STATUS_OK);
    expect_quiet(&s);
    close_scene(&s);
}

typedef struct slow_log {
    sem_t begun;
    sem_t ended;
} slow_log;

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void log_slowly(void *arg, muster_log_level level, const char *message)
{
    slow_log *self = arg;

    (void)level;
    if (strstr(message, "has no grpc.health") != NULL) {
        (void)sem_post(&self->begun);
        await(&self->ended);
    }
}

/* The control thread goes on, also where it watches another service. */
Test(grpc_health, is_logged_without_a_lock)
{
    slow_log slow;
    scene s;

    (void)sem_init(&slow.begun, 0, 0);
    (void)sem_init(&slow.ended, 0, 0);
    muster_log_set(log_slowly, &slow, MUSTER_LOG_ERROR);
    open_scene(&s, 1, NULL, NULL, WATCHES_A);
    await(&slow.begun);
    report(&s, "{\"healthCheckConfig\": {\"serviceName\": \"b\"}}");
    (void)stats_of(&s); /* behind what the control thread does with that */
    (void)sem_post(&slow.ended);
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    close_scene(&s);
}

Test(grpc_health, of_a_service_that_is_not_known_yet_is_bad)
{
    scene s;
    char *answer;

    open_scene(&s, 1, serves_all, "b", NULL);
    while (muster_channel_state(s.channel) != MUSTER_TRANSIENT_FAILURE) {
        (void)stats_of(&s);
    }
    cr_expect_eq(ask(s.channel, "hello", NULL, &answer),
                 GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(answer, "health check of b: SERVICE_UNKNOWN"),
                       "%s", answer);
    free(answer);
    cr_assert(backend_tell(&s.servers[0], "health SERVING b"));
    await_ready(&s, 1);
    expect_quiet(&s);
    close_scene(&s);
}

/* ---- streams that end ---- */

/* Soon after one that had answered; the next, which fails at once, has a
 * backoff of a second, and says so. */
Test(grpc_health, is_asked_for_again_when_the_stream_ends)
{
    scene s;
    char *answer;

    open_scene(&s, 1, serves_all, "", NULL);
    await_ready(&s, 1);
    cr_assert(backend_tell(&s.servers[0], "health-calls INTERNAL"));
    while (muster_channel_state(s.channel) != MUSTER_TRANSIENT_FAILURE) {
        (void)stats_of(&s);
    }
    cr_expect_eq(backend_count(&s.servers[0], "health-calls"), 2);
    cr_expect_eq(ask(s.channel, "hello", NULL, &answer),
                 GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(answer, "health check of the server: the call "
                                      "ended with status 13"),
                       "%s", answer);
    free(answer);
    cr_assert(backend_tell(&s.servers[0], "health-calls OK"));
    await_ready(&s, 1);
    cr_expect_eq(backend_count(&s.servers[0], "health-calls"), 3);
    expect_quiet(&s);
    close_scene(&s);
}

/* Each connection is watched anew, and no stream holds up the old ones, though
 * their grace is a minute. */
static void expect_old_ones_closed(void)
{
    static const char *const flags[] = {"--health",
                                        "SERVING",
                                        "--max-connection-age-ms",
                                        "200",
                                        "--max-connection-age-grace-ms",
                                        "60000",
                                        NULL};
    scene s;

    open_scene(&s, 1, flags, "", NULL);
    while (stats_of(&s).connections_destroyed < 2) {
        cr_expect_eq(ask(s.channel, "hello", &patient, NULL), GRPC_STATUS_OK);
    }
    cr_expect(backend_await_count(&s.servers[0], "watches", 1));
    close_scene(&s);
}

Test(grpc_health, does_not_keep_what_a_server_wants_to_close)
{
    expect_old_ones_closed();
}

Test(grpc_health, is_watched_anew_on_a_channel_that_was_kept)
{
    keepalive_time_ms = HOUR_MS;
    expect_old_ones_closed();
}

/* ---- which service ---- */

Test(grpc_health, is_of_the_service_that_the_config_names)
{
    scene s;

    open_scene(&s, 2, serves_a, NULL, WATCHES_A);
    await_ready(&s, 2);
    cr_assert(backend_tell(&s.servers[0], "health NOT_SERVING a"));
    await_ready(&s, 1);
    report(&s, "{\"healthCheckConfig\": {\"serviceName\": \"\"}}");
    await_ready(&s, 0);
    await_at_each(&s, "health-calls", 2);
    report(&s, WATCHES_A);
    await_ready(&s, 1);
    await_at_each(&s, "health-calls", 3);
    report(&s, NULL);
    await_ready(&s, 2);
    await_at_each(&s, "watches", 0);
    await_at_each(&s, "health-calls", 3);
    expect_quiet(&s);
    close_scene(&s);
}

Test(grpc_health, is_of_the_service_that_the_program_names)
{
    scene s;

    open_scene(&s, 1, serves_a, "a",
               "{\"healthCheckConfig\": {\"serviceName\": \"\"}}");
    await_ready(&s, 1);
    report(&s, NULL);
    cr_expect_eq(stats_of(&s).ready, 1);
    cr_expect_eq(backend_count(&s.servers[0], "watches"), 1);
    cr_expect_eq(backend_count(&s.servers[0], "health-calls"), 1);
    close_scene(&s);
}

Test(grpc_health, is_no_matter_when_the_program_says_so)
{
    scene s;

    open_scene(&s, 1, serves_a, MUSTER_GRPC_HEALTH_OFF, WATCHES_A);
    await_ready(&s, 1);
    cr_expect_eq(backend_count(&s.servers[0], "health-calls"), 0);
    close_scene(&s);
}
