/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing, publishing, refusing, draining and closing: what comes when. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <pthread.h>

#include "plane_internal.h"
#include "plane_world.h"

static plane_world world;
static world_connection *connections[2048];

static void begin(int n)
{
    cr_assert(world_init(&world, &world_done_class));
    for (int i = 0; i < n; i++) {
        connections[i] = world_add(&world);
        cr_assert_not_null(connections[i]);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
}

static muster__view *freeze(void)
{
    muster__view *view;

    cr_assert_eq(muster__view_freeze(world.plane, &view), MUSTER_OK);
    return view;
}

/* A lease of that connection, found by going round. */
static muster_lease lease_of(const world_connection *connection)
{
    muster_lease lease;

    for (;;) {
        cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
        if (muster_lease_connection(&lease) == connection) {
            return lease;
        }
        muster_lease_finish(&lease, NULL);
    }
}

static bool is_picked(const world_connection *connection)
{
    for (uint32_t i = 0; i < 2 * muster__view_size(world.plane) + 2; i++) {
        muster_lease lease;
        bool is_it;

        cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
        is_it = muster_lease_connection(&lease) == connection;
        muster_lease_finish(&lease, NULL);
        if (is_it) {
            return true;
        }
    }
    return false;
}

/* ---- views ---- */

Test(plane_view, keeps_what_was_frozen_while_it_moves_on)
{
    muster__view *view;

    begin(3);
    view = freeze();
    cr_assert_not_null(world_add(&world));
    world_remove(connections[0]);
    cr_assert_eq(muster__frozen_size(view), 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(muster__frozen_id(view, i), connections[i]->id);
    }
    cr_assert_eq(muster__view_size(world.plane), 3);
    muster__view_discard(world.plane, view);
}

Test(plane_view, holds_exactly_the_slots_that_stay)
{
    enum { N = 1600 };
    static bool is_seen[N];
    muster__view *view;

    begin(N);
    for (int i = 0; i < N; i++) {
        if (i % 3 != 0) {
            world_remove(connections[i]);
        }
    }
    view = freeze();
    cr_assert_eq(muster__frozen_size(view), (N + 2) / 3);
    for (uint32_t i = 0; i < muster__frozen_size(view); i++) {
        is_seen[muster__frozen_id(view, i) & 0xffff] = true;
    }
    for (int i = 0; i < N; i++) {
        cr_assert_eq(is_seen[i], i % 3 == 0);
    }
    cr_assert_eq(world_publish_view(&world, view), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_alive, (N + 2) / 3);
}

Test(plane_view, survives_a_slot_that_comes_and_goes_unpublished)
{
    world_connection *connection;

    begin(1);
    connection = world_add(&world);
    world_remove(connection);
    cr_assert_eq(muster__view_size(world.plane), 1);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_alive, 1);
}

Test(plane_view, takes_back_a_slot_that_never_entered)
{
    muster__slot *slot;
    muster__slot *again;

    begin(1);
    cr_assert_eq(muster__slot_create(world.plane, 77, NULL, NULL, NULL, &slot),
                 MUSTER_OK);
    muster__slot_destroy(world.plane, slot);
    cr_assert_eq(muster__slot_create(world.plane, 78, NULL, NULL, NULL, &again),
                 MUSTER_OK);
    cr_assert_eq(again, slot);
    muster__slot_destroy(world.plane, again);
    world_remove(connections[0]);
    cr_assert(world_fini(&world));
}

Test(plane_view, costs_at_most_120_bytes_an_endpoint)
{
    enum { N = 100000 };
    size_t before;
    size_t after;

    cr_assert(world_init(&world, &world_class));
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (uint32_t i = 0; i < N; i++) {
        muster__slot *slot;

        cr_assert_eq(
            muster__slot_create(world.plane, i, NULL, NULL, NULL, &slot),
            MUSTER_OK);
        cr_assert_eq(muster__view_add(world.plane, slot), MUSTER_OK);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    after = mallinfo2().uordblks + mallinfo2().hblkhd;
    cr_assert_leq(after - before, 120u * N, "%zu bytes an endpoint",
                  (after - before) / N);
}

/* ---- publication ---- */

Test(plane_publish, raises_the_generation_by_one)
{
    uint64_t before;
    uint64_t generation;
    muster_lease lease;

    begin(1);
    before = muster__plane_generation(world.plane);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert_eq(muster__plane_generation(world.plane), before + 1);
    cr_assert_eq(
        muster__plane_pick_noting(world.plane, NULL, &lease, &generation, NULL),
        MUSTER_OK);
    cr_assert_eq(generation, before + 1);
    muster_lease_finish(&lease, NULL);
}

Test(plane_publish, refuses_a_view_older_than_the_published_one)
{
    muster__view *older;
    muster__view *newer;

    begin(2);
    older = freeze();
    newer = freeze();
    cr_assert_eq(world_publish_view(&world, newer), MUSTER_OK);
    cr_assert_eq(world_publish_view(&world, older), MUSTER_INVAL);
    muster__view_discard(world.plane, older);
    cr_assert(world_settle(&world));
}

Test(plane_publish, gives_picks_the_table_of_their_view)
{
    static int table;
    muster__publication publication = {.view = NULL,
                                       .policy = &world.policy,
                                       .table = &table,
                                       .state = MUSTER_READY};
    muster_lease lease;

    begin(2);
    publication.view = freeze();
    cr_assert_eq(muster__plane_publish(world.plane, &publication), MUSTER_OK);
    cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
    cr_assert_eq(world.self.last_table, &table);
    muster_lease_finish(&lease, NULL);
}

Test(plane_publish, keeps_garbage_while_a_reader_may_see_it)
{
    static int table;
    muster__publication publication = {
        .policy = &world.policy, .garbage = &table, .state = MUSTER_READY};
    muster__guard guard;

    begin(2);
    publication.view = freeze();
    cr_assert_eq(muster__plane_publish(world.plane, &publication), MUSTER_OK);
    (void)muster__guard_enter(&guard, &world.plane->published);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    for (int i = 0; i < 100; i++) {
        cr_assert(muster__plane_poll(world.plane));
    }
    cr_assert_eq(world.n_garbage, 0);
    muster__guard_leave(&guard);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_garbage, 1);
}

Test(plane_publish, gives_the_last_garbage_at_destroy)
{
    static int table;
    muster__publication publication = {
        .policy = &world.policy, .garbage = &table, .state = MUSTER_SHUTDOWN};

    begin(0);
    publication.view = freeze();
    cr_assert_eq(muster__plane_publish(world.plane, &publication), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_garbage, 0);
    muster__plane_destroy(world.plane);
    cr_assert_eq(world.n_garbage, 1);
}

Test(plane_publish, merges_only_while_readers_hold_much_and_little_is_gone)
{
    muster__guard guard;
    int n = 0;

    begin(2000);
    cr_assert_not(muster__plane_should_merge(world.plane));
    (void)muster__guard_enter(&guard, &world.plane->published);
    while (!muster__plane_should_merge(world.plane)) {
        world_remove(connections[n]);
        connections[n] = world_add(&world);
        n = (n + 513) % 2000;
        cr_assert_eq(world_publish(&world), MUSTER_OK);
        (void)muster__plane_poll(world.plane);
    }
    for (int i = 0; i < 251; i++) { /* more than an eighth */
        world_remove(connections[i]);
    }
    cr_assert_not(muster__plane_should_merge(world.plane));
    muster__guard_leave(&guard);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_not(muster__plane_should_merge(world.plane));
}

/* ---- draining ---- */

Test(plane_drain, picks_a_removed_endpoint_until_a_view_without_it_is_out)
{
    begin(2);
    world_remove(connections[0]);
    cr_assert(is_picked(connections[0]));
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert_not(is_picked(connections[0]));
}

Test(plane_drain, drains_what_left_after_the_freeze_with_the_next_view)
{
    muster__view *view;

    begin(2);
    view = freeze();
    world_remove(connections[0]);
    cr_assert_eq(world_publish_view(&world, view), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert(is_picked(connections[0]));
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_alive, 1);
}

Test(plane_drain, waits_for_the_last_lease_without_a_timer)
{
    muster_lease lease;
    muster__plane_stats stats;

    begin(2);
    lease = lease_of(connections[0]);
    world_remove(connections[0]);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert(muster__plane_poll(world.plane));
    cr_assert_not(muster__plane_needs_timer(world.plane));
    muster__plane_stats_get(world.plane, &stats);
    cr_assert_eq(stats.draining, 1);
    cr_assert_eq(stats.in_flight, 1);
    cr_assert(world_lease_is_sound(&lease));

    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.n_wakes, 1);
    cr_assert(muster__plane_needs_timer(world.plane));
    cr_assert(world_settle(&world));
    cr_assert_not(muster__plane_poll(world.plane));
    cr_assert_eq(world.n_alive, 1);
}

static void *finish_lease(void *lease)
{
    muster_lease_finish(lease, NULL);
    return NULL;
}

Test(plane_drain, closes_when_another_thread_finishes)
{
    muster_lease lease;
    pthread_t thread;

    begin(2);
    lease = lease_of(connections[1]);
    world_remove(connections[1]);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_eq(pthread_create(&thread, NULL, finish_lease, &lease), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_alive, 1);
    world_remove(connections[0]);
    cr_assert(world_fini(&world));
}

Test(plane_drain, gives_a_slot_another_life_when_the_first_is_over)
{
    muster__slot *slot;

    begin(2);
    slot = connections[0]->slot;
    world_remove(connections[0]);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert_neq(world_add(&world)->slot, slot);
    cr_assert(world_settle(&world));
    cr_assert_eq(world_add(&world)->slot, slot);
}

Test(plane_drain, ends_leases_after_the_picker_is_shut_down)
{
    muster_lease lease;

    begin(1);
    lease = lease_of(connections[0]);
    world_remove(connections[0]);
    cr_assert_eq(world_publish_state(&world, MUSTER_SHUTDOWN, NULL), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert(world_lease_is_sound(&lease));
    muster_lease_finish(&lease, NULL);
    cr_assert(world_fini(&world));
}

/* ---- early refusal ---- */

Test(plane_refuse, refuses_what_left_before_the_view_is_published)
{
    muster__view *view;

    begin(16);
    world_remove(connections[0]);
    view = freeze();
    cr_assert(is_picked(connections[0]));
    muster__plane_refuse_removed(world.plane);
    cr_assert_not(is_picked(connections[0]));
    cr_assert_eq(world_publish_view(&world, view), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_alive, 15);
}

Test(plane_refuse, refuses_nothing_when_over_an_eighth_is_gone)
{
    muster__view *view;

    begin(16);
    for (int i = 0; i < 3; i++) {
        world_remove(connections[i]);
    }
    view = freeze();
    muster__plane_refuse_removed(world.plane);
    cr_assert(is_picked(connections[0]));
    muster__view_discard(world.plane, view);
}

Test(plane_refuse, does_not_close_what_is_still_published)
{
    muster__view *view;

    begin(16);
    world_remove(connections[0]);
    view = freeze();
    muster__plane_refuse_removed(world.plane);
    cr_assert(world_settle(&world));
    cr_assert_eq(world.n_alive, 16);
    muster__view_discard(world.plane, view);
}
