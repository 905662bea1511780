/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that pick, ask and finish. */
#include "pickers.h"

#include <stdlib.h>

#include "world.h"

typedef struct question { /* an asynchronous pick */
    world *world;
    unsigned channel;
    atomic_uint n_answers;
} question;

static void take_answer(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    question *q = arg;
    world *w = q->world;
    muster_lease other = {0};

    (void)err;
    MUST(atomic_fetch_add(&q->n_answers, 1) == 0, "answered twice");
    MUST(!atomic_load(&w->is_closed[q->channel]), "called after close");
    /* On this thread it never waits, but it may pick. */
    MUST(muster_channel_pick_wait(w->channels[q->channel], NULL, &other,
                                  NULL) != MUSTER_QUEUED,
         "a waiting pick cannot answer that");
    finish(w, &other);
    if (status == MUSTER_OK) {
        finish(w, lease);
    }
    if (atomic_exchange(&w->closes_inside, false)) {
        MUST(muster_channel_close(w->channels[q->channel]) == MUSTER_OK,
             "close inside a callback");
    }
    atomic_fetch_add(&w->n_answered, 1);
    free(q);
}

static void ask(world *w, unsigned channel, uint64_t *random)
{
    question *q = calloc(1, sizeof *q);
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = below(random, 2)};
    uint64_t pick = 0;

    MUST(q != NULL, "memory");
    q->world = w;
    q->channel = channel;
    call.deadline_ns = now_ns() + below(random, 3000) * UINT64_C(1000);
    atomic_fetch_add(&w->n_asked, 1);
    if (muster_channel_pick_async(w->channels[channel], &call, take_answer, q,
                                  &pick) != MUSTER_OK) {
        atomic_fetch_sub(&w->n_asked, 1);
        free(q);
    } else if (below(random, 3) == 0) {
        (void)muster_channel_pick_cancel(w->channels[channel], pick);
    }
}

static void pick(world *w, unsigned channel, uint64_t *random,
                 muster_lease *lease)
{
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = below(random, 2)};
    uint64_t promise = atomic_load(&w->must_serve);
    muster_error err = {.code = MUSTER_OK};
    muster_status status;

    if (below(random, 4) == 0) {
        call.deadline_ns = now_ns() + below(random, 2000) * UINT64_C(1000);
        status =
            muster_channel_pick_wait(w->channels[channel], &call, lease, &err);
    } else {
        status = muster_channel_pick(w->channels[channel], &call, lease, &err);
    }
    MUST(status == MUSTER_OK || promise == 0 ||
             promise != atomic_load(&w->must_serve),
         err.message);
    atomic_fetch_add(&w->n_picked, status == MUSTER_OK);
}

void *picker_main(void *arg)
{
    static _Atomic uint64_t n_pickers;
    world *w = arg;
    uint64_t random = seed + atomic_fetch_add(&n_pickers, 1) * 77777;
    muster_lease leases[LEASES] = {{NULL, 0}};
    muster_method_config method = {.struct_size = sizeof method};

    while (!atomic_load(&w->is_stopping)) {
        unsigned channel = below(&random, CHANNELS);
        muster_lease *lease = &leases[below(&random, LEASES)];

        finish(w, lease);
        (void)muster_channel_get_method_config(w->channels[channel], "/a/b",
                                               &method);
        if (below(&random, 16) == 0) {
            ask(w, channel, &random);
        } else {
            pick(w, channel, &random, lease);
        }
        if (atomic_load(&w->is_resting)) {
            for (int i = 0; i < LEASES; i++) {
                finish(w, &leases[i]);
            }
            atomic_fetch_add(&w->n_resting, 1);
            while (atomic_load(&w->is_resting)) {
                (void)sched_yield();
            }
            atomic_fetch_sub(&w->n_resting, 1);
        }
    }
    for (int i = 0; i < LEASES; i++) {
        finish(w, &leases[i]);
    }
    return NULL;
}
