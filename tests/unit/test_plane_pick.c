/* SPDX-License-Identifier: Apache-2.0 */
/* What a pick answers: by the policy's verdict, and by the channel's state. */
#include <criterion/criterion.h>

#include "plane_world.h"

static plane_world world;
static const muster_call_info waits = {.struct_size = sizeof waits,
                                       .flags = MUSTER_CALL_WAIT_FOR_READY};

static void begin(const muster_balancer_class *class_, int n_endpoints)
{
    cr_assert(world_init(&world, class_));
    for (int i = 0; i < n_endpoints; i++) {
        cr_assert_not_null(world_add(&world));
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
}

static muster_status pick(const muster_call_info *call, muster_lease *ret_lease,
                          muster_error *err)
{
    return muster__plane_pick(world.plane, call, ret_lease, err);
}

Test(plane_pick, queues_when_nothing_is_published)
{
    muster_lease lease = {0};
    muster_error err;
    uint64_t generation;

    cr_assert(world_init(&world, &world_class));
    cr_assert_eq(
        muster__plane_pick_noting(world.plane, NULL, &lease, &generation, &err),
        MUSTER_QUEUED);
    cr_assert_eq(err.code, MUSTER_QUEUED);
    cr_assert_null(lease.slot_);
    cr_assert_eq(generation, muster__plane_generation(world.plane));
    cr_assert(world_fini(&world));
}

Test(plane_pick, leases_what_was_made)
{
    world_connection *connection;
    muster_lease lease;

    cr_assert(world_init(&world, &world_class));
    connection = world_add(&world);
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    cr_assert_eq(world_pick(&world, &lease), MUSTER_OK);
    cr_assert_eq(muster_lease_connection(&lease), connection);
    cr_assert_eq(muster_lease_endpoint(&lease), &connection->endpoint);
    cr_assert_eq(muster_lease_id(&lease), connection->id);
    muster_lease_finish(&lease, NULL);
    cr_assert_null(lease.slot_);
    world_remove(connection);
    cr_assert(world_fini(&world));
}

Test(plane_pick, ignores_a_lease_of_all_zero)
{
    muster_lease lease = {0};

    muster_lease_finish(&lease, NULL);
    cr_assert_null(muster_lease_endpoint(&lease));
    cr_assert_null(muster_lease_connection(&lease));
    cr_assert_eq(muster_lease_id(&lease), 0);
}

Test(plane_pick, reaches_every_endpoint_of_many_chunks)
{
    enum { N = 1500 };
    static muster_lease leases[N];

    begin(&world_class, N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(world_pick(&world, &leases[i]), MUSTER_OK);
        cr_assert(world_lease_is_sound(&leases[i]));
    }
    for (int i = 0; i < N; i++) {
        muster__slot *slot = leases[i].slot_;

        cr_assert_eq(muster__slot_in_flight(slot), 1);
    }
}

/* ---- no endpoint is READY ---- */

Test(plane_pick, fails_fast_with_the_reason_in_transient_failure)
{
    muster_lease lease;
    muster_error err;

    begin(&world_class, 0);
    cr_assert_eq(world_publish_state(&world, MUSTER_TRANSIENT_FAILURE,
                                     "10.0.0.1:1: refused"),
                 MUSTER_OK);
    cr_assert_eq(pick(NULL, &lease, &err), MUSTER_UNAVAILABLE);
    cr_assert_str_eq(err.message, "10.0.0.1:1: refused");
    cr_assert(world_fini(&world));
}

Test(plane_pick, queues_wait_for_ready_in_transient_failure)
{
    muster_lease lease;

    begin(&world_class, 0);
    cr_assert_eq(
        world_publish_state(&world, MUSTER_TRANSIENT_FAILURE, "refused"),
        MUSTER_OK);
    cr_assert_eq(pick(&waits, &lease, NULL), MUSTER_QUEUED);
    cr_assert(world_fini(&world));
}

Test(plane_pick, is_closed_in_shutdown_even_with_endpoints)
{
    muster_lease lease;

    begin(&world_class, 3);
    cr_assert_eq(world_publish_state(&world, MUSTER_SHUTDOWN, NULL), MUSTER_OK);
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_CLOSED);
    cr_assert_eq(pick(&waits, &lease, NULL), MUSTER_CLOSED);
}

Test(plane_pick, is_closed_in_shutdown_for_policies_that_pick_when_empty)
{
    muster_lease lease;

    begin(&world_empty_class, 0);
    cr_assert_eq(world_publish_state(&world, MUSTER_SHUTDOWN, NULL), MUSTER_OK);
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_CLOSED);
}

Test(plane_pick, does_not_ask_a_policy_when_nothing_is_ready)
{
    muster_lease lease;

    begin(&world_done_class, 0);
    world.self.verdict = MUSTER_PICK_FAIL;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
}

Test(plane_pick, asks_a_policy_that_picks_when_empty)
{
    muster_lease lease;

    begin(&world_empty_class, 0);
    world.self.verdict = MUSTER_PICK_CONNECT;
    world.self.result.id = 42;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
    cr_assert_eq(world.connect_id, 42);
}

Test(plane_pick, answers_by_state_when_such_a_policy_says_queue)
{
    muster_lease lease;
    muster_error err;

    begin(&world_empty_class, 0);
    world.self.verdict = MUSTER_PICK_QUEUE;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
    cr_assert_eq(
        world_publish_state(&world, MUSTER_TRANSIENT_FAILURE, "refused"),
        MUSTER_OK);
    cr_assert_eq(pick(&waits, &lease, NULL), MUSTER_QUEUED);
    cr_assert_eq(pick(NULL, &lease, &err), MUSTER_UNAVAILABLE);
    cr_assert_str_eq(err.message, "refused");
}

Test(plane_pick, queues_an_index_into_an_empty_view)
{
    muster_lease lease;

    begin(&world_empty_class, 0);
    world.self.is_fixed = true;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
}

Test(plane_pick, queues_while_there_is_no_policy)
{
    muster__publication publication = {.state = MUSTER_READY};
    muster_lease lease;

    cr_assert(world_init(&world, &world_class));
    cr_assert_not_null(world_add(&world));
    cr_assert_eq(muster__view_freeze(world.plane, &publication.view),
                 MUSTER_OK);
    cr_assert_eq(muster__plane_publish(world.plane, &publication), MUSTER_OK);
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
}

/* ---- verdicts ---- */

Test(plane_pick, queues_when_the_policy_says_so)
{
    muster_lease lease;

    begin(&world_done_class, 3);
    world.self.verdict = MUSTER_PICK_QUEUE;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
}

Test(plane_pick, connects_and_queues_when_the_policy_says_so)
{
    muster_lease lease;

    begin(&world_done_class, 3);
    world.self.verdict = MUSTER_PICK_CONNECT;
    world.self.result.id = 99;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
    cr_assert_eq(world.connect_id, 99);
}

Test(plane_pick, fails_wait_for_ready_too_when_the_policy_says_so)
{
    muster_lease lease;
    muster_error err;

    begin(&world_done_class, 3);
    world.self.verdict = MUSTER_PICK_FAIL;
    world.self.result.message = "over quota";
    cr_assert_eq(pick(&waits, &lease, &err), MUSTER_UNAVAILABLE);
    cr_assert_str_eq(err.message, "over quota");
}

Test(plane_pick, fails_without_a_message)
{
    muster_lease lease;
    muster_error err;

    begin(&world_done_class, 3);
    world.self.verdict = MUSTER_PICK_FAIL;
    cr_assert_eq(pick(NULL, &lease, &err), MUSTER_UNAVAILABLE);
    cr_assert_neq(err.message[0], '\0');
}

Test(plane_pick, queues_on_a_verdict_that_there_is_not)
{
    muster_lease lease;

    begin(&world_done_class, 3);
    world.self.verdict = (muster_verdict)77;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_QUEUED);
}

Test(plane_pick, takes_an_index_out_of_range_modulo)
{
    muster_lease lease;

    begin(&world_done_class, 3);
    world.self.is_fixed = true;
    world.self.result.index = UINT32_MAX;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_OK);
    cr_assert(world_lease_is_sound(&lease));
}

/* ---- slots that are gone ---- */

Test(plane_pick, leaves_a_slot_that_is_refused)
{
    world_connection *connections[16];
    muster__view *view;

    cr_assert(world_init(&world, &world_done_class));
    for (int i = 0; i < 16; i++) {
        connections[i] = world_add(&world);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    world_remove(connections[5]);
    cr_assert_eq(muster__view_freeze(world.plane, &view), MUSTER_OK);
    muster__plane_refuse_removed(world.plane);

    world.self.is_fixed = true;
    world.self.result.index = 5;
    for (int i = 0; i < 100; i++) {
        muster_lease lease;

        cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_OK);
        cr_assert_neq(muster_lease_connection(&lease), connections[5]);
        muster_lease_finish(&lease, NULL);
    }
    cr_assert_gt(world.self.last_repick, 0);
    muster__view_discard(world.plane, view);
}

Test(plane_pick, counts_no_call_on_a_slot_that_is_refused)
{
    world_connection *connections[16];
    muster__plane_stats stats;
    muster_lease lease;
    muster__view *view;

    cr_assert(world_init(&world, &world_done_class));
    for (int i = 0; i < 16; i++) {
        connections[i] = world_add(&world);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
    world_remove(connections[5]);
    cr_assert_eq(muster__view_freeze(world.plane, &view), MUSTER_OK);
    muster__plane_refuse_removed(world.plane);
    world.self.is_fixed = true;
    world.self.result.index = 5;
    cr_assert_eq(pick(NULL, &lease, NULL), MUSTER_OK);

    cr_assert_eq(muster__slot_in_flight(connections[5]->slot), 0);
    muster__plane_stats_get(world.plane, &stats);
    cr_assert_eq(stats.in_flight, 1);
    cr_assert_gt(stats.picks_given_back, 0);
    muster__view_discard(world.plane, view);
}
