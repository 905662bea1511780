/* SPDX-License-Identifier: Apache-2.0 */
/* Hedged calls whose connection is lost before the channel hears of it. */
#include <criterion/criterion.h>
#include <semaphore.h>

#include <muster/connectivity.h>
#include <muster/muster.h>

#include "loopback_port.h"
#include "retrying.h"

#define HEDGING                                                                \
    "{'methodConfig': [{'name': [{}], 'hedgingPolicy': {'maxAttempts': 3, "    \
    "'hedgingDelay': '1000s', 'nonFatalStatusCodes': ['UNAVAILABLE']}}]}"

TestSuite(grpc_hedging_lost, .timeout = 110);

/* ---- a control thread that has something else to do ---- */

typedef struct pause {
    sem_t begun;
    sem_t ended;
    bool is_over;
} pause;

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void on_state(void *arg, const muster_state_event *event)
{
    pause *self = arg;

    (void)event;
    if (!self->is_over) {
        (void)sem_post(&self->begun);
        await(&self->ended);
        self->is_over = true;
    }
}

static muster_state_watcher *pause_control_thread(pause *self,
                                                  muster_channel *channel)
{
    const muster_state_watch_options options = {.struct_size = sizeof options};
    muster_state_watcher *watcher = NULL;

    (void)sem_init(&self->begun, 0, 0);
    (void)sem_init(&self->ended, 0, 0);
    self->is_over = false;
    cr_assert_eq(
        muster_channel_watch_state(channel, &options, on_state, self, &watcher),
        MUSTER_OK);
    await(&self->begun);
    return watcher;
}

/* ---- a connection that is lost ---- */

/* Until C core knows. */
static void kill_and_await(backend *server, muster_channel *channel)
{
    const muster_outcome outcome = {.struct_size = sizeof outcome,
                                    .flags = MUSTER_OUTCOME_GIVEN_BACK};
    muster_lease lease;

    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, NULL), MUSTER_OK);
    backend_kill(server);
    while (grpc_channel_check_connectivity_state(
               muster_lease_grpc_channel(&lease), 0) == GRPC_CHANNEL_READY) {
    }
    muster_lease_finish(&lease, &outcome);
}

/* As a call is that is not hedged. */
Test(grpc_hedging_lost, is_placed_again_behind_the_news_of_it)
{
    backend server;
    loopback_port port;
    pause busy;
    muster_channel *channel;
    muster_call *call;
    muster_call_event event;
    muster_call_queue *queue = make_queue();
    muster_state_watcher *watcher;

    cr_assert(loopback_port_take(&port, AF_INET));
    cr_assert(backend_start_on(&server, port.number));
    channel = open_retrying(&server, 1, HEDGING, NULL);
    watcher = pause_control_thread(&busy, channel);
    kill_and_await(&server, channel);
    call = make_call_with(channel, 0, (const char *const[]){NULL});
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    cr_assert(backend_start_on(&server, port.number));
    (void)sem_post(&busy.ended);
    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_OK, "%s",
                 result_of(call).message);
    muster_call_destroy(call);
    muster_state_watcher_destroy(watcher);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
    loopback_port_release(&port);
}
