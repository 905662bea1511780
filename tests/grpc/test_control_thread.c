/* SPDX-License-Identifier: Apache-2.0 */
/* What waits says so on the control thread, from the first callback on: before
 * there was any connection, a call would wait there for itself. */
#include <criterion/criterion.h>
#include <semaphore.h>

#include <muster/connectivity.h>
#include <muster/muster.h>

#include "streaming.h"

TestSuite(grpc_control_thread, .timeout = 60);

typedef struct asker {
    muster_channel *channel;
    muster_call_queue *queue;
    muster_call *calls[2]; /* destroyed elsewhere */
    muster_status statuses[4];
    bool has_asked;
    sem_t asked;
} asker;

static void ask_what_waits(asker *self)
{
    muster_call_event event;
    grpc_byte_buffer *message = NULL;
    muster_call *call = make_call(self->channel, &patient);
    muster_call *stream = make_stream(self->channel, NULL, 0);

    self->statuses[0] = muster_call_unary(call, NULL);
    self->statuses[1] =
        muster_call_queue_next(self->queue, MUSTER_FOREVER, &event);
    cr_assert_eq(muster_call_open(stream, NULL), MUSTER_OK);
    self->statuses[2] = muster_call_read(stream, &message);
    self->statuses[3] = muster_call_write(stream, NULL, 0);
    self->calls[0] = call;
    self->calls[1] = stream;
}

static void on_state(void *arg, const muster_state_event *event)
{
    asker *self = arg;

    (void)event;
    if (!self->has_asked) {
        self->has_asked = true;
        ask_what_waits(self);
        (void)sem_post(&self->asked);
    }
}

static void expect_refused(void)
{
    const muster_state_watch_options options = {.struct_size = sizeof options};
    asker self = {.channel = open_channel("file:///nonexistent/muster.json"),
                  .queue = make_queue()};
    muster_state_watcher *watcher = NULL;

    (void)sem_init(&self.asked, 0, 0);
    cr_assert_eq(muster_channel_watch_state(self.channel, &options, on_state,
                                            &self, &watcher),
                 MUSTER_OK);
    while (sem_wait(&self.asked) != 0) {
    }
    for (size_t i = 0; i < sizeof self.statuses / sizeof *self.statuses; i++) {
        cr_expect_eq(self.statuses[i], MUSTER_WOULD_DEADLOCK, "%zu: %s", i,
                     muster_status_text(self.statuses[i]));
    }
    muster_state_watcher_destroy(watcher);
    muster_call_destroy(self.calls[0]);
    muster_call_cancel(self.calls[1]);
    (void)muster_call_wait(self.calls[1]);
    muster_call_destroy(self.calls[1]);
    muster_call_queue_destroy(self.queue);
    muster_channel_destroy(self.channel);
}

Test(grpc_control_thread, refuses_what_waits_before_any_connection)
{
    expect_refused();
}

/* Another control thread. */
Test(grpc_control_thread, is_known_again_after_a_shutdown)
{
    expect_refused();
    while (muster_shutdown() == MUSTER_BUSY) { /* the channel still closes */
    }
    expect_refused();
}
