/* SPDX-License-Identifier: Apache-2.0 */
/* A task that is posted at most once at a time. */
#include "nudge.h"

static void nudge_run(muster__task *task)
{
    muster__nudge *nudge = (muster__nudge *)task;

    /* Before fn, so that a nudge during fn makes another run. Pairs with the
     * exchange in muster__nudge_post(). */
    atomic_store_explicit(&nudge->is_posted, false, memory_order_seq_cst);
    nudge->fn(nudge->arg);
}

void muster__nudge_init(muster__nudge *nudge, void (*fn)(void *arg), void *arg)
{
    nudge->task.next = NULL;
    nudge->task.fn = nudge_run;
    atomic_init(&nudge->is_posted, false);
    nudge->fn = fn;
    nudge->arg = arg;
}

void muster__nudge_post(muster__nudge *nudge)
{
    if (!atomic_exchange_explicit(&nudge->is_posted, true,
                                  memory_order_seq_cst)) {
        muster__loop_post(&nudge->task);
    }
}

bool muster__nudge_is_posted(const muster__nudge *nudge)
{
    return atomic_load_explicit(&nudge->is_posted, memory_order_seq_cst);
}
