/* SPDX-License-Identifier: Apache-2.0 */
/* Does the guard keep what a reader holds? A reader holds an object briefly;
 * the writer swaps it, waits for a grace period and poisons the old one.
 *
 *   litmus SECONDS [caught]    with "caught" success means: a fault was found
 *
 * Nothing else notices a missing membarrier, ThreadSanitizer included. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guard.h"

enum {
    N_OBJECTS = 4096,
    N_SWAPS_A_ROUND = 1000,
    N_LOOKS = 20,
    N_IDLE = 30,
    N_COLD = 6,
    COLD_SIZE = 64 << 20, /* more than caches hold */
    COLD_STEP = 4160,     /* no prefetcher follows it */
    SOUND = 1,
    POISONED = 2
};

typedef struct object {
    _Atomic uint64_t magic;
} object;

static object objects[N_OBJECTS];
static void *_Atomic published;
static _Atomic bool is_over;
static _Atomic uint64_t n_bad;
static _Atomic uint64_t n_reads;

/* Stores to lines that are in no cache. Stores become visible in order, so that
 * of muster__guard_enter() waits behind these, while its load need not: the
 * time in which a fault shows. Without, some processors show none at all. */
static void store_cold(void)
{
    static char cold[COLD_SIZE];
    static size_t at;

    for (int i = 0; i < N_COLD; i++) {
        at = (at + COLD_STEP) % COLD_SIZE;
        *(volatile char *)&cold[at] = 1;
    }
}

static uint64_t read_once(void)
{
    muster__guard guard;
    uint64_t bad = 0;
    object *held;

    store_cold();
    held = muster__guard_enter(&guard, &published);
    for (int i = 0; i < N_LOOKS; i++) {
        bad +=
            atomic_load_explicit(&held->magic, memory_order_relaxed) != SOUND;
    }
    muster__guard_leave(&guard);
    return bad;
}

static void *read_until_over(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        uint64_t bad = read_once();

        if (bad != 0) {
            atomic_fetch_add(&n_bad, bad);
        }
        atomic_fetch_add_explicit(&n_reads, 1, memory_order_relaxed);
        for (volatile int i = 0; i < N_IDLE; i++) {
        }
    }
    return NULL;
}

static void swap_round(uint32_t *at)
{
    for (int i = 0; i < N_SWAPS_A_ROUND; i++) {
        object *old;
        muster__grace grace;

        *at = (*at + 1) % N_OBJECTS;
        atomic_store(&objects[*at].magic, SOUND);
        old = atomic_exchange(&published, &objects[*at]);
        grace = muster__guard_grace_begin();
        while (!muster__guard_grace_is_over(grace)) {
        }
        atomic_store(&old->magic, POISONED);
    }
}

static uint64_t run(time_t seconds, bool stops_early)
{
    uint64_t n_rounds = 0;
    uint32_t at = 0;
    time_t end = time(NULL) + seconds;
    pthread_t reader;

    atomic_store(&objects[0].magic, SOUND);
    atomic_store(&published, &objects[0]);
    if (pthread_create(&reader, NULL, read_until_over, NULL) != 0) {
        abort();
    }
    while (time(NULL) < end && !(stops_early && atomic_load(&n_bad) != 0)) {
        swap_round(&at);
        n_rounds++;
    }
    atomic_store(&is_over, true);
    (void)pthread_join(reader, NULL);
    return n_rounds * N_SWAPS_A_ROUND;
}

int main(int argc, char **argv)
{
    bool must_catch = argc > 2 && strcmp(argv[2], "caught") == 0;
    uint64_t n_swaps;

    muster__guard_init();
    n_swaps = run(argc > 1 ? atoi(argv[1]) : 5, must_catch);
    printf("%llu swaps, %llu reads, %llu bad\n", (unsigned long long)n_swaps,
           (unsigned long long)n_reads, (unsigned long long)n_bad);
    return (n_bad != 0) == must_catch ? EXIT_SUCCESS : EXIT_FAILURE;
}
