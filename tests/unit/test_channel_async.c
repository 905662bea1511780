/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous picks of a channel over the transport "none". */
#include "channel_fixture.h"

#include <pthread.h>

typedef struct answer {
    pthread_mutex_t lock;
    pthread_cond_t came;
    unsigned n;
    muster_status status;
    muster_channel *closes;
} answer;

#define ANSWER_INIT                                                            \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER    \
    }

static void take_answer(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    answer *a = arg;

    (void)err;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    if (a->closes != NULL) {
        muster_channel_destroy(a->closes);
    }
    pthread_mutex_lock(&a->lock);
    a->n++;
    a->status = status;
    pthread_cond_signal(&a->came);
    pthread_mutex_unlock(&a->lock);
}

static muster_status await_answer(answer *a)
{
    pthread_mutex_lock(&a->lock);
    while (a->n == 0) {
        pthread_cond_wait(&a->came, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return a->status;
}

Test(channel, answers_an_asynchronous_pick)
{
    muster_channel *channel = open_channel("script:///async", NULL);
    answer a = ANSWER_INIT;

    cr_assert_eq(
        muster_channel_pick_async(channel, NULL, take_answer, &a, NULL),
        MUSTER_OK);
    script_report_addresses("async", abc, 1);
    cr_assert_eq(await_answer(&a), MUSTER_OK);
    muster_channel_destroy(channel);
}

Test(channel, cancels_an_asynchronous_pick)
{
    muster_channel *channel = open_channel("script:///cancel", NULL);
    answer a = ANSWER_INIT;
    uint64_t pick = 0;

    (void)muster_channel_pick_async(channel, NULL, take_answer, &a, &pick);
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick_cancel(channel, pick), MUSTER_OK);
    cr_assert_eq(await_answer(&a), MUSTER_CANCELLED);
    cr_assert_eq(muster_channel_pick_cancel(channel, pick), MUSTER_NOTFOUND);
    muster_channel_destroy(channel);
}

Test(channel, times_out_an_asynchronous_pick)
{
    muster_channel *channel = open_channel("script:///async-late", NULL);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(20)};
    answer a = ANSWER_INIT;

    (void)muster_channel_pick_async(channel, &call, take_answer, &a, NULL);
    cr_assert_eq(await_answer(&a), MUSTER_TIMEOUT);
    muster_channel_destroy(channel);
}

Test(channel, ends_waiting_picks_when_it_closes)
{
    muster_channel *channel = open_channel("script:///ends", NULL);
    answer a = ANSWER_INIT;

    (void)muster_channel_pick_async(channel, NULL, take_answer, &a, NULL);
    cr_assert_eq(muster_channel_close(channel), MUSTER_OK);
    cr_assert_eq(await_answer(&a), MUSTER_CLOSED);
    cr_assert_eq(muster_channel_close(channel), MUSTER_OK);
    cr_assert_eq(
        muster_channel_pick_async(channel, NULL, take_answer, &a, NULL),
        MUSTER_CLOSED);
    cr_assert_eq(muster_channel_state(channel), MUSTER_SHUTDOWN);
    muster_channel_destroy(channel);
}

Test(channel, closes_from_inside_a_callback)
{
    muster_channel *channel = open_channel("script:///inside", NULL);
    answer a = ANSWER_INIT;

    a.closes = channel;
    (void)muster_channel_pick_async(channel, NULL, take_answer, &a, NULL);
    script_report_addresses("inside", abc, 3);
    cr_assert_eq(await_answer(&a), MUSTER_OK);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}

Test(channel, refuses_more_picks_than_may_wait)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .max_parked = 1};
    muster_channel *channel = open_channel("script:///full", &options);
    muster_lease lease = {0};
    answer a = ANSWER_INIT;

    (void)muster_channel_pick_async(channel, NULL, take_answer, &a, NULL);
    cr_assert_eq(muster_channel_pick_wait(channel, NULL, &lease, NULL),
                 MUSTER_EXHAUSTED);
    cr_assert_eq(stats_of(channel).picks_exhausted, 1);
    muster_channel_destroy(channel);
    cr_assert_eq(await_answer(&a), MUSTER_CLOSED);
}
