/* SPDX-License-Identifier: Apache-2.0 */
/* Leaders and members: who gets a pick, and how both leave. */
#include <criterion/criterion.h>

#include "plane_internal.h"
#include "plane_world.h"

enum { N_MEMBERS = 4 };

static plane_world world;
static world_connection *members[N_MEMBERS];
static uint32_t n_picked[N_MEMBERS];

static muster__slot *begin(bool is_least_loaded, uint32_t n)
{
    muster__slot *leader;

    cr_assert(world_init(&world, &world_done_class));
    leader = world_add_leader(&world, N_MEMBERS, is_least_loaded);
    cr_assert_not_null(leader);
    for (uint32_t i = 0; i < n; i++) {
        members[i] = world_add_member(&world, leader);
        cr_assert_not_null(members[i]);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    return leader;
}

static void end(muster__slot *leader)
{
    muster__view_remove(world.plane, leader);
    cr_assert(world_fini(&world));
}

static muster_lease pick(void)
{
    muster_lease lease;

    cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
    cr_assert(world_lease_is_sound(&lease));
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        n_picked[i] += muster_lease_connection(&lease) == members[i];
    }
    return lease;
}

static void pick_and_finish(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        muster_lease lease = pick();

        muster_lease_finish(&lease, NULL);
    }
}

Test(plane_pool, members_take_turns)
{
    muster__slot *leader = begin(false, N_MEMBERS);

    pick_and_finish(4000);
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        cr_expect_eq(n_picked[i], 1000);
    }
    end(leader);
}

/* However many endpoints there are, each member gets its share of its own. */
Test(plane_pool, members_of_each_endpoint_take_turns)
{
    muster__slot *leader = begin(false, N_MEMBERS);
    muster__slot *other = world_add_leader(&world, 2, false);

    cr_assert_not_null(world_add_member(&world, other));
    cr_assert_not_null(world_add_member(&world, other));
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    pick_and_finish(8000);
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        cr_expect_eq(n_picked[i], 1000);
    }
    muster__view_remove(world.plane, other);
    end(leader);
}

Test(plane_pool, the_least_loaded_member_is_chosen)
{
    muster__slot *leader = begin(true, N_MEMBERS);
    muster_lease held[N_MEMBERS];

    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        held[i] = pick();
    }
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        cr_expect_eq(n_picked[i], 1);
    }
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        if (muster_lease_connection(&held[i]) == members[2]) {
            muster_lease_finish(&held[i], NULL);
        }
    }
    pick_and_finish(10);
    cr_expect_eq(n_picked[2], 11);
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        muster_lease_finish(&held[i], NULL);
    }
    end(leader);
}

Test(plane_pool, a_new_member_needs_no_new_view)
{
    muster__slot *leader = begin(false, 1);
    uint64_t generation = muster__plane_generation(world.plane);

    members[1] = world_add_member(&world, leader);
    pick_and_finish(10);
    cr_expect_eq(n_picked[0], 5);
    cr_expect_eq(n_picked[1], 5);
    cr_expect_eq(muster__plane_generation(world.plane), generation);
    end(leader);
}

Test(plane_pool, a_member_that_leaves_drains)
{
    muster__slot *leader = begin(false, N_MEMBERS);
    muster_lease held;

    do {
        held = pick();
        if (muster_lease_connection(&held) == members[1]) {
            break;
        }
        muster_lease_finish(&held, NULL);
    } while (true);
    n_picked[1] = 0;
    world_remove_member(leader, members[1]);
    pick_and_finish(300);
    cr_expect_eq(n_picked[0] + n_picked[2] + n_picked[3], 300 + 1);
    cr_expect_eq(n_picked[1], 0);
    cr_assert(world_settle(&world));
    cr_expect_eq(world.n_alive, N_MEMBERS);
    cr_expect(world_lease_is_sound(&held));
    muster_lease_finish(&held, NULL);
    cr_assert(world_settle(&world));
    cr_expect_eq(world.n_alive, N_MEMBERS - 1);
    end(leader);
}

Test(plane_pool, one_that_died_is_passed_over_at_once)
{
    muster__slot *leader = begin(false, N_MEMBERS);

    muster__slot_refuse(members[3]->slot);
    pick_and_finish(100);
    cr_expect_eq(n_picked[3], 0);
    cr_expect_eq(atomic_load(&world.self.n_given_back), 0);
    end(leader);
}

Test(plane_pool, a_pick_of_a_leader_without_members_waits)
{
    muster__slot *leader = begin(false, 1);
    muster_lease lease;

    world_remove_member(leader, members[0]);
    cr_expect_eq(world_pick(&world, &lease), MUSTER_QUEUED);
    cr_expect_gt(atomic_load(&world.self.n_given_back), 0);
    end(leader);
}

Test(plane_pool, a_leader_takes_its_members_along)
{
    muster__slot *leader = begin(false, N_MEMBERS);
    muster_lease held = pick();

    cr_assert_not_null(world_add(&world));
    muster__view_remove(world.plane, leader);
    cr_assert(world_lease_is_sound(&held));
    cr_expect_eq(world.n_alive, N_MEMBERS + 1); /* picks may still come */
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert(world_settle(&world));
    cr_expect_eq(world.n_alive, 2);
    cr_expect(world_lease_is_sound(&held));
    muster_lease_finish(&held, NULL);
    cr_assert(world_settle(&world));
    cr_expect_eq(world.n_alive, 1);
}

Test(plane_pool, members_are_refused_with_a_leader_that_left)
{
    muster__slot *leader = begin(false, 1);
    muster_lease lease;

    for (int i = 0; i < 20; i++) {
        cr_assert_not_null(world_add(&world));
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    muster__view_remove(world.plane, leader);
    {
        muster__view *view;

        cr_assert_eq(muster__view_freeze(world.plane, &view), MUSTER_OK);
        muster__plane_refuse_removed(world.plane);
        for (int i = 0; i < 100; i++) {
            cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
            cr_assert_neq(muster_lease_connection(&lease), members[0]);
            muster_lease_finish(&lease, NULL);
        }
        cr_assert_eq(world_publish_view(&world, view), MUSTER_OK);
    }
    cr_assert(world_settle(&world));
    cr_expect_eq(world.n_alive, 20);
}

Test(plane_pool, a_leader_that_never_entered_is_taken_back)
{
    muster__slot *leader;

    cr_assert(world_init(&world, &world_class));
    cr_assert_eq(muster__leader_create(world.plane, 1, 64, false, &leader),
                 MUSTER_OK);
    muster__slot_destroy(world.plane, leader);
    cr_assert(world_fini(&world));
}
