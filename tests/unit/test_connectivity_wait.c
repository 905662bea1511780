/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a channel's state, and hurrying it. */
#include "state_fixture.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>

TestSuite(connectivity_wait, .timeout = 60);

typedef struct waiter {
    const bench *bench;
    muster_connectivity state;
    muster_status status;
    atomic_bool has_ended;
    pthread_t thread;
} waiter;

static void *wait_for_state(void *arg)
{
    waiter *self = arg;

    self->status =
        muster_channel_wait_for_state(self->bench->channel, self->state, 0);
    atomic_store(&self->has_ended, true);
    return NULL;
}

static void start_waiting(waiter *self)
{
    cr_assert_eq(pthread_create(&self->thread, NULL, wait_for_state, self), 0);
}

static muster_status status_of(waiter *self)
{
    (void)pthread_join(self->thread, NULL);
    return self->status;
}

Test(connectivity_wait, comes_back_when_the_state_comes)
{
    bench b = bench_open();
    waiter self = {.bench = &b, .state = MUSTER_READY};

    start_waiting(&self);
    report(1);
    let_connect(&b);
    cr_expect_eq(status_of(&self), MUSTER_OK);
    cr_expect_eq(
        muster_channel_wait_for_state(b.channel, MUSTER_READY, in_ms(0)),
        MUSTER_OK);
    bench_close(&b);
}

Test(connectivity_wait, ends_at_its_deadline)
{
    bench b = bench_open();

    cr_expect_eq(
        muster_channel_wait_for_state(b.channel, MUSTER_READY, in_ms(10)),
        MUSTER_TIMEOUT);
    cr_expect_eq(
        muster_channel_wait_for_change(b.channel, MUSTER_CONNECTING, in_ms(10)),
        MUSTER_TIMEOUT);
    cr_expect_eq(muster_channel_wait_for_state(
                     b.channel, (muster_connectivity)17, in_ms(10)),
                 MUSTER_INVAL);
    bench_close(&b);
}

/* Once it waits, a single flap is enough, however short. */
Test(connectivity_wait, misses_no_state_that_passes)
{
    bench b = bench_open();
    waiter self = {.bench = &b, .state = MUSTER_CONNECTING};

    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    muster_testkit_transport_set_inline(b.transport, 1);
    muster_testkit_transport_set_delay(b.transport, 0);
    start_waiting(&self);
    while (!atomic_load(&self.has_ended)) {
        (void)muster_testkit_transport_disconnect(b.transport, ADDRESS);
        settle(&b);
    }
    cr_expect_eq(status_of(&self), MUSTER_OK);
    bench_close(&b);
}

Test(connectivity_wait, is_told_when_the_channel_closes)
{
    bench b = bench_open();
    waiter ready = {.bench = &b, .state = MUSTER_READY};
    waiter shutdown = {.bench = &b, .state = MUSTER_SHUTDOWN};

    start_waiting(&ready);
    start_waiting(&shutdown);
    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    cr_expect_eq(status_of(&ready), MUSTER_CLOSED);
    cr_expect_eq(status_of(&shutdown), MUSTER_OK);
    cr_expect_eq(muster_channel_wait_for_change(b.channel, MUSTER_READY, 0),
                 MUSTER_OK);
    cr_expect_eq(muster_channel_wait_for_change(b.channel, MUSTER_SHUTDOWN, 0),
                 MUSTER_CLOSED);
    bench_close(&b);
}

Test(connectivity_wait, comes_back_when_the_state_is_another)
{
    bench b = bench_open();

    report(1);
    let_connect(&b);
    cr_expect_eq(muster_channel_wait_for_change(b.channel, MUSTER_CONNECTING,
                                                in_ms(LONG_MS)),
                 MUSTER_OK);
    cr_expect_eq(muster_channel_state(b.channel), MUSTER_READY);
    bench_close(&b);
}

/* ---- hurrying ---- */

TestSuite(connectivity_hurry, .timeout = 60);

static json_int_t backoff_left_ms(const bench *b)
{
    char *text = NULL;

    cr_assert_eq(muster_channel_dump_json(b->channel, &text), MUSTER_OK);
    json_t *json = json_loads(text, 0, NULL);
    json_int_t left_ms = json_integer_value(
        json_object_get(json_array_get(json_object_get(json, "endpoints"), 0),
                        "backoff_left_ms"));
    json_decref(json);
    free(text);
    return left_ms;
}

static void fail_once(const bench *b)
{
    let_fail(b, "refused");
    await_state(b, MUSTER_TRANSIENT_FAILURE);
    while (backoff_left_ms(b) == 0) {
    }
}

Test(connectivity_hurry, connects_at_once_when_backoff_is_reset)
{
    bench b = bench_open();
    recorder self = RECORDER;

    report(1);
    fail_once(&b);
    watch_flags(&self, &b, MUSTER_STATE_SUBCHANNEL);
    muster_channel_reset_backoff(b.channel);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    settle(&b);
    expect_told(&self, 4,
                ADDRESS
                " TRANSIENT_FAILURE>TRANSIENT_FAILURE refused\n" ADDRESS
                " TRANSIENT_FAILURE>IDLE its backoff was reset\n" ADDRESS
                " IDLE>CONNECTING\n" ADDRESS " CONNECTING>READY\n");
    muster_state_watcher_destroy(self.watcher);
    bench_close(&b);
}

Test(connectivity_hurry, begins_backoff_anew_when_it_is_reset)
{
    bench b = bench_open();

    report(1);
    for (int i = 0; i < 5; i++) { /* the fifth would be 390 s */
        fail_once(&b);
        muster_channel_reset_backoff(b.channel);
    }
    fail_once(&b);
    cr_expect_leq(backoff_left_ms(&b), 72000);
    bench_close(&b);
}

Test(connectivity_hurry, leaves_backoff_alone_when_it_only_connects)
{
    bench b = bench_open();

    report(1);
    fail_once(&b);
    muster_channel_connect(b.channel);
    settle(&b);
    cr_expect_gt(backoff_left_ms(&b), 0);
    cr_expect_eq(muster_channel_state(b.channel), MUSTER_TRANSIENT_FAILURE);
    bench_close(&b);
}

Test(connectivity_hurry, asks_a_resolver_that_failed_at_once)
{
    const muster_channel_options options = {.resolver_initial_backoff_ms =
                                                60000};
    bench b = bench_open_with(&options);

    script_fail(TARGET, MUSTER_UNAVAILABLE, "the source is away");
    await_state(&b, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(script_refreshes(TARGET), 0);
    muster_channel_reset_backoff(b.channel);
    while (script_refreshes(TARGET) == 0) {
        settle(&b);
    }
    bench_close(&b);
}

Test(connectivity_hurry, may_be_asked_of_a_closed_channel)
{
    bench b = bench_open();

    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    muster_channel_connect(b.channel);
    muster_channel_reset_backoff(b.channel);
    bench_close(&b);
}

/* Behaviour rule 6: it failed once, but has been READY since. */
Test(connectivity_hurry, is_connecting_after_a_loss_although_it_once_failed)
{
    bench b = bench_open();

    report(1);
    fail_once(&b);
    muster_channel_reset_backoff(b.channel);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    (void)muster_testkit_transport_disconnect(b.transport, ADDRESS);
    cr_expect_eq(
        muster_channel_wait_for_change(b.channel, MUSTER_READY, in_ms(LONG_MS)),
        MUSTER_OK);
    cr_expect_eq(muster_channel_state(b.channel), MUSTER_CONNECTING);
    bench_close(&b);
}
