/* SPDX-License-Identifier: Apache-2.0 */
/* Threads pick and finish, on one another's behalf too, while the list changes
 * and is replaced: no empty pick, no connection used after it was closed.
 *
 *   plane_stress [THREADS [SECONDS]] */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plane_world.h"

enum { N_ENDPOINTS = 300, N_MAILBOXES = 64, MAX_THREADS = 64 };

static plane_world world;
static world_connection *connections[N_ENDPOINTS];
static _Atomic(muster_lease *) mailboxes[N_MAILBOXES];
static _Atomic bool is_over;
static _Atomic uint64_t n_picks;
static _Atomic uint64_t n_unsound;
static _Atomic uint64_t n_empty;

static void finish(muster_lease *lease)
{
    if (!world_lease_is_sound(lease)) {
        atomic_fetch_add(&n_unsound, 1);
    }
    muster_lease_finish(lease, NULL);
    free(lease);
}

/* Half of the leases are finished at once, half by whoever comes by. */
static void pick_one(uint64_t random)
{
    muster_lease *lease = malloc(sizeof *lease);

    if (lease == NULL || world_pick(&world, lease) != MUSTER_OK) {
        atomic_fetch_add(&n_empty, 1);
        free(lease);
        return;
    }
    if (random >> 63 == 0) {
        lease =
            atomic_exchange(&mailboxes[(random >> 50) % N_MAILBOXES], lease);
    }
    if (lease != NULL) {
        finish(lease);
    }
}

static void *pick_until_over(void *seed)
{
    uint64_t random = (uintptr_t)seed;
    uint64_t n = 0;

    while (!atomic_load(&is_over)) {
        random = random * UINT64_C(6364136223846793005) +
                 UINT64_C(1442695040888963407);
        pick_one(random);
        n++;
    }
    atomic_fetch_add(&n_picks, n);
    return NULL;
}

static bool replace(uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        world_connection **at = &connections[(from + i) % N_ENDPOINTS];
        world_connection *fresh = world_add(&world);

        if (fresh == NULL) {
            return false;
        }
        if (*at != NULL) {
            world_remove(*at);
        }
        *at = fresh;
    }
    return true;
}

/* Every seventh change replaces all; every fifth first refuses early, as when a
 * view waits for its table. */
static bool change(uint32_t number)
{
    muster__view *view;

    if (!replace(number * 31, number % 7 == 0 ? N_ENDPOINTS : 1)) {
        return false;
    }
    if (!muster__plane_should_merge(world.plane)) {
        if (muster__view_freeze(world.plane, &view) != MUSTER_OK) {
            return false;
        }
        if (number % 5 == 0) {
            muster__plane_refuse_removed(world.plane);
        }
        if (world_publish_view(&world, view) != MUSTER_OK) {
            return false;
        }
    }
    (void)muster__plane_poll(world.plane);
    return true;
}

static void finish_all(void)
{
    for (uint32_t i = 0; i < N_MAILBOXES; i++) {
        muster_lease *lease = atomic_exchange(&mailboxes[i], NULL);

        if (lease != NULL) {
            finish(lease);
        }
    }
}

static bool remove_all(void)
{
    for (uint32_t i = 0; i < N_ENDPOINTS; i++) {
        world_remove(connections[i]);
    }
    return world_fini(&world);
}

static uint32_t run(int n_threads, time_t seconds)
{
    static char seeds[MAX_THREADS]; /* addresses are random enough */
    pthread_t threads[MAX_THREADS];
    time_t end = time(NULL) + seconds;
    uint32_t n_changes = 0;

    for (int i = 0; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, pick_until_over, &seeds[i]) !=
            0) {
            abort();
        }
    }
    while (time(NULL) < end) {
        if (!change(++n_changes)) {
            abort();
        }
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return n_changes;
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 4;
    time_t seconds = argc > 2 ? atoi(argv[2]) : 5;
    uint32_t n_changes;
    bool is_closed;

    if (n_threads < 1 || n_threads > MAX_THREADS ||
        !world_init(&world, &world_class) || !replace(0, N_ENDPOINTS) ||
        world_publish(&world) != MUSTER_OK) {
        return EXIT_FAILURE;
    }
    n_changes = run(n_threads, seconds);
    finish_all();
    is_closed = remove_all();
    printf("%u changes, %llu picks: %llu empty, %llu unsound, %s\n", n_changes,
           (unsigned long long)n_picks, (unsigned long long)n_empty,
           (unsigned long long)n_unsound,
           is_closed ? "all closed" : "NOT ALL CLOSED");
    return n_empty == 0 && n_unsound == 0 && is_closed ? EXIT_SUCCESS
                                                       : EXIT_FAILURE;
}
