/* SPDX-License-Identifier: Apache-2.0 */
/* Something asked of the control thread by a thread that waits for the answer,
 * but not for ever: a plugin may have got the control thread stuck. */
#ifndef MUSTER_CORE_REQUEST_H
#define MUSTER_CORE_REQUEST_H

#include <pthread.h>
#include <stdbool.h>

#include "loop.h"

typedef struct muster__request muster__request;

/* First in a struct of the asker's, on the heap. */
struct muster__request {
    muster__task task;
    void (*fn)(muster__request *request);      /* on the control thread */
    void (*abandon)(muster__request *request); /* there too, after fn, when the
                                                  asker has gone: frees all */
    pthread_mutex_t lock;                      /* guards the two below */
    pthread_cond_t changed;
    bool is_done;
    bool is_abandoned;
};

/* Thread: any. MUSTER_NOMEM. */
muster_status muster__request_init(muster__request *request,
                                   void (*fn)(muster__request *request),
                                   void (*abandon)(muster__request *request));

/* Runs it and waits; at once when called on the control thread. MUSTER_OK: fn
 * has run, and the memory is the asker's again. MUSTER_TIMEOUT: a plugin has
 * the control thread stuck; the request is no longer the asker's. Thread: any.
 */
muster_status muster__request_run(muster__request *request, muster_error *err);

/* False when the asker has gone before fn began: what it lent may be gone, too.
 * Asked first thing in fn: if true, the asker stays until a plugin called from
 * fn gets stuck. Thread: control. */
bool muster__request_is_wanted(muster__request *request);

/* After MUSTER_OK, or when it was never run. */
void muster__request_fini(muster__request *request);

#endif
