/* SPDX-License-Identifier: Apache-2.0 */
/* Threads pick and finish while members of pools come and go, and whole pools
 * are replaced: no empty pick, no connection used after it was closed.
 *
 *   pool_stress [THREADS [SECONDS]] */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plane_world.h"

enum { N_ENDPOINTS = 30, N_MEMBERS = 4, MAX_THREADS = 64, N_HELD = 8 };

typedef struct endpoint {
    muster__slot *leader;
    world_connection *members[N_MEMBERS];
} endpoint;

static plane_world world;
static endpoint endpoints[N_ENDPOINTS];
static _Atomic bool is_over;
static _Atomic uint64_t n_picks;
static _Atomic uint64_t n_unsound;
static _Atomic uint64_t n_empty;

static void finish(muster_lease *lease)
{
    if (lease->slot_ != NULL && !world_lease_is_sound(lease)) {
        atomic_fetch_add(&n_unsound, 1);
    }
    muster_lease_finish(lease, NULL);
}

/* Each lease is held while some others are taken. */
static void *pick_until_over(void *unused)
{
    muster_lease held[N_HELD] = {{0}};
    uint64_t n = 0;

    (void)unused;
    for (; !atomic_load(&is_over); n++) {
        muster_lease *lease = &held[n % N_HELD];

        finish(lease);
        if (world_pick(&world, lease) != MUSTER_OK) {
            atomic_fetch_add(&n_empty, 1);
            *lease = (muster_lease){0};
        }
    }
    for (int i = 0; i < N_HELD; i++) {
        finish(&held[i]);
    }
    atomic_fetch_add(&n_picks, n);
    return NULL;
}

static bool fill(endpoint *self, bool is_least_loaded)
{
    self->leader = world_add_leader(&world, N_MEMBERS + 1, is_least_loaded);
    if (self->leader == NULL) {
        return false;
    }
    for (int i = 0; i < N_MEMBERS; i++) {
        self->members[i] = world_add_member(&world, self->leader);
        if (self->members[i] == NULL) {
            return false;
        }
    }
    return true;
}

/* The new one comes before the old one goes. */
static bool replace_member(endpoint *self, uint32_t i)
{
    world_connection *fresh = world_add_member(&world, self->leader);

    if (fresh == NULL) {
        return false;
    }
    world_remove_member(self->leader, self->members[i]);
    self->members[i] = fresh;
    return true;
}

static bool replace_pool(endpoint *self, bool is_least_loaded)
{
    muster__slot *old = self->leader;

    if (!fill(self, is_least_loaded)) {
        return false;
    }
    muster__view_remove(world.plane, old);
    return true;
}

/* Every fifth change is of a whole pool, which needs a new view. */
static bool change(uint32_t number)
{
    endpoint *at = &endpoints[number * 7 % N_ENDPOINTS];
    bool is_done = number % 5 != 0 ? replace_member(at, number % N_MEMBERS)
                                   : replace_pool(at, number % 2 == 0) &&
                                         world_publish(&world) == MUSTER_OK;

    (void)muster__plane_poll(world.plane);
    return is_done;
}

static uint32_t run(int n_threads, time_t seconds)
{
    pthread_t threads[MAX_THREADS];
    time_t end = time(NULL) + seconds;
    uint32_t n_changes = 0;

    for (int i = 0; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, pick_until_over, NULL) != 0) {
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

static bool begin(void)
{
    bool is_full = world_init(&world, &world_class);

    for (int i = 0; is_full && i < N_ENDPOINTS; i++) {
        is_full = fill(&endpoints[i], i % 2 == 0);
    }
    return is_full && world_publish(&world) == MUSTER_OK;
}

static bool end(void)
{
    for (int i = 0; i < N_ENDPOINTS; i++) {
        muster__view_remove(world.plane, endpoints[i].leader);
    }
    return world_fini(&world);
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 4;
    time_t seconds = argc > 2 ? atoi(argv[2]) : 3;
    uint32_t n_changes;
    bool is_closed;

    if (n_threads < 1 || n_threads > MAX_THREADS || !begin()) {
        return EXIT_FAILURE;
    }
    n_changes = run(n_threads, seconds);
    is_closed = end();
    printf("%u changes, %llu picks: %llu empty, %llu unsound, %s\n", n_changes,
           (unsigned long long)n_picks, (unsigned long long)n_empty,
           (unsigned long long)n_unsound,
           is_closed ? "all closed" : "NOT ALL CLOSED");
    return n_empty == 0 && n_unsound == 0 && is_closed ? EXIT_SUCCESS
                                                       : EXIT_FAILURE;
}
