/* SPDX-License-Identifier: Apache-2.0 */
/* Graceful shutdown of one channel and of all. */
#include "state_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "limit.h"

TestSuite(shutdown, .timeout = 60);

static bench open_ready(void)
{
    bench b = bench_open();

    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    return b;
}

static muster_lease pick(const bench *b)
{
    muster_lease lease = {0};
    muster_error err;

    cr_assert_eq(muster_channel_pick(b->channel, NULL, &lease, &err), MUSTER_OK,
                 "%s", err.message);
    return lease;
}

static void shut_down(const bench *b, uint64_t grace_ms, uint64_t n_finished,
                      uint64_t n_cancelled)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};

    cr_assert_eq(muster_channel_shutdown(b->channel, grace_ms, &numbers),
                 MUSTER_OK);
    cr_expect_eq(numbers.channels, 1);
    cr_expect_eq(numbers.finished, n_finished);
    cr_expect_eq(numbers.cancelled, n_cancelled);
}

/* ---- on another thread ---- */

typedef struct closer {
    const bench *bench;
    uint64_t grace_ms;
    bool is_all;
    muster_status status;
    muster_shutdown_numbers numbers;
    pthread_t thread;
} closer;

static void *close_gracefully(void *arg)
{
    closer *self = arg;

    self->numbers.struct_size = sizeof self->numbers;
    self->status =
        self->is_all ? muster_shutdown_all(self->grace_ms, &self->numbers)
                     : muster_channel_shutdown(self->bench->channel,
                                               self->grace_ms, &self->numbers);
    return NULL;
}

static void start_closing(closer *self)
{
    cr_assert_eq(pthread_create(&self->thread, NULL, close_gracefully, self),
                 0);
    await_state(self->bench, MUSTER_SHUTDOWN);
}

static void expect_closed(closer *self, uint64_t n_finished,
                          uint64_t n_cancelled)
{
    (void)pthread_join(self->thread, NULL);
    cr_expect_eq(self->status, MUSTER_OK);
    cr_expect_eq(self->numbers.finished, n_finished);
    cr_expect_eq(self->numbers.cancelled, n_cancelled);
}

Test(shutdown, waits_for_the_last_call)
{
    bench b = open_ready();
    closer self = {.bench = &b, .grace_ms = MUSTER_FOREVER};
    muster_lease first = pick(&b);
    muster_lease second = pick(&b);
    muster_testkit_transport_counts counts;

    start_closing(&self);
    muster_lease_finish(&first, NULL);
    cr_expect_eq(muster_testkit_transport_use(b.transport,
                                              muster_lease_connection(&second)),
                 1);
    muster_lease_finish(&second, NULL);
    expect_closed(&self, 2, 0);
    muster_testkit_transport_get_counts(b.transport, NULL, &counts);
    cr_expect_eq(counts.cancelled, 0);
    cr_expect_eq(counts.destroyed, 1);
    bench_close(&b);
}

static int is_cancelled_often(void *arg,
                              const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->cancelled >= 4;
}

Test(shutdown, cancels_what_is_left_when_the_time_is_over_again_and_again)
{
    bench b = open_ready();
    muster_lease lease = pick(&b);
    const uint64_t begin_ns = in_ms(0);

    shut_down(&b, 20, 0, 1);
    cr_expect_geq(in_ms(0) - begin_ns, 20000000u);
    cr_expect_leq(in_ms(0) - begin_ns, limit_ns(2000));
    cr_expect_eq(muster_testkit_transport_await(
                     b.transport, ADDRESS, is_cancelled_often, NULL, LONG_MS),
                 MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

Test(shutdown, holds_to_the_earliest_end_and_gives_all_the_same_numbers)
{
    bench b = open_ready();
    closer first = {.bench = &b, .grace_ms = MUSTER_FOREVER};
    closer second = {.bench = &b, .grace_ms = MUSTER_FOREVER};
    muster_lease leases[3] = {pick(&b), pick(&b), pick(&b)};

    start_closing(&first);
    start_closing(&second);
    muster_lease_finish(&leases[0], NULL);
    shut_down(&b, 0, 1, 2);
    expect_closed(&first, 1, 2);
    expect_closed(&second, 1, 2);
    muster_lease_finish(&leases[1], NULL);
    muster_lease_finish(&leases[2], NULL);
    shut_down(&b, MUSTER_FOREVER, 1, 2);
    bench_close(&b);
}

static int is_destroyed(void *arg,
                        const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->destroyed == 1;
}

/* Whoever waits for all did not count it. */
Test(shutdown, of_a_channel_that_closed_long_ago_ends_no_other_wait)
{
    bench old = open_ready();
    bench b = open_ready();
    closer all = {.bench = &b, .grace_ms = MUSTER_FOREVER, .is_all = true};
    muster_lease lease = pick(&b);

    cr_assert_eq(muster_channel_close(old.channel), MUSTER_OK);
    cr_assert_eq(muster_testkit_transport_await(old.transport, NULL,
                                                is_destroyed, NULL, LONG_MS),
                 MUSTER_OK);
    start_closing(&all);
    shut_down(&old, 0, 0, 0);
    muster_lease_finish(&lease, NULL);
    expect_closed(&all, 1, 0);
    muster_channel_destroy(old.channel);
    bench_close(&b);
    muster_testkit_transport_destroy(old.transport);
}

Test(shutdown, takes_no_time_when_nothing_is_in_flight)
{
    bench b = open_ready();
    const uint64_t begin_ns = in_ms(0);

    shut_down(&b, MUSTER_FOREVER, 0, 0);
    cr_expect_leq(in_ms(0) - begin_ns, limit_ns(1000));
    bench_close(&b);
}

Test(shutdown, lets_no_call_begin)
{
    bench b = open_ready();
    muster_lease lease = pick(&b);
    muster_lease other = {0};

    shut_down(&b, 0, 0, 1);
    cr_expect_eq(muster_channel_pick(b.channel, NULL, &other, NULL),
                 MUSTER_CLOSED);
    cr_expect_eq(muster_channel_pick_wait(b.channel, NULL, &other, NULL),
                 MUSTER_CLOSED);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

typedef struct question {
    muster_status status;
    unsigned n;
} question;

static void take_answer(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    question *self = arg;

    (void)lease;
    (void)err;
    self->status = status;
    self->n++;
}

Test(shutdown, counts_the_picks_that_waited)
{
    bench b = bench_open();
    question questions[2] = {{.n = 0}, {.n = 0}};
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(muster_channel_pick_async(b.channel, NULL, take_answer,
                                               &questions[i], NULL),
                     MUSTER_OK);
    }
    cr_assert_eq(muster_channel_shutdown(b.channel, 1000, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.parked_failed, 2);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(questions[i].status, MUSTER_CLOSED);
        cr_expect_eq(questions[i].n, 1);
    }
    bench_close(&b);
}

Test(shutdown, may_follow_a_close)
{
    bench b = open_ready();
    muster_lease lease = pick(&b);

    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    shut_down(&b, 0, 0, 1);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

Test(shutdown, may_follow_a_close_that_is_long_over)
{
    bench b = open_ready();
    muster_testkit_transport_counts counts = {0};

    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    while (counts.destroyed == 0) {
        muster_testkit_transport_get_counts(b.transport, NULL, &counts);
    }
    shut_down(&b, MUSTER_FOREVER, 0, 0);
    bench_close(&b);
}

Test(shutdown, leaves_calls_to_a_program_without_a_transport)
{
    muster_channel *channel = NULL;
    muster_lease lease = {0};
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};

    cr_assert_eq(
        muster_channel_create("static:///" ADDRESS, NULL, &channel, NULL),
        MUSTER_OK);
    cr_assert_eq(muster_channel_pick_wait(channel, NULL, &lease, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_channel_shutdown(channel, 1, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.cancelled, 1);
    muster_lease_finish(&lease, NULL);
    muster_channel_destroy(channel);
}

Test(shutdown, fills_no_more_than_the_caller_knows)
{
    bench b = bench_open();
    muster_shutdown_numbers numbers = {
        .struct_size = offsetof(muster_shutdown_numbers, cancelled),
        .cancelled = 77,
    };

    cr_assert_eq(muster_channel_shutdown(b.channel, 1, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.channels, 1);
    cr_expect_eq(numbers.cancelled, 77);
    cr_assert_eq(muster_channel_shutdown(b.channel, 1, NULL), MUSTER_OK);
    bench_close(&b);
}

/* ---- inside a callback ---- */

static void shut_down_inside(recorder *self, const muster_state_event *event)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers,
                                       .channels = 7};

    if (event->kind == MUSTER_STATE_SUBCHANNEL) {
        cr_expect_eq(muster_channel_shutdown(self->bench->channel,
                                             MUSTER_FOREVER, &numbers),
                     MUSTER_OK);
        cr_expect_eq(numbers.channels, 0);
        cr_expect_eq(muster_shutdown_all(MUSTER_FOREVER, &numbers), MUSTER_OK);
        cr_expect_neq(muster_channel_state(self->bench->channel),
                      MUSTER_SHUTDOWN);
    }
}

Test(shutdown, begins_inside_a_callback_and_completes_after_it)
{
    bench b = open_ready();
    recorder self = RECORDER;
    muster_lease lease = pick(&b);

    self.inside = shut_down_inside;
    watch(&self, &b);
    await_state(&b, MUSTER_SHUTDOWN);
    self.inside = NULL;
    muster_state_watcher_destroy(self.watcher);
    shut_down(&b, 0, 0, 1);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

static void destroy_inside(recorder *self, const muster_state_event *event)
{
    if (event->kind == MUSTER_STATE_SUBCHANNEL &&
        event->state == MUSTER_READY) {
        cr_expect_eq(muster_channel_shutdown(self->bench->channel, 5, NULL),
                     MUSTER_OK);
        muster_channel_destroy(self->bench->channel);
    }
}

Test(shutdown, lets_its_channel_be_destroyed_at_once)
{
    bench b = bench_open();
    recorder self = RECORDER;

    self.inside = destroy_inside;
    watch(&self, &b);
    report(1);
    let_connect(&b);
    await_told(&self, "channel READY>SHUTDOWN\n");
    muster_state_watcher_destroy(self.watcher);
    b.channel = NULL;
    bench_close(&b);
}

/* ---- all channels ---- */

Test(shutdown, adds_up_all_channels)
{
    bench b = open_ready();
    muster_channel *other = NULL;
    muster_lease lease = pick(&b);
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};

    cr_assert_eq(muster_channel_create("script:///other", NULL, &other, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_shutdown_all(5, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.channels, 2);
    cr_expect_eq(numbers.cancelled, 1);
    cr_expect_eq(muster_channel_state(b.channel), MUSTER_SHUTDOWN);
    cr_expect_eq(muster_channel_state(other), MUSTER_SHUTDOWN);
    cr_assert_eq(muster_shutdown_all(MUSTER_FOREVER, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.channels, 0); /* that was complete */
    muster_lease_finish(&lease, NULL);
    muster_channel_destroy(other);
    bench_close(&b);
}

Test(shutdown, is_asked_of_all_by_several_at_once)
{
    bench b = open_ready();
    closer first = {.bench = &b, .grace_ms = MUSTER_FOREVER, .is_all = true};
    closer second = {.bench = &b, .grace_ms = MUSTER_FOREVER};
    muster_lease leases[2] = {pick(&b), pick(&b)};
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};

    start_closing(&first);
    start_closing(&second);
    muster_lease_finish(&leases[0], NULL);
    cr_assert_eq(muster_shutdown_all(1, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.finished, 1);
    cr_expect_eq(numbers.cancelled, 1);
    expect_closed(&first, 1, 1);
    expect_closed(&second, 1, 1);
    muster_lease_finish(&leases[1], NULL);
    bench_close(&b);
}

Test(shutdown, is_nothing_when_there_is_no_channel)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers,
                                       .channels = 7};

    cr_expect_eq(muster_shutdown_all(MUSTER_FOREVER, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.channels, 0);
    cr_expect_eq(muster_shutdown(), MUSTER_OK);
}

Test(shutdown, works_in_the_parent_of_a_fork_only)
{
    bench b = bench_open();
    int how = 1;
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        _exit(muster_channel_shutdown(b.channel, 0, NULL) == MUSTER_FORKED &&
                      muster_shutdown_all(0, NULL) == MUSTER_FORKED
                  ? 0
                  : 1);
    }
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_expect_eq(how, 0);
    shut_down(&b, 0, 0, 0);
    bench_close(&b);
}
