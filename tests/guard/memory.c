/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the plane fails once: nothing breaks, nothing is lost.
 * Linked with --wrap for the allocating functions. */
#include <stdio.h>
#include <stdlib.h>

#include "plane_world.h"

enum { N_ENDPOINTS = 1100, N_CHANGES = 20 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static long n_left = -1; /* allocations until one fails; negative: none does */
static long n_failed;

static bool fails(void)
{
    if (n_left < 0 || n_left-- != 0) {
        return false;
    }
    n_failed++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "memory.c:%d: %s\n", __LINE__, #condition);        \
            exit(EXIT_FAILURE);                                                \
        }                                                                      \
    } while (0)

static plane_world world;
static world_connection *connections[N_ENDPOINTS];

/* One failure at most, so trying twice is enough. */
static world_connection *add(void)
{
    world_connection *connection = world_add(&world);

    return connection != NULL ? connection : world_add(&world);
}

/* As a caller does: freezes, and publishes what is still its own after a
 * failure. */
static void publish(const char *reason)
{
    muster__publication publication = {
        .policy = &world.policy, .state = MUSTER_READY, .reason = reason};
    uint64_t before = muster__plane_generation(world.plane);

    if (muster__view_freeze(world.plane, &publication.view) != MUSTER_OK) {
        CHECK(muster__view_freeze(world.plane, &publication.view) == MUSTER_OK);
    }
    if (muster__plane_publish(world.plane, &publication) != MUSTER_OK) {
        CHECK(muster__plane_generation(world.plane) == before);
        CHECK(muster__plane_publish(world.plane, &publication) == MUSTER_OK);
    }
    CHECK(muster__plane_generation(world.plane) == before + 1);
}

static void check_picks(void)
{
    for (int i = 0; i < 10; i++) {
        muster_lease lease;

        CHECK(world_pick(&world, &lease) == MUSTER_OK);
        CHECK(world_lease_is_sound(&lease));
        muster_lease_finish(&lease, NULL);
    }
}

static void live(void)
{
    for (int i = 0; i < N_ENDPOINTS; i++) {
        connections[i] = add();
        CHECK(connections[i] != NULL);
    }
    publish(NULL);
    for (int i = 0; i < N_CHANGES; i++) {
        int at = i * 397 % N_ENDPOINTS;

        world_remove(connections[at]);
        connections[at] = add();
        CHECK(connections[at] != NULL);
        publish("a reason");
        check_picks();
        (void)muster__plane_poll(world.plane);
    }
    n_left = -1;
    for (int i = 0; i < N_ENDPOINTS; i++) {
        world_remove(connections[i]);
    }
    CHECK(world_fini(&world));
}

/* False when the run had no allocation number n any more. */
static bool run(long n)
{
    n_failed = 0;
    n_left = n;
    if (!world_init(&world, &world_class)) {
        CHECK(n_failed == 1);
        n_left = -1;
        return true;
    }
    live();
    return n_failed != 0;
}

/* Adding the first endpoints allocates the same again and again. */
int main(void)
{
    long n = 0;
    long n_runs = 0;

    while (run(n)) {
        n += n < 20 ? 1 : 7;
        n_runs++;
    }
    printf("%ld runs with a failure\n", n_runs);
    return n_runs > 100 ? EXIT_SUCCESS : EXIT_FAILURE;
}
