/* SPDX-License-Identifier: Apache-2.0 */
/* Picks for calls that were on some endpoints before. */
#include <criterion/criterion.h>

#include "plane_world.h"

enum { N = 4, N_MAX = 8 };

static plane_world world;
static world_connection *connections[N_MAX];

static void begin(const muster_balancer_class *class_, int n)
{
    cr_assert(world_init(&world, class_));
    for (int i = 0; i < n; i++) {
        connections[i] = world_add(&world);
    }
    cr_assert_eq(world_publish(&world), MUSTER_OK);
}

/* The policy answers this one again and again. */
static void insist_on(uint32_t index)
{
    world.self.is_fixed = true;
    world.self.result.index = index;
}

/* The endpoint of a pick after tried ones. */
static uint64_t pick_after(const uint64_t *tried, uint32_t n_tried)
{
    const muster_call_info call = {
        .struct_size = sizeof call, .tried = tried, .n_tried = n_tried};
    muster_lease lease = {0};
    uint64_t id;

    cr_assert_eq(muster__plane_pick(world.plane, &call, &lease, NULL),
                 MUSTER_OK);
    id = muster_lease_id(&lease);
    muster_lease_finish(&lease, NULL);
    return id;
}

static bool is_in(uint64_t id, const uint64_t *ids, uint32_t n)
{
    bool is = false;

    for (uint32_t i = 0; i < n; i++) {
        is |= ids[i] == id;
    }
    return is;
}

Test(pick_elsewhere, asks_a_policy_that_goes_round_again)
{
    uint64_t tried[N];

    begin(&world_class, N);
    for (int i = 0; i < 3; i++) {
        tried[i] = connections[i]->id;
    }
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(pick_after(tried, 3), connections[3]->id);
    }
}

Test(pick_elsewhere, overrules_a_policy_that_insists)
{
    uint64_t tried[N];
    uint32_t n_tried = 0;

    begin(&world_done_class, N);
    insist_on(2);
    for (; n_tried < N; n_tried++) {
        const uint64_t id = pick_after(tried, n_tried);

        cr_expect_not(is_in(id, tried, n_tried));
        tried[n_tried] = id;
    }
}

Test(pick_elsewhere, does_not_repeat_the_last_when_all_were_tried)
{
    uint64_t tried[N];

    begin(&world_done_class, N);
    for (int i = 0; i < N; i++) {
        tried[i] = connections[i]->id;
    }
    for (uint32_t i = 0; i < N; i++) {
        insist_on(i);
        cr_expect_neq(pick_after(tried, N), tried[N - 1]);
    }
}

Test(pick_elsewhere, leaves_it_to_the_policy_when_all_were_tried)
{
    uint64_t tried[N];

    begin(&world_done_class, N);
    for (int i = 0; i < N; i++) {
        tried[i] = connections[i]->id;
    }
    for (uint32_t i = 0; i < N; i++) {
        uint64_t own;

        insist_on(i); /* the view's order is its own */
        own = pick_after(NULL, 0);
        cr_expect(own == tried[N - 1] || pick_after(tried, N) == own);
    }
}

Test(pick_elsewhere, takes_the_only_endpoint_again)
{
    begin(&world_class, 1);
    cr_expect_eq(pick_after(&connections[0]->id, 1), connections[0]->id);
}

Test(pick_elsewhere, ignores_endpoints_that_are_gone)
{
    static const uint64_t gone[] = {UINT64_C(0xffff00000001)};

    begin(&world_done_class, 2);
    insist_on(1);
    cr_expect_eq(pick_after(gone, 1), connections[1]->id);
}

Test(pick_elsewhere, prefers_one_tried_to_one_that_is_lost)
{
    uint64_t ids[2];

    begin(&world_done_class, 3);
    ids[0] = connections[0]->id;
    ids[1] = connections[1]->id;
    muster__slot_refuse(connections[2]->slot);
    insist_on(1);
    cr_expect_eq(pick_after(ids, 2), ids[0]);
}

/* The policy goes on to answer one of those. */
Test(pick_elsewhere, finds_one_not_tried_among_many_that_are_lost)
{
    begin(&world_done_class, N_MAX);
    for (uint32_t i = 2; i < N_MAX; i++) {
        muster__slot_refuse(connections[i]->slot);
    }
    for (uint32_t i = 2; i < N_MAX; i++) {
        insist_on(i);
        cr_expect_eq(pick_after(&connections[0]->id, 1), connections[1]->id);
    }
}

/* One done() for each pick that answered an index, and the last is the
 * call's. */
Test(pick_elsewhere, balances_what_a_policy_counts)
{
    begin(&world_done_class, N);
    (void)pick_after(&connections[0]->id, 1);
    cr_expect_eq(world.self.n_done, world.self.last_repick + 1);
    insist_on(0);
    world.self.n_done = 0;
    (void)pick_after(&connections[0]->id, 1);
    cr_expect_eq(world.self.n_done, world.self.last_repick + 1);
}
