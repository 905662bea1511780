/* SPDX-License-Identifier: Apache-2.0 */
/* Picks that wait while the control thread asks the policy for one of them. */
#include <loop.h>
#include <pthread.h>

#include "rules_fixture.h"

typedef struct waiter {
    const bench *bench;
    uint64_t deadline_ns;
    pthread_t thread;
    atomic_int status; /* -1: it waits */
} waiter;

static void *wait_for_pick(void *arg)
{
    waiter *self = arg;
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = self->deadline_ns};
    muster_lease lease = {0};
    muster_status status =
        muster_channel_pick_wait(self->bench->channel, &call, &lease, NULL);

    muster_lease_finish(&lease, NULL);
    atomic_store(&self->status, (int)status);
    return NULL;
}

/* Returns when it waits, as the nth. */
static void waiter_start(waiter *self, const bench *b, uint64_t deadline_ns,
                         uint32_t n)
{
    self->bench = b;
    self->deadline_ns = deadline_ns;
    atomic_store(&self->status, -1);
    cr_assert_eq(pthread_create(&self->thread, NULL, wait_for_pick, self), 0);
    AWAIT(stats_of(b).picks_parked >= n);
}

static muster_status waiter_end(waiter *self)
{
    (void)pthread_join(self->thread, NULL);
    return (muster_status)atomic_load(&self->status);
}

static bench open_queuing(void)
{
    bench b = bench_open("queuing", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    atomic_store(&drill.queues, true);
    return b;
}

static void republish(void *arg)
{
    (void)arg;
    drill.env->host->republish(drill.env->ctx);
}

/* The policy hangs in the first of the picks that wait. */
static void hang(void)
{
    atomic_store(&drill.hangs_in_pick, true);
    cr_assert_eq(muster__loop_call(republish, NULL, MUSTER_FOREVER), MUSTER_OK);
    sem_wait(&drill.is_picking);
}

static void go_on(void)
{
    atomic_store(&drill.queues, false);
    sem_post(&drill.may_pick);
}

Test(channel_parked, times_out_while_the_policy_is_asked_for_another)
{
    bench b = open_queuing();
    waiter first;
    waiter hasty;
    waiter last;

    waiter_start(&first, &b, 0, 1);
    waiter_start(&hasty, &b, in_ms(200), 2);
    waiter_start(&last, &b, 0, 3);
    hang();
    AWAIT(atomic_load(&hasty.status) == (int)MUSTER_TIMEOUT);
    cr_assert_eq(atomic_load(&first.status), -1);
    go_on();
    cr_assert_eq(waiter_end(&hasty), MUSTER_TIMEOUT);
    cr_assert_eq(waiter_end(&first), MUSTER_OK);
    cr_assert_eq(waiter_end(&last), MUSTER_OK);
    bench_close(&b);
}

static void pick_after(const bench *b, uint64_t not_before_ns,
                       atomic_int *answer)
{
    atomic_store(answer, -1);
    cr_assert_eq(muster_channel_pick_after(b->channel, NULL, not_before_ns,
                                           keep_answer, answer, NULL),
                 MUSTER_OK);
    (void)stats_of(b);
}

/* Nothing is published for seconds after that, and the timer is set for
 * another. */
Test(channel_parked, is_asked_for_when_its_time_came_meanwhile)
{
    const uint64_t not_before_ns = in_ms(200);
    bench b = open_queuing();
    waiter first;
    atomic_int soon;
    atomic_int late;

    waiter_start(&first, &b, 0, 1);
    pick_after(&b, not_before_ns, &soon);
    pick_after(&b, in_ms(600000), &late);
    hang();
    AWAIT(in_ms(0) > not_before_ns);
    go_on();
    AWAIT(atomic_load(&soon) == (int)MUSTER_OK);
    cr_assert_lt(in_ms(0), not_before_ns + LONG_MS / 2 * 1000000ull);
    cr_assert_eq(waiter_end(&first), MUSTER_OK);
    bench_close(&b);
}

Test(channel_parked, is_cancelled_while_the_policy_is_asked_for_another)
{
    bench b = open_queuing();
    waiter first;
    atomic_int answer = -1;
    uint64_t pick = 0;

    waiter_start(&first, &b, 0, 1);
    cr_assert_eq(
        muster_channel_pick_async(b.channel, NULL, keep_answer, &answer, &pick),
        MUSTER_OK);
    (void)stats_of(&b);
    hang();
    cr_assert_eq(muster_channel_pick_cancel(b.channel, pick), MUSTER_OK);
    go_on();
    AWAIT(atomic_load(&answer) == (int)MUSTER_CANCELLED);
    cr_assert_eq(waiter_end(&first), MUSTER_OK);
    bench_close(&b);
}
