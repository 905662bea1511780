/* SPDX-License-Identifier: Apache-2.0 */
/* A task that is posted at most once at a time: many nudges, one run. */
#ifndef MUSTER_CORE_NUDGE_H
#define MUSTER_CORE_NUDGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "loop.h"

typedef struct muster__nudge {
    muster__task task; /* first: the task is the nudge */
    _Atomic bool is_posted;
    void (*fn)(void *arg);
    void *arg;
} muster__nudge;

void muster__nudge_init(muster__nudge *nudge, void (*fn)(void *arg), void *arg);

/* Thread: any; wait-free. fn(arg) runs on the control thread soon, once however
 * often this is called before it runs. The nudge must stay until then: see
 * muster__nudge_is_posted(). */
void muster__nudge_post(muster__nudge *nudge);

/* Thread: control. Whether a run is still to come. */
bool muster__nudge_is_posted(const muster__nudge *nudge);

#endif
