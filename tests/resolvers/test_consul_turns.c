/* SPDX-License-Identifier: Apache-2.0 */
/* Targets that take turns on few connections. */
#include <criterion/criterion.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul_scene.h"

enum { N_TARGETS = 12, TURNS_MS = 20000 };

static watched watches[N_TARGETS];
static watched late;
static atomic_uint n_turns[N_TARGETS];
static atomic_uint n_blocked; /* queries, now */

static void end(void)
{
    for (int i = 0; i < N_TARGETS; i++) {
        watched_end(&watches[i]);
    }
    watched_end(&late);
    scene_end();
}

TestSuite(consul_turns, .fini = end, .timeout = 60);

/* ---- the agent ---- */

static void block(http_exchange *exchange, int wait_ms)
{
    const char *number = strstr(exchange->target, "/service-");

    atomic_fetch_add(&n_blocked, 1);
    (void)http_wait(exchange, wait_ms);
    atomic_fetch_sub(&n_blocked, 1);
    if (number != NULL) {
        atomic_fetch_add(&n_turns[atoi(number + strlen("/service-"))], 1);
    }
}

static bool blocks_as_told(void *arg, http_exchange *exchange)
{
    const char *wait = strstr(exchange->target, "wait=");

    (void)arg;
    if (scene_is_blocking(exchange) && wait != NULL) {
        block(exchange, atoi(wait + strlen("wait=")));
    }
    return http_list(exchange, "5", SCENE_ONE);
}

/* ---- the targets ---- */

static void watch_all(void)
{
    char target[SCENE_TARGET_SIZE];
    char service[32];
    muster_error err;

    for (int i = 0; i < N_TARGETS; i++) {
        (void)snprintf(service, sizeof service, "service-%d", i);
        scene_target(target, service);
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
    for (int i = 0; i < N_TARGETS; i++) {
        cr_assert(
            watched_await_list(&watches[i], "10.0.0.1:80", SCENE_WAIT_MS));
    }
}

/* Each has had n turns more. Answers how long that took. */
static double await_turns(unsigned n)
{
    uint64_t start_ns = watched_now_ns();
    unsigned goals[N_TARGETS];

    for (int i = 0; i < N_TARGETS; i++) {
        goals[i] = atomic_load(&n_turns[i]) + n;
    }
    for (int i = 0; i < N_TARGETS; i++) {
        while (atomic_load(&n_turns[i]) < goals[i]) {
            cr_assert_lt(watched_now_ns() - start_ns,
                         (uint64_t)TURNS_MS * 1000000);
            (void)poll(NULL, 0, 1);
        }
        cr_assert_eq(watched_get(&watches[i]).n_errors, 0);
    }
    return (double)(watched_now_ns() - start_ns) / 1e9;
}

Test(consul_turns, are_taken_on_few_connections)
{
    scene_begin(blocks_as_told, "?max_connections=3");
    watch_all();
    (void)await_turns(1);
    /* Those that had to give way closed theirs. */
    cr_assert_leq(http_server_n_connections(scene.server), 3 + 3);
}

/* All of them block, for a minute. */
static void await_blocked(unsigned n)
{
    for (int i = 0; i < SCENE_WAIT_MS && atomic_load(&n_blocked) != n; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_eq(atomic_load(&n_blocked), n);
}

Test(consul_turns, begin_when_a_later_target_allows_fewer_connections)
{
    char target[SCENE_TARGET_SIZE];
    muster_error err;
    double took_s;

    scene_prepare(blocks_as_told);
    watch_all();
    await_blocked(N_TARGETS);
    scene_target(target, "late?max_connections=2");
    cr_assert(watched_begin(&late, target, &err), "%s", err.message);
    cr_assert(watched_await_list(&late, "10.0.0.1:80", SCENE_WAIT_MS));
    took_s = await_turns(1);
    printf("consul: turns on fewer connections take %.1f s\n", took_s);
    cr_assert_lt(took_s, 8);
    cr_assert_leq(atomic_load(&n_blocked), 2);
}
