/* SPDX-License-Identifier: Apache-2.0 */
/* Watchers of states, as a program sees them. */
#include "state_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

TestSuite(connectivity, .timeout = 60);

Test(connectivity, tells_the_states_of_now_first)
{
    bench b = bench_open();
    recorder self = RECORDER;

    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    watch(&self, &b);
    expect_told(&self, 2, "channel READY>READY\n" ADDRESS " READY>READY\n");
    muster_state_watcher_destroy(self.watcher);
    bench_close(&b);
}

Test(connectivity, tells_every_change_in_order_with_its_cause)
{
    bench b = bench_open();
    recorder self = RECORDER;

    watch(&self, &b);
    report(1);
    expect_told(&self, 3,
                "channel CONNECTING>CONNECTING\n" ADDRESS " IDLE>IDLE\n" ADDRESS
                " IDLE>CONNECTING\n");
    let_connect(&b);
    expect_told(&self, 2,
                ADDRESS " CONNECTING>READY\nchannel CONNECTING>READY\n");
    (void)muster_testkit_transport_disconnect(b.transport, ADDRESS);
    expect_told(&self, 3,
                ADDRESS " READY>IDLE disconnected\n"
                        "channel READY>CONNECTING\n" ADDRESS
                        " IDLE>CONNECTING\n");
    let_fail(&b, "no route");
    expect_told(&self, 2,
                ADDRESS " CONNECTING>TRANSIENT_FAILURE no route\n"
                        "channel CONNECTING>TRANSIENT_FAILURE " ADDRESS
                        ": no route\n");
    muster_channel_destroy(b.channel);
    expect_told(&self, 3,
                ADDRESS
                " TRANSIENT_FAILURE>IDLE its failures are forgotten\n" ADDRESS
                " IDLE>SHUTDOWN the channel is closed\n"
                "channel TRANSIENT_FAILURE>SHUTDOWN\n");
    muster_state_watcher_destroy(self.watcher);
    b.channel = NULL;
    bench_close(&b);
}

Test(connectivity, tells_the_end_of_a_subchannel_after_its_last_lease)
{
    bench b = bench_open();
    recorder self = RECORDER;
    muster_lease lease = {0};

    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    watch_flags(&self, &b, MUSTER_STATE_SUBCHANNEL);
    cr_assert_eq(muster_channel_pick(b.channel, NULL, &lease, NULL), MUSTER_OK);
    report(0);
    expect_told(&self, 2,
                ADDRESS " READY>READY\n" ADDRESS
                        " READY>IDLE its connection was given up\n");
    muster_lease_finish(&lease, NULL);
    expect_told(&self, 1,
                ADDRESS " IDLE>SHUTDOWN its endpoint has left the list\n");
    muster_state_watcher_destroy(self.watcher);
    bench_close(&b);
}

Test(connectivity, tells_what_the_flags_ask_for_and_the_end)
{
    bench b = bench_open();
    recorder of_channel = RECORDER;
    recorder of_subchannels = RECORDER;

    watch_flags(&of_channel, &b, MUSTER_STATE_CHANNEL);
    watch_flags(&of_subchannels, &b, MUSTER_STATE_SUBCHANNEL);
    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    settle(&b);
    expect_told(&of_channel, 2,
                "channel CONNECTING>CONNECTING\nchannel CONNECTING>READY\n");
    expect_told(&of_subchannels, 3,
                ADDRESS " IDLE>IDLE\n" ADDRESS " IDLE>CONNECTING\n" ADDRESS
                        " CONNECTING>READY\n");
    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    expect_told(&of_channel, 1, "channel READY>SHUTDOWN\n");
    expect_told(&of_subchannels, 3,
                ADDRESS " READY>IDLE its connection was given up\n" ADDRESS
                        " IDLE>SHUTDOWN the channel is closed\n"
                        "channel READY>SHUTDOWN\n");
    muster_state_watcher_destroy(of_channel.watcher);
    muster_state_watcher_destroy(of_subchannels.watcher);
    bench_close(&b);
}

Test(connectivity, has_a_watcher_that_outlives_its_channel_and_the_thread)
{
    bench b = bench_open();
    recorder self = RECORDER;

    watch(&self, &b);
    bench_close(&b);
    expect_told(&self, 2,
                "channel CONNECTING>CONNECTING\nchannel CONNECTING>SHUTDOWN\n");
    muster_state_watcher_destroy(self.watcher);
}

/* ---- inside the callback ---- */

static void destroy_it(recorder *self, const muster_state_event *event)
{
    (void)event;
    muster_state_watcher_destroy(self->watcher);
}

Test(connectivity, lets_a_watcher_be_destroyed_inside_its_first_event)
{
    bench b = bench_open();
    recorder self = RECORDER;

    report(1);
    self.inside = destroy_it;
    watch(&self, &b);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    settle(&b);
    expect_told(&self, 1, "channel CONNECTING>CONNECTING\n");
    bench_close(&b);
}

static void destroy_at_the_end(recorder *self, const muster_state_event *event)
{
    if (event->state == MUSTER_SHUTDOWN) {
        muster_state_watcher_destroy(self->watcher);
    }
}

Test(connectivity, lets_a_watcher_be_destroyed_inside_its_last_event)
{
    bench b = bench_open();
    recorder self = RECORDER;

    self.inside = destroy_at_the_end;
    watch(&self, &b);
    bench_close(&b);
    expect_told(&self, 2,
                "channel CONNECTING>CONNECTING\nchannel CONNECTING>SHUTDOWN\n");
}

static recorder doomed = RECORDER;

static void destroy_the_other(recorder *self, const muster_state_event *event)
{
    (void)self;
    if (event->state == MUSTER_READY) {
        muster_state_watcher_destroy(doomed.watcher);
        doomed.watcher = NULL;
    }
}

Test(connectivity, tells_nothing_to_a_watcher_that_another_destroyed)
{
    bench b = bench_open();
    recorder self = RECORDER;

    watch_flags(&doomed, &b, MUSTER_STATE_CHANNEL);
    self.inside = destroy_the_other;
    watch_flags(&self, &b, MUSTER_STATE_CHANNEL); /* the newest goes first */
    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    settle(&b);
    expect_told(&doomed, 1, "channel CONNECTING>CONNECTING\n");
    muster_state_watcher_destroy(self.watcher);
    bench_close(&b);
}

static recorder inner = RECORDER;

static void create_inner(recorder *self, const muster_state_event *event)
{
    if (event->state == MUSTER_READY && inner.watcher == NULL) {
        watch(&inner, self->bench);
    }
}

Test(connectivity, lets_a_watcher_be_created_inside_a_callback)
{
    bench b = bench_open();
    recorder self = RECORDER;

    self.inside = create_inner;
    watch(&self, &b);
    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    settle(&b);
    /* While it is told of the subchannel: the channel comes next. */
    expect_told(&inner, 3,
                "channel CONNECTING>CONNECTING\n" ADDRESS
                " READY>READY\nchannel CONNECTING>READY\n");
    muster_state_watcher_destroy(self.watcher);
    muster_state_watcher_destroy(inner.watcher);
    bench_close(&b);
}

static void change_all(recorder *self, const muster_state_event *event)
{
    static const char *const other = "10.0.0.2:1";

    if (event->kind == MUSTER_STATE_SUBCHANNEL &&
        event->state == MUSTER_READY) {
        script_report_addresses(TARGET, &other, 1);
        muster_channel_reset_backoff(self->bench->channel);
        muster_channel_connect(self->bench->channel);
        cr_expect_eq(muster_channel_close(self->bench->channel), MUSTER_OK);
        cr_expect_eq(self->n, 4);
    }
}

Test(connectivity, tells_what_a_callback_changes_after_it)
{
    bench b = bench_open();
    recorder self = RECORDER;

    self.inside = change_all;
    watch(&self, &b);
    report(1);
    let_connect(&b);
    cr_assert_eq(muster_channel_wait_for_state(b.channel, MUSTER_SHUTDOWN,
                                               in_ms(LONG_MS)),
                 MUSTER_OK);
    /* Returns when the watcher has heard of it, too. */
    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    muster_state_watcher_destroy(self.watcher);
    cr_expect_not_null(strstr(self.text, " CONNECTING>READY\n"
                                         "channel CONNECTING>READY\n"),
                       "%s", self.text);
    cr_expect_not_null(strstr(self.text, "channel READY>SHUTDOWN\n"), "%s",
                       self.text);
    bench_close(&b);
}

static void block(recorder *self, const muster_state_event *event)
{
    const bench *b = self->bench;
    muster_lease lease = {0};

    (void)event;
    cr_expect_eq(muster_channel_pick_wait(b->channel, NULL, &lease, NULL),
                 MUSTER_WOULD_DEADLOCK);
    cr_expect_eq(muster_channel_wait_for_state(b->channel, MUSTER_READY, 0),
                 MUSTER_WOULD_DEADLOCK);
    cr_expect_eq(muster_shutdown(), MUSTER_WOULD_DEADLOCK);
    settle(b);
}

Test(connectivity, answers_blocking_calls_of_a_callback)
{
    bench b = bench_open();
    recorder self = RECORDER;

    self.inside = block;
    watch(&self, &b);
    settle(&b);
    muster_state_watcher_destroy(self.watcher);
    cr_expect_eq(self.n, 1);
    bench_close(&b);
}

/* ---- destroying ---- */

static void *destroy(void *arg)
{
    recorder *self = arg;

    muster_state_watcher_destroy(self->watcher);
    cr_expect_not(self->is_inside);
    pthread_mutex_lock(&self->mutex);
    self->watcher = NULL;
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

Test(connectivity, is_not_inside_its_callback_when_destroy_has_returned)
{
    bench b = bench_open();
    recorder self = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER,
                     .blocks = true};
    pthread_t thread;

    watch(&self, &b);
    pthread_mutex_lock(&self.mutex);
    while (!self.is_inside) {
        pthread_cond_wait(&self.changed, &self.mutex);
    }
    cr_assert_eq(pthread_create(&thread, NULL, destroy, &self), 0);
    cr_expect_not_null(self.watcher);
    self.blocks = false;
    pthread_cond_broadcast(&self.changed);
    pthread_mutex_unlock(&self.mutex);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(self.n, 1);
    bench_close(&b);
}

Test(connectivity, says_why_it_cannot_be_watched)
{
    bench b = bench_open();
    const muster_state_watch_options options = {.struct_size = sizeof options,
                                                .flags = 4};
    muster_state_watcher *watcher = NULL;

    cr_expect_eq(muster_channel_watch_state(b.channel, &options, on_state, NULL,
                                            &watcher),
                 MUSTER_INVAL);
    cr_expect_eq(
        muster_channel_watch_state(b.channel, NULL, NULL, NULL, &watcher),
        MUSTER_INVAL);
    cr_expect_eq(
        muster_channel_watch_state(b.channel, NULL, on_state, NULL, NULL),
        MUSTER_INVAL);
    cr_assert_eq(muster_channel_close(b.channel), MUSTER_OK);
    cr_expect_eq(
        muster_channel_watch_state(b.channel, NULL, on_state, NULL, &watcher),
        MUSTER_CLOSED);
    cr_expect_null(watcher);
    muster_state_watcher_destroy(NULL);
    bench_close(&b);
}

Test(connectivity, works_in_the_parent_of_a_fork_only)
{
    bench b = bench_open();
    recorder self = RECORDER;
    int how = 1;

    watch(&self, &b);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        muster_state_watcher *other = NULL;
        muster_state_watcher_destroy(self.watcher);
        muster_channel_connect(b.channel);
        muster_channel_reset_backoff(b.channel);
        _exit(muster_channel_watch_state(b.channel, NULL, on_state, NULL,
                                         &other) == MUSTER_FORKED &&
                      muster_channel_wait_for_state(b.channel, MUSTER_READY,
                                                    0) == MUSTER_FORKED
                  ? 0
                  : 1);
    }
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_expect_eq(how, 0);
    muster_state_watcher_destroy(self.watcher);
    bench_close(&b);
}
