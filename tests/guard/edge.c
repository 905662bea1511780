/* SPDX-License-Identifier: Apache-2.0 */
/* Picks where processes are at their edges: edge CASE
 *
 *   forks          200 forks under load: the child's picks are refused, its
 *                  guard works, the parent goes on
 *   threads        5 000 threads, one after the other, reuse a slot
 *   destructors    picks inside destructors of thread-specific data
 *   refused_later  membarrier(2) is taken away while threads pick */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "plane_world.h"
#include "refuse.h"

enum {
    N_ENDPOINTS = 300,
    N_LOAD = 4,
    N_FORKS = 200,
    N_THREADS = 5000,
    N_CROWD = 100,
    N_CROWDS = 10,
    CHILD_LIMIT_S = 10
};

static plane_world world;
static world_connection *connections[N_ENDPOINTS];
static uint32_t n_changes;
static _Atomic bool is_over;
static _Atomic uint64_t n_bad;
static _Atomic uint64_t n_picks;
static pthread_t load[N_LOAD];

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "edge.c:%d: %s\n", __LINE__, #condition);          \
            exit(EXIT_FAILURE);                                                \
        }                                                                      \
    } while (0)

static void pick_once(void)
{
    muster_lease lease;

    if (world_pick(&world, &lease) != MUSTER_OK) {
        atomic_fetch_add(&n_bad, 1);
        return;
    }
    if (!world_lease_is_sound(&lease)) {
        atomic_fetch_add(&n_bad, 1);
    }
    muster_lease_finish(&lease, NULL);
    atomic_fetch_add(&n_picks, 1);
}

static void *pick_until_over(void *arg)
{
    (void)arg;
    while (!atomic_load(&is_over)) {
        pick_once();
    }
    return NULL;
}

static void change(void)
{
    uint32_t n = ++n_changes % 7 == 0 ? N_ENDPOINTS : 1;

    for (uint32_t i = 0; i < n; i++) {
        world_connection **at =
            &connections[(n_changes * 31 + i) % N_ENDPOINTS];
        world_connection *old = *at;

        *at = world_add(&world);
        CHECK(*at != NULL);
        world_remove(old);
    }
    CHECK(world_publish(&world) == MUSTER_OK);
    (void)muster__plane_poll(world.plane);
}

static void begin(int n_load)
{
    CHECK(world_init(&world, &world_class));
    for (uint32_t i = 0; i < N_ENDPOINTS; i++) {
        connections[i] = world_add(&world);
        CHECK(connections[i] != NULL);
    }
    CHECK(world_publish(&world) == MUSTER_OK);
    for (int i = 0; i < n_load; i++) {
        CHECK(pthread_create(&load[i], NULL, pick_until_over, NULL) == 0);
    }
}

static int end(int n_load)
{
    atomic_store(&is_over, true);
    for (int i = 0; i < n_load; i++) {
        CHECK(pthread_join(load[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < N_ENDPOINTS; i++) {
        world_remove(connections[i]);
    }
    CHECK(world_fini(&world));
    printf("%u changes, %llu picks, %llu bad\n", n_changes,
           (unsigned long long)n_picks, (unsigned long long)n_bad);
    return n_bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- forks ---- */

/* Readers that were inside when the process forked must not hold up the
 * child's grace periods. */
static void use_guard_in_child(void)
{
    static int thing;
    void *_Atomic published = &thing;

    for (int i = 0; i < 50; i++) {
        muster__guard guard;
        muster__grace grace = muster__guard_grace_begin();

        CHECK(muster__guard_enter(&guard, &published) == &thing);
        muster__guard_leave(&guard);
        while (!muster__guard_grace_is_over(grace)) {
        }
    }
}

static void run_child(muster_lease *lease)
{
    muster_lease other;
    muster_lease before = *lease;

    (void)alarm(CHILD_LIMIT_S);
    CHECK(world_pick(&world, &other) == MUSTER_FORKED);
    muster_lease_finish(lease, NULL);
    CHECK(world_lease_is_sound(&before));
    use_guard_in_child();
    _exit(EXIT_SUCCESS);
}

static void fork_once(void)
{
    muster_lease lease;
    pid_t child;
    int status;

    CHECK(world_pick(&world, &lease) == MUSTER_OK);
    change();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run_child(&lease);
    }
    change();
    muster_lease_finish(&lease, NULL);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

static int forks(void)
{
    begin(N_LOAD);
    for (int i = 0; i < N_FORKS; i++) {
        fork_once();
    }
    return end(N_LOAD);
}

/* ---- threads ---- */

static uint32_t shard_of_this_thread(void)
{
    static void *_Atomic nothing;
    muster__guard guard;
    uint32_t shard;

    (void)muster__guard_enter(&guard, &nothing);
    shard = guard.shard;
    muster__guard_leave(&guard);
    return shard;
}

static void *pick_and_tell_shard(void *ret_shard)
{
    pick_once();
    *(uint32_t *)ret_shard = shard_of_this_thread();
    return NULL;
}

static int threads(void)
{
    uint32_t most = 0;

    begin(0);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_t thread;
        uint32_t shard = 0;

        CHECK(pthread_create(&thread, NULL, pick_and_tell_shard, &shard) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        most = shard > most ? shard : most;
        if (i % 50 == 0) {
            change();
        }
    }
    CHECK(most < 64); /* a slot by thread, or a CPU when there is none */
    return end(0);
}

/* ---- destructors ---- */

static pthread_key_t first_key;
static pthread_key_t last_key;

/* Comes again, so that some run before the guard's own and some after. */
static void pick_in_destructor(void *key)
{
    static _Thread_local int n_again;

    pick_once();
    if (n_again++ < 3) {
        (void)pthread_setspecific(*(pthread_key_t *)key, key);
    }
}

static void *pick_and_exit(void *arg)
{
    (void)arg;
    (void)pthread_setspecific(first_key, &first_key);
    pick_once();
    (void)pthread_setspecific(last_key, &last_key);
    return NULL;
}

static int destructors(void)
{
    pthread_t crowd[N_CROWD];

    CHECK(pthread_key_create(&first_key, pick_in_destructor) == 0);
    begin(0); /* makes the guard's key */
    CHECK(pthread_key_create(&last_key, pick_in_destructor) == 0);
    for (int round = 0; round < N_CROWDS; round++) {
        for (int i = 0; i < N_CROWD; i++) {
            CHECK(pthread_create(&crowd[i], NULL, pick_and_exit, NULL) == 0);
        }
        change();
        for (int i = 0; i < N_CROWD; i++) {
            CHECK(pthread_join(crowd[i], NULL) == 0);
        }
        change();
    }
    return end(0);
}

/* ---- membarrier taken away ---- */

static int refused_later(void)
{
    time_t until;

    begin(N_LOAD);
    for (int i = 0; i < N_ENDPOINTS; i++) {
        change();
    }
    CHECK(refuse_membarrier());
    until = time(NULL) + 3; /* two of the long grace periods at least */
    for (int i = 0; i < N_ENDPOINTS; i++) {
        change();
    }
    while (time(NULL) < until) {
        (void)muster__plane_poll(world.plane);
    }
    /* Not sooner: a grace period begun before may have been held up. */
    CHECK(atomic_load(&muster__guard_epoch) == 0);
    return end(N_LOAD);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } cases[] = {{"forks", forks},
                 {"threads", threads},
                 {"destructors", destructors},
                 {"refused_later", refused_later}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            return cases[i].run();
        }
    }
    fprintf(stderr, "usage: edge forks|threads|destructors|refused_later\n");
    return EXIT_FAILURE;
}
