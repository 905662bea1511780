/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy hears of the end of a call, and what it hears. */
#include <criterion/criterion.h>

#include "plane_world.h"

enum { STATE_SIZE = 32, N_PER_CHUNK = 512 };

static plane_world world;
static char first_chunk[N_PER_CHUNK * STATE_SIZE];
static char second_chunk[N_PER_CHUNK * STATE_SIZE];
static char *state_chunks[] = {first_chunk, second_chunk};

static muster_lease begin(const muster_balancer_class *class_,
                          uint64_t first_number)
{
    muster_lease lease;

    cr_assert(world_init(&world, class_));
    world.next_number = first_number;
    world.policy.state_chunks = state_chunks;
    world.policy.n_state_chunks = 2;
    world.policy.state_size = STATE_SIZE;
    cr_assert_not_null(world_add(&world));
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
    return lease;
}

Test(plane_done, tells_the_policy_how_the_call_ended)
{
    muster_outcome outcome = {.struct_size = sizeof outcome, .status = 5};
    muster_lease lease = begin(&world_done_class, 3);
    uint64_t id = muster_lease_id(&lease);

    muster_lease_finish(&lease, &outcome);
    cr_assert_eq(world.self.n_done, 1);
    cr_assert_eq(world.self.last_status, 5);
    cr_assert_eq(world.self.last_id, id);
    cr_assert_eq(world.self.last_state, first_chunk + 3 * STATE_SIZE);
}

Test(plane_done, takes_no_outcome_as_success)
{
    muster_lease lease = begin(&world_done_class, 0);

    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.n_done, 1);
    cr_assert_eq(world.self.last_status, 0);
}

Test(plane_done, finds_the_state_in_a_later_chunk)
{
    muster_lease lease = begin(&world_done_class, N_PER_CHUNK + 7);

    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.last_state, second_chunk + 7 * STATE_SIZE);
}

Test(plane_done, has_no_state_for_a_number_beyond_the_directory)
{
    muster_lease lease = begin(&world_done_class, 2 * N_PER_CHUNK);

    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.n_done, 1);
    cr_assert_null(world.self.last_state);
}

Test(plane_done, says_nothing_to_a_policy_that_came_later)
{
    muster_lease lease = begin(&world_done_class, 0);

    world.policy.number++;
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.n_done, 0);
}

Test(plane_done, tells_the_same_policy_after_another_publication)
{
    muster_lease lease = begin(&world_done_class, 0);

    cr_assert_eq(world_publish(&world), MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.n_done, 1);
}

Test(plane_done, costs_nothing_without_a_done)
{
    muster_lease lease = begin(&world_class, 0);

    cr_assert_eq(lease.data_, 0);
    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.n_done, 0);
}

Test(plane_done, tells_of_picks_given_back)
{
    world_connection *connections[16];
    muster_lease lease;
    muster__view *view;

    cr_assert(world_init(&world, &world_done_class));
    for (int i = 0; i < 16; i++) {
        connections[i] = world_add(&world);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    world_remove(connections[3]);
    cr_assert_eq(muster__view_freeze(world.plane, &view), MUSTER_OK);
    muster__plane_refuse_removed(world.plane);
    world.self.is_fixed = true;
    world.self.result.index = 3;
    cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
    cr_assert_neq(muster_lease_id(&lease), connections[3]->id);
    /* Each of its picks ended, and none that was not its own. */
    cr_assert_eq(world.self.n_given_back, world.self.last_repick + 1);
    cr_assert_eq(world.self.last_id, connections[3]->id);
    muster_lease_finish(&lease, NULL);
    cr_assert_eq(world.self.n_done, world.self.n_given_back);
    muster__view_discard(world.plane, view);
}

/* Of one endpoint that counts its calls and one that is gone: in the end no
 * count is left, and none is negative. */
Test(plane_done, balances_what_a_policy_counts)
{
    world_connection *connections[2];
    muster__view *view;

    cr_assert(world_init(&world, &world_done_class));
    for (int i = 0; i < 2; i++) {
        connections[i] = world_add(&world);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    world_remove(connections[0]);
    cr_assert_eq(muster__view_freeze(world.plane, &view), MUSTER_OK);
    muster__slot_refuse(connections[0]->slot);
    world.self.is_fixed = true;
    for (unsigned i = 0; i < 100; i++) {
        muster_lease lease;
        uint32_t n_before = world.self.n_done;

        world.self.result.index = i % 2;
        cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
        muster_lease_finish(&lease, NULL);
        cr_assert_eq(world.self.n_done - n_before, world.self.last_repick + 1);
        cr_assert_eq(world.self.last_id, connections[i % 2]->id);
    }
    muster__view_discard(world.plane, view);
}
