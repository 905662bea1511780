/* SPDX-License-Identifier: Apache-2.0 */
/* Picks and calls in flight, both in the one sum of a slot's cells. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "plane_world.h"
#include "slot.h"

enum { N_THREADS = 12, N_LEASES = 100 };

static plane_world world;
static world_connection *connection;

static void begin(const muster_balancer_class *class_)
{
    cr_assert(world_init(&world, class_));
    connection = world_add(&world);
    cr_assert_not_null(connection);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
}

static void end(void)
{
    world_remove(connection);
    cr_assert(world_fini(&world));
}

static muster_lease pick(void)
{
    muster_lease lease;

    cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
    return lease;
}

static void pick_and_finish(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        muster_lease lease = pick();

        muster_lease_finish(&lease, NULL);
    }
}

/* As if so many picks had been made, and been told. */
static void age(uint32_t picks)
{
    _Atomic uint64_t *cell = muster__slot_cell(connection->slot, 0);

    atomic_store(cell, atomic_load(cell) + ((uint64_t)picks << 32));
    (void)muster__slot_new_picks(connection->slot);
}

Test(slot_counts, tells_each_pick_once)
{
    begin(&world_class);
    pick_and_finish(7);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 7);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 0);
    pick_and_finish(2);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 2);
    end();
}

Test(slot_counts, counts_picks_that_are_in_flight)
{
    muster_lease lease;

    begin(&world_done_class);
    lease = pick();
    cr_expect_eq(muster__slot_new_picks(connection->slot), 1);
    cr_expect_eq(muster__slot_in_flight(connection->slot), 1);
    muster_lease_finish(&lease, NULL);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 0);
    cr_expect_eq(muster__slot_in_flight(connection->slot), 0);
    end();
}

static void *pick_many(void *arg)
{
    muster_lease *leases = arg;

    for (int i = 0; i < N_LEASES; i++) {
        leases[i] = pick();
    }
    return NULL;
}

static void *finish_many(void *arg)
{
    muster_lease *leases = arg;

    for (int i = 0; i < N_LEASES; i++) {
        muster_lease_finish(&leases[i], NULL);
    }
    return NULL;
}

static void run_threads(void *(*run)(void *arg), muster_lease *leases)
{
    pthread_t threads[N_THREADS];

    for (int i = 0; i < N_THREADS; i++) {
        cr_assert_eq(
            pthread_create(&threads[i], NULL, run, leases + i * N_LEASES), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
}

/* More threads than there are stripes; no cell is zero at the end. */
Test(slot_counts, are_exact_when_other_threads_finish)
{
    enum { N = N_THREADS * N_LEASES };
    static muster_lease leases[N];

    begin(&world_class);
    run_threads(pick_many, leases);
    cr_expect_eq(muster__slot_in_flight(connection->slot), N);
    for (int i = 0; i < N_LEASES; i++) {
        muster_lease_finish(&leases[i], NULL);
    }
    cr_expect_eq(muster__slot_in_flight(connection->slot), N - N_LEASES);
    cr_expect_eq(muster__slot_new_picks(connection->slot), N);
    for (int i = 1; i < N_THREADS; i++) {
        muster_lease *mine = leases + i * N_LEASES;
        pthread_t thread;

        cr_assert_eq(pthread_create(&thread, NULL, finish_many, mine), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
    }
    cr_expect_eq(muster__slot_in_flight(connection->slot), 0);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 0);
    end();
}

/* What a sum is that is read between them: the finish is in it already. */
Test(slot_counts, are_right_of_a_finish_that_is_seen_before_its_pick)
{
    begin(&world_class);
    pick_and_finish(5);
    atomic_fetch_add(muster__slot_cell(connection->slot, 1),
                     MUSTER__COUNT_FINISH);
    cr_expect_eq(muster__slot_in_flight(connection->slot), -1);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 5);
    atomic_fetch_add(muster__slot_cell(connection->slot, 2),
                     MUSTER__COUNT_PICK);
    cr_expect_eq(muster__slot_in_flight(connection->slot), 0);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 1);
    end();
}

Test(slot_counts, go_round)
{
    muster_lease leases[4];

    begin(&world_class);
    age(UINT32_MAX - 1);
    for (int i = 0; i < 4; i++) {
        leases[i] = pick();
    }
    cr_expect_eq(muster__slot_new_picks(connection->slot), 4);
    cr_expect_eq(muster__slot_in_flight(connection->slot), 4);
    for (int i = 0; i < 4; i++) {
        muster_lease_finish(&leases[i], NULL);
    }
    cr_expect_eq(muster__slot_new_picks(connection->slot), 0);
    cr_expect_eq(muster__slot_in_flight(connection->slot), 0);
    end();
}

Test(slot_counts, count_a_pick_that_is_given_back)
{
    muster_lease lease;

    begin(&world_class);
    muster__slot_refuse(connection->slot);
    cr_assert_neq(world_pick(&world, &lease), MUSTER_OK);
    cr_expect_gt(muster__slot_new_picks(connection->slot), 0);
    cr_expect_eq(muster__slot_in_flight(connection->slot), 0);
    end();
}

/* ---- lives ---- */

Test(slot_counts, are_told_to_the_last_when_the_slot_closes)
{
    begin(&world_class);
    pick_and_finish(3);
    cr_expect_eq(muster__slot_new_picks(connection->slot), 3);
    pick_and_finish(4);
    end();
    cr_expect_eq(world.n_picks_closed, 4);
}

Test(slot_counts, begin_anew_with_another_life)
{
    muster__slot *slot;

    begin(&world_class);
    slot = connection->slot;
    pick_and_finish(9);
    world_remove(connection);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_expect_eq(world.n_picks_closed, 9);
    connection = world_add(&world);
    cr_assert_eq(connection->slot, slot);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_expect_eq(muster__slot_new_picks(slot), 0);
    pick_and_finish(1);
    cr_expect_eq(muster__slot_new_picks(slot), 1);
    end();
}

/* A leader's picks are told to nobody: the next life is not to inherit them. */
Test(slot_counts, forget_what_nobody_asked_for)
{
    muster__slot *slot;

    begin(&world_class);
    cr_assert_eq(muster__slot_create(world.plane, 77, NULL, NULL, NULL, &slot),
                 MUSTER_OK);
    atomic_fetch_add(muster__slot_cell(slot, 0), UINT64_C(5) << 32);
    muster__slot_destroy(world.plane, slot);
    cr_assert_eq(muster__slot_create(world.plane, 78, NULL, NULL, NULL, &slot),
                 MUSTER_OK);
    cr_expect_eq(muster__slot_new_picks(slot), 0);
    muster__slot_destroy(world.plane, slot);
    end();
}
