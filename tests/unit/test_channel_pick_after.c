/* SPDX-License-Identifier: Apache-2.0 */
/* Picks that wait for their time, over the transport "none". */
#include "channel_fixture.h"

#include <pthread.h>

typedef struct answer {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool has_come;
    muster_status status;
    muster_error err;
} answer;

#define ANSWER_INIT                                                            \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER    \
    }

static const uint64_t FAR_MS = 3600000;

static void take_answer(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    answer *a = arg;

    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    pthread_mutex_lock(&a->lock);
    a->has_come = true;
    a->status = status;
    if (status != MUSTER_OK) {
        a->err = *err;
    }
    pthread_cond_signal(&a->came);
    pthread_mutex_unlock(&a->lock);
}

static muster_status await_answer(answer *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->has_come) {
        pthread_cond_wait(&a->came, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return a->status;
}

static muster_channel *open_ready(const char *target, const char *name)
{
    muster_channel *channel = open_channel(target, NULL);

    script_report_addresses(name, abc, 3);
    while (stats_of(channel).ready < 3) {
        /* Answers come from the control thread. */
    }
    return channel;
}

Test(channel_pick_after, waits_for_its_time)
{
    muster_channel *channel = open_ready("script:///after", "after");
    answer a = ANSWER_INIT;
    const uint64_t not_before_ns = in_ms(50);

    cr_assert_eq(muster_channel_pick_after(channel, NULL, not_before_ns,
                                           take_answer, &a, NULL),
                 MUSTER_OK);
    cr_assert_eq(await_answer(&a), MUSTER_OK);
    cr_expect_geq(in_ms(0), not_before_ns);
    muster_channel_destroy(channel);
}

Test(channel_pick_after, is_no_later_when_its_time_has_come)
{
    muster_channel *channel = open_ready("script:///now", "now");
    answer a = ANSWER_INIT;

    cr_assert_eq(muster_channel_pick_after(channel, NULL, in_ms(0), take_answer,
                                           &a, NULL),
                 MUSTER_OK);
    cr_assert_eq(await_answer(&a), MUSTER_OK);
    muster_channel_destroy(channel);
}

/* A new list serves what waits, but for this. */
Test(channel_pick_after, is_not_served_early)
{
    muster_channel *channel = open_ready("script:///early", "early");
    answer late = ANSWER_INIT;
    answer soon = ANSWER_INIT;

    (void)muster_channel_pick_after(channel, NULL, in_ms(FAR_MS), take_answer,
                                    &late, NULL);
    (void)muster_channel_pick_after(channel, NULL, in_ms(20), take_answer,
                                    &soon, NULL);
    script_report_addresses("early", abc, 2);
    cr_assert_eq(await_answer(&soon), MUSTER_OK);
    cr_expect_eq(stats_of(channel).parked, 1);
    cr_expect_not(late.has_come);
    cr_assert_eq(muster_channel_close(channel), MUSTER_OK);
    cr_assert_eq(await_answer(&late), MUSTER_CLOSED);
    muster_channel_destroy(channel);
}

Test(channel_pick_after, is_cancelled)
{
    muster_channel *channel = open_ready("script:///cancelled", "cancelled");
    answer a = ANSWER_INIT;
    uint64_t pick = 0;

    (void)muster_channel_pick_after(channel, NULL, in_ms(FAR_MS), take_answer,
                                    &a, &pick);
    cr_assert_eq(muster_channel_pick_cancel(channel, pick), MUSTER_OK);
    cr_assert_eq(await_answer(&a), MUSTER_CANCELLED);
    muster_channel_destroy(channel);
}

Test(channel_pick_after, ends_at_its_deadline)
{
    muster_channel *channel = open_ready("script:///deadline", "deadline");
    const muster_call_info call = {.struct_size = sizeof call,
                                   .deadline_ns = in_ms(20)};
    answer a = ANSWER_INIT;

    (void)muster_channel_pick_after(channel, &call, in_ms(FAR_MS), take_answer,
                                    &a, NULL);
    cr_assert_eq(await_answer(&a), MUSTER_TIMEOUT);
    cr_expect_geq(in_ms(0), call.deadline_ns);
    cr_expect_not_null(strstr(a.err.message, "before the next attempt"), "%s",
                       a.err.message);
    muster_channel_destroy(channel);
}
