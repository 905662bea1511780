/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that nobody uses becomes IDLE, and begins anew: over the fake
 * transport, with hours that pass in a blink. */
#include "state_fixture.h"

#include <sched.h>
#include <semaphore.h>

#include "timing.h"

enum { HOUR_MS = 3600000, DIVISOR = 18000, SCALED_MS = HOUR_MS / DIVISOR };

TestSuite(idle, .timeout = 60);

static bench bench_open_idling(void)
{
    const muster_channel_options options = {.idle_timeout_ms = HOUR_MS,
                                            .initial_backoff_ms = 60000};
    bench b;

    muster__timing_scale_waits_for_test(DIVISOR);
    b = bench_open_with(&options);
    muster_testkit_transport_set_delay(b.transport, 0);
    return b;
}

static muster_call_info patient_call(void)
{
    return (muster_call_info){.struct_size = sizeof(muster_call_info),
                              .flags = MUSTER_CALL_WAIT_FOR_READY,
                              .deadline_ns = in_ms(LONG_MS)};
}

static void pick(const bench *b, muster_lease *ret_lease)
{
    muster_call_info call = patient_call();
    muster_error err;

    cr_assert_eq(muster_channel_pick_wait(b->channel, &call, ret_lease, &err),
                 MUSTER_OK, "%s", err.message);
}

/* ---- awake, however busy the machine is ---- */

/* A call that waits for the list, and then is in flight. */
typedef struct keeper {
    muster_lease lease;
    sem_t is_served;
} keeper;

static void on_served(void *arg, muster_status status, muster_lease *lease,
                      const muster_error *err)
{
    keeper *self = arg;

    (void)err;
    cr_assert_eq(status, MUSTER_OK);
    self->lease = *lease;
    sem_post(&self->is_served);
}

static void keep_awake(keeper *self, const bench *b)
{
    const muster_call_info call = patient_call();

    self->lease = (muster_lease){0};
    sem_init(&self->is_served, 0, 0);
    cr_assert_eq(
        muster_channel_pick_async(b->channel, &call, on_served, self, NULL),
        MUSTER_OK);
    settle(b); /* had it just become IDLE, its resolver has stopped: */
    settle(b); /* what is reported now goes to the next one */
}

static muster_lease lease_of(keeper *self)
{
    while (sem_wait(&self->is_served) != 0) {
    }
    return self->lease;
}

/* READY, with a list of n; until the lease is finished it cannot be IDLE. */
static muster_lease report_awake(const bench *b, size_t n)
{
    keeper self;

    keep_awake(&self, b);
    report(n);
    return lease_of(&self);
}

static int all_are_destroyed(void *arg,
                             const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->created > 0 && counts->destroyed == counts->created;
}

static void await_no_connection(const bench *b)
{
    cr_assert_eq(muster_testkit_transport_await(
                     b->transport, NULL, all_are_destroyed, NULL, LONG_MS),
                 MUSTER_OK);
}

static void await_no_resolver(void)
{
    while (script_instances(TARGET) != 0) {
        (void)sched_yield();
    }
}

Test(idle, gives_resolver_and_connections_up)
{
    bench b = bench_open_idling();
    muster_lease lease = report_awake(&b, 2);

    muster_lease_finish(&lease, NULL);
    await_state(&b, MUSTER_IDLE);
    await_no_connection(&b);
    await_no_resolver();
    bench_close(&b);
}

/* They are its resolver's. */
Test(idle, has_no_counts_of_lists)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};
    bench b = bench_open_idling();
    muster_lease lease = report_awake(&b, 2);

    (void)muster_channel_get_stats(b.channel, &stats);
    cr_expect_eq(stats.updates_accepted, 1);
    muster_lease_finish(&lease, NULL);
    await_state(&b, MUSTER_IDLE);
    await_no_resolver();
    settle(&b);
    (void)muster_channel_get_stats(b.channel, &stats);
    cr_expect_eq(stats.updates_accepted, 0);
    cr_expect_eq(stats.list_generation, 0);
    bench_close(&b);
}

Test(idle, comes_before_any_list_too)
{
    bench b = bench_open_idling();

    await_state(&b, MUSTER_IDLE);
    await_no_resolver();
    bench_close(&b);
}

typedef struct waiting {
    const bench *bench;
    muster_lease lease;
} waiting;

static void *pick_in_thread(void *arg)
{
    waiting *self = arg;

    pick(self->bench, &self->lease);
    return NULL;
}

/* script_report() waits for the new resolver. */
Test(idle, ends_with_a_pick_which_waits_for_the_new_list)
{
    bench b = bench_open_idling();
    waiting first = {.bench = &b};
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        await_state(&b, MUSTER_IDLE);
        await_no_resolver();
        cr_assert_eq(pthread_create(&thread, NULL, pick_in_thread, &first), 0);
        report(1);
        (void)pthread_join(thread, NULL);
        cr_expect_str_eq(muster_lease_endpoint(&first.lease)->address, ADDRESS);
        muster_lease_finish(&first.lease, NULL);
    }
    bench_close(&b);
}

/* It may be IDLE again when that is seen: so a watcher looks. */
static void expect_to_wake(bench *b, void (*wake)(const bench *b))
{
    recorder self = RECORDER;
    muster_lease lease;

    await_state(b, MUSTER_IDLE);
    await_no_resolver();
    watch_flags(&self, b, MUSTER_STATE_CHANNEL);
    wake(b);
    await_told(&self, "channel IDLE>CONNECTING");
    lease = report_awake(b, 1);
    muster_lease_finish(&lease, NULL);
    muster_state_watcher_destroy(self.watcher);
}

static void wish_to_connect(const bench *b)
{
    muster_channel_connect(b->channel);
}

Test(idle, ends_with_a_wish_to_connect)
{
    bench b = bench_open_idling();

    expect_to_wake(&b, wish_to_connect);
    bench_close(&b);
}

static void pick_without_waiting(const bench *b)
{
    muster_lease lease = {0};
    muster_error err;

    cr_expect_eq(muster_channel_pick(b->channel, NULL, &lease, &err),
                 MUSTER_QUEUED);
}

Test(idle, pick_that_does_not_wait_is_queued_and_wakes)
{
    bench b = bench_open_idling();

    expect_to_wake(&b, pick_without_waiting);
    bench_close(&b);
}

/* For as long as several timeouts, with the state looked at throughout. */
static bool was_idle_within_ms(const bench *b, uint64_t ms)
{
    const muster_status status =
        muster_channel_wait_for_state(b->channel, MUSTER_IDLE, in_ms(ms));

    return status == MUSTER_OK;
}

Test(idle, waits_for_calls_in_flight)
{
    bench b = bench_open_idling();
    muster_lease lease = report_awake(&b, 1);

    cr_expect_not(was_idle_within_ms(&b, 700));
    muster_lease_finish(&lease, NULL);
    await_state(&b, MUSTER_IDLE);
    bench_close(&b);
}

/* For as long as several timeouts, from when lease is finished on. No pick
 * succeeds once the channel was IDLE: its list is gone. False: this thread was
 * held off for so long that it may have been. */
static bool pick_all_the_time(const bench *b, muster_lease lease)
{
    const uint64_t end_ns = in_ms(4 * SCALED_MS);
    uint64_t former_ns = 0;
    uint64_t now_ns = in_ms(0);
    bool is_steady = true;

    muster_lease_finish(&lease, NULL);
    while (is_steady && now_ns < end_ns) {
        muster_error err = {.code = MUSTER_OK};
        muster_status status =
            muster_channel_pick(b->channel, NULL, &lease, &err);

        muster_lease_finish(&lease, NULL);
        former_ns = now_ns;
        now_ns = in_ms(0);
        is_steady = now_ns - former_ns < SCALED_MS / 2 * UINT64_C(1000000);
        cr_assert(status == MUSTER_OK || !is_steady, "%s", err.message);
    }
    return is_steady;
}

/* None of them is in flight for long: only that they were made can tell. */
Test(idle, is_put_off_by_picks)
{
    bench b = bench_open_idling();

    while (!pick_all_the_time(&b, report_awake(&b, 1))) {
    }
    await_state(&b, MUSTER_IDLE);
    bench_close(&b);
}

Test(idle, is_told_to_watchers)
{
    bench b = bench_open_idling();
    recorder self = RECORDER;
    muster_lease lease = report_awake(&b, 1);

    watch(&self, &b);
    expect_told(&self, 2, "channel READY>READY\n" ADDRESS " READY>READY\n");
    muster_lease_finish(&lease, NULL);
    await_told(&self, "channel READY>IDLE");
    expect_told(&self, 3,
                ADDRESS
                " READY>IDLE its connection was given up\n" ADDRESS
                " IDLE>SHUTDOWN no call for as long as the idle timeout\n"
                "channel READY>IDLE no call for as long as the idle "
                "timeout\n");
    muster_state_watcher_destroy(self.watcher);
    bench_close(&b);
}

static void *await_ready_in_thread(void *arg)
{
    const bench *b = arg;

    await_state(b, MUSTER_READY);
    return NULL;
}

/* The list comes only after several timeouts: who waits for READY counts. */
Test(idle, ends_for_a_thread_that_waits_for_ready_and_spares_it)
{
    bench b = bench_open_idling();
    pthread_t thread;

    await_state(&b, MUSTER_IDLE);
    await_no_resolver();
    cr_assert_eq(pthread_create(&thread, NULL, await_ready_in_thread, &b), 0);
    await_state(&b, MUSTER_CONNECTING);
    cr_expect_not(was_idle_within_ms(&b, 700));
    report(1);
    (void)pthread_join(thread, NULL);
    await_state(&b, MUSTER_IDLE);
    bench_close(&b);
}

static void *await_failure_in_thread(void *arg)
{
    const bench *b = arg;

    cr_expect_eq(muster_channel_wait_for_state(
                     b->channel, MUSTER_TRANSIENT_FAILURE, in_ms(LONG_MS)),
                 MUSTER_CLOSED);
    return NULL;
}

/* A watcher and a thread that waits for anything but READY only look on. */
Test(idle, comes_though_states_are_watched)
{
    bench b = bench_open_idling();
    recorder self = RECORDER;
    muster_lease lease;
    pthread_t thread;

    watch(&self, &b);
    cr_assert_eq(pthread_create(&thread, NULL, await_failure_in_thread, &b), 0);
    lease = report_awake(&b, 1);
    muster_lease_finish(&lease, NULL);
    await_state(&b, MUSTER_IDLE);
    await_no_resolver();
    bench_close(&b);
    (void)pthread_join(thread, NULL);
    muster_state_watcher_destroy(self.watcher);
}

/* Whatever it is doing just then. */
Test(idle, channel_closes_at_any_time)
{
    for (uint64_t i = 0; i < 30; i++) {
        bench b = bench_open_idling();

        if (i % 2 == 0) {
            muster_lease lease = report_awake(&b, 2);

            muster_lease_finish(&lease, NULL);
        }
        (void)was_idle_within_ms(&b, i * 10);
        if (i % 3 == 0) {
            muster_channel_connect(b.channel);
        }
        bench_close(&b);
    }
}

/* ---- said by a service config ---- */

/* READY with it, and nothing in flight. */
static void report_config(const bench *b, const char *config)
{
    const muster_endpoint endpoint = {.address = ADDRESS};
    muster_lease lease;
    keeper self;

    muster_testkit_transport_set_delay(b->transport, 0);
    keep_awake(&self, b);
    script_report_config(TARGET, &endpoint, 1, config);
    lease = lease_of(&self);
    muster_lease_finish(&lease, NULL);
}

Test(idle, timeout_may_be_the_resolvers)
{
    bench b;

    muster__timing_scale_waits_for_test(DIVISOR);
    b = bench_open();
    report_config(&b, "{\"muster\": {\"idleTimeout\": \"3600s\"}}");
    await_state(&b, MUSTER_IDLE);
    await_no_resolver();
    report_config(&b, NULL);
    cr_expect_not(was_idle_within_ms(&b, 700));
    bench_close(&b);
}

Test(idle, timeout_of_the_application_wins)
{
    const muster_channel_options options = {
        .service_config = "{\"muster\": {\"idleTimeout\": \"3600s\"}}"};
    bench b;

    muster__timing_scale_waits_for_test(DIVISOR);
    b = bench_open_with(&options);
    report_config(&b, "{\"muster\": {\"idleTimeout\": \"36000000s\"}}");
    await_state(&b, MUSTER_IDLE);
    bench_close(&b);
}

Test(idle, never_comes_unless_asked_for)
{
    bench b;

    muster__timing_scale_waits_for_test(DIVISOR);
    b = bench_open();
    cr_expect_not(was_idle_within_ms(&b, 200));
    bench_close(&b);
}
