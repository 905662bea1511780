/* SPDX-License-Identifier: Apache-2.0 */
/* One resolver instance: what its plugin asked for and what the core wants of
 * it, brought into one row of calls that runs on the control thread or, for a
 * class that may block, on a thread of the instance's own. */
#ifndef MUSTER_CORE_RESOLVER_INSTANCE_H
#define MUSTER_CORE_RESOLVER_INSTANCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/resolver.h>

#include "loop.h"
#include "resolver_jobs.h"
#include "resolver_report.h"
#include "target.h"

struct muster__runner;
struct muster__resolver_fd;

typedef enum muster__instance_state {
    MUSTER__INSTANCE_NEW,
    MUSTER__INSTANCE_FAILED, /* create() said no */
    MUSTER__INSTANCE_CREATED,
    MUSTER__INSTANCE_STARTED,
    MUSTER__INSTANCE_STOPPING, /* stop() was called */
    MUSTER__INSTANCE_FREED
} muster__instance_state;

typedef struct muster__resolver_instance {
    _Atomic uint32_t refs;
    bool is_threaded;
    const muster_resolver_class *class_;
    const char *plugin_name;
    muster_resolver_env env;
    void *self; /* touched only where the class's calls run */

    pthread_mutex_t mutex; /* guards down to the empty line */
    pthread_cond_t work;   /* something for the thread; monotonic */
    muster__instance_state state;
    bool is_closed; /* stopped() was called, or we gave up: ignore the plugin */
    bool is_abandoned; /* would not stop: no call into it any more */
    bool is_posted;    /* task is on its way */
    bool wants_refresh;
    bool wants_stop;
    uint64_t last_sequence;
    uint64_t late_reports;
    muster__report_queue reports; /* for the control thread */
    size_t reports_weight;        /* of them, endpoints counted */
    muster__report_queue applied; /* for the plugin */
    muster__jobs jobs;
    muster_error error;         /* of create() */
    muster_status lost_failure; /* there was no memory for its report */

    /* Touched only on the control thread. */
    muster__task task;
    struct muster__runner *runner; /* NULL: nobody listens any more */
    struct muster__resolver_fd *fds;
    muster__timer *timer; /* for jobs, when not threaded */
    struct muster__resolver_instance *next_leaked;
    muster__target *leaked_target;
} muster__resolver_instance;

/* Makes one for target, with a reference for the caller; calls nothing of the
 * plugin. target must outlive it. Thread: control. MUSTER_NOMEM, and
 * MUSTER_UNAVAILABLE when there is no thread. */
muster_status muster__instance_create(const muster__target *target,
                                      void *shared,
                                      struct muster__runner *runner,
                                      muster__resolver_instance **ret_instance,
                                      muster_error *err);

void muster__instance_ref(muster__resolver_instance *instance);
void muster__instance_unref(muster__resolver_instance *instance);

/* Whether the control thread is inside some resolver's code: then no other may
 * be entered, since the plugin could be the same. Thread: control. */
bool muster__instance_is_in_call(void);
void muster__instance_enter(const muster__resolver_instance *instance,
                            const char *what);
void muster__instance_leave(void);

/* Between these a report made on the control thread waits for the next turn: a
 * callback of the program runs in the midst of a change. They nest. Thread:
 * control. */
void muster__instance_defer_reports(void);
void muster__instance_undefer_reports(void);

/* Whether it is between them, or inside a plugin's call that is no resolver's:
 * a policy's, above all, which must not end or lose endpoints meanwhile.
 * Thread: control. */
bool muster__instance_defers_reports(void);

/* Calls create() now, on the control thread; the class does not block. What
 * create() answers. */
muster_status muster__instance_make(muster__resolver_instance *instance,
                                    muster_error *err);

/* Sets the instance going: create() if that was not called yet, then start()
 * and the rest. Thread: control. MUSTER_UNAVAILABLE: no thread. */
muster_status muster__instance_run(muster__resolver_instance *instance,
                                   muster_error *err);

/* Asks for refresh() or for the end. Thread: control. */
void muster__instance_refresh(muster__resolver_instance *instance);
void muster__instance_stop(muster__resolver_instance *instance);

/* Gives the instance up for good: nothing of it is called any more. Takes over
 * its target, which it may be reading. Thread: control. */
void muster__instance_leak(muster__resolver_instance *instance,
                           muster__target *target);

/* The runner listens no more, and the caller's reference is gone. Thread:
 * control. */
void muster__instance_detach(muster__resolver_instance *instance);

muster__instance_state
muster__instance_state_get(muster__resolver_instance *instance);
uint64_t muster__instance_late_reports(muster__resolver_instance *instance);

/* A fail() for whose report there was no memory. Thread: any; control. */
void muster__instance_lose_failure(muster__resolver_instance *instance,
                                   muster_status status);
muster_status
muster__instance_take_lost_failure(muster__resolver_instance *instance);

/* Takes at most max of the reports that wait; the others will be attended to
 * later. Thread: control. */
void muster__instance_take_reports(muster__resolver_instance *instance,
                                   size_t max, muster__report_queue *ret_queue);

/* Takes over a report that was applied, to tell the plugin. Thread: control. */
void muster__instance_tell(muster__resolver_instance *instance,
                           muster__report *report);

/* Takes over a report that the plugin made: it gets its number and is applied
 * at once on the control thread, or soon. MUSTER_CLOSED; MUSTER_NOMEM when too
 * many wait. Thread: any. */
muster_status muster__instance_submit(muster__resolver_instance *instance,
                                      muster__report *report,
                                      uint64_t *ret_sequence);

/* ---- for the thread of an instance, and for what runs in its place ---- */

typedef enum muster__call_kind {
    MUSTER__CALL_NONE, /* nothing to do now */
    MUSTER__CALL_CREATE,
    MUSTER__CALL_START,
    MUSTER__CALL_REFRESH,
    MUSTER__CALL_APPLIED,
    MUSTER__CALL_JOB,
    MUSTER__CALL_STOP,
    MUSTER__CALL_FREE,
    MUSTER__CALL_END /* there will be nothing to do any more */
} muster__call_kind;

typedef struct muster__call {
    muster__call_kind kind;
    muster__report *report; /* of APPLIED: the call's */
    muster__job job;        /* of JOB */
} muster__call;

/* The next call into the plugin; the caller makes it. Holds instance->mutex. */
void muster__instance_next_locked(muster__resolver_instance *instance,
                                  muster__call *ret_call);
void muster__instance_call(muster__resolver_instance *instance,
                           muster__call *call);

/* The control thread should look at the instance. Holds instance->mutex.
 * Thread: any. */
void muster__instance_post_locked(muster__resolver_instance *instance);

/* And there is something new to call. */
void muster__instance_wake_locked(muster__resolver_instance *instance);

#endif
