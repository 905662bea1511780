/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel is made of. Everything in it belongs to the control thread,
 * but for what says otherwise. */
#ifndef MUSTER_CORE_CHANNEL_INTERNAL_H
#define MUSTER_CORE_CHANNEL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/channel.h>

#include "asked.h"
#include "channel_config.h"
#include "channel_retry.h"
#include "connectivity.h"
#include "connector.h"
#include "counters.h"
#include "idle.h"
#include "nudge.h"
#include "parking.h"
#include "plane.h"
#include "policy.h"
#include "priority.h"
#include "publisher.h"
#include "renewal.h"
#include "resolution.h"
#include "shutdown.h"
#include "spares.h"
#include "subchannel.h"
#include "subchannel_table.h"

/* The view the channel wants, and the old endpoints that serve meanwhile:
 * behaviour rule 4. */
typedef struct muster__held {
    muster__subchannel **items; /* READY, not eligible, still in the view */
    uint32_t n;
    uint32_t capacity;
    muster__timer *timer; /* replace_timeout, from the first unserved list */
    bool has_expired;     /* since then nothing is held any more */
} muster__held;

struct muster_channel {
    muster_channel_options options; /* defaults filled in; strings are ours */
    muster_channel_options given;   /* what is open is 0; its strings are not */
    muster__plane *plane;           /* data path: any thread */
    muster__parking parking;        /* any thread; has its own lock */
    _Atomic int state;              /* muster_connectivity, as published */
    atomic_uint refs; /* the user's, the open channel's, each posted task's */

    muster__nudge poll_nudge;      /* a lease ended: any thread */
    muster__nudge refresh_nudge;   /* any thread */
    muster__nudge republish_nudge; /* any thread */
    muster__nudge connect_nudge;   /* any thread */
    muster__nudge wake_nudge;      /* connect what is idle: any thread */
    muster__nudge reset_nudge;     /* forget backoff: any thread */
    muster__asked asked;           /* by CONNECT verdicts; any thread */
    muster__task close_task;
    _Atomic bool is_close_posted;
    muster__task free_task;

    muster__subscriber subscriber;
    bool has_list;
    bool is_closing;
    bool has_ended;             /* the resolver is done with us */
    bool is_done;               /* nothing is left to reclaim */
    bool has_given_up;          /* on a build that hangs: closed without it */
    muster__timer *close_timer; /* when that is */
    bool is_plane_busy;
    bool has_transport_ref;
    muster_status end_status;
    char *name;             /* the target in canonical form; never changes */
    char *resolver_failure; /* before any list */
    const char *authority;  /* the options' or the target's; NULL: neither */

    muster__channel_config config;
    muster__channel_retry retry; /* any thread */
    muster__subchannel_table table;
    muster__priorities priorities;
    muster__connector connector;
    muster__renewals renewals;
    muster__pools pools;
    muster__held held;
    muster__publisher publisher;
    muster__policy *policies;  /* all instances, children included */
    muster__counters counters; /* of the policies */
    muster__timer *poll_timer;
    muster__timer *drain_timer;
    muster__timer *again_timer; /* of those without memory for their own */
    struct muster__connection *draining; /* oldest first, when deadlines run */
    struct muster__connection *draining_last;
    struct { /* how many have the reference weight: all equal or not */
        uint32_t reference;
        uint32_t n_same;
    } weights;
    struct { /* held ones by hash, while a list is taken over */
        uint32_t *slots;
        uint32_t mask;
    } held_index;
    muster__states states; /* who watches; waiting threads */
    muster__shutdown shutdown;
    muster__idleness idleness;
    bool is_reconcile_due; /* look at every subchannel again */
    bool is_resync_due;    /* a change could not be taken over: no memory */
    bool is_list_refused;  /* the last was too long: the next is a resync */
    bool has_warned_weights;

    struct {
        uint64_t created;
        uint64_t ready;
        uint64_t failed;
        uint64_t destroyed;
    } connections;
    char *latest_failure; /* of a subchannel: the reason of TRANSIENT_FAILURE */

    pthread_mutex_t close_lock; /* guards the three below; any thread */
    pthread_cond_t close_changed;
    bool is_closed;
    muster_status close_status;
};

/* One reference more, or less: at the last one the channel is freed, by a task,
 * so that whatever runs on the control thread can go on using it. Once the last
 * is gone nothing may take another: by then no timer and no nudge is left.
 * Thread: any. */
void muster__channel_ref(muster_channel *channel);
void muster__channel_unref(muster_channel *channel);

/* Frees what was made before the control thread had it. Thread: any. */
void muster__channel_discard(muster_channel *channel);

/* Everything of it is down, or was never up. Thread: control. */
void muster__channel_free(muster_channel *channel);
void muster__channel_free_task(muster__task *task);

/* The target, for messages. */
const char *muster__channel_name(const muster_channel *channel);

/* Whether subchannel belongs in the view: listed, READY, not ejected, of the
 * active priority. */
bool muster__channel_is_eligible(const muster_channel *channel,
                                 const muster__subchannel *subchannel);

/* The subchannel's eligibility, or that of many (NULL), may have changed:
 * brings the working view in line with it (rule 4 included) and publishes. */
void muster__channel_reconcile(muster_channel *channel,
                               muster__subchannel *subchannel);

/* The steps of reconcile, for a list: brings all (first NULL) or one in line
 * after priorities were decided anew; one alone; the held ones. None publishes.
 */
void muster__channel_update_view(muster_channel *channel,
                                 muster__subchannel *first);
void muster__channel_update_one(muster_channel *channel,
                                muster__subchannel *subchannel);
void muster__channel_settle(muster_channel *channel);

/* No longer held; nothing when it is not. */
void muster__held_remove(muster_channel *channel,
                         muster__subchannel *subchannel);

/* The held timer's fn: nothing of the new list became READY in time. */
void muster__channel_replace_timeout(void *channel);

/* Whether listed endpoints have different weights. */
bool muster__channel_weights_differ(const muster_channel *channel);

/* Takes over what an earlier change could not, for want of memory. */
void muster__channel_resync(muster_channel *channel);

/* Something picks see has changed; publishes now or as soon as possible. */
void muster__channel_publish(muster_channel *channel);

/* The channel's state by rule 6, and the reason of TRANSIENT_FAILURE. */
muster_connectivity muster__channel_aggregate(const muster_channel *channel,
                                              const char **ret_reason);

/* A state or the list changed: wanted endpoints begin to connect. */
void muster__channel_connect_wanted(muster_channel *channel);

/* Subscribes to target, which it takes over. */
muster_status muster__channel_subscribe(muster_channel *channel,
                                        muster__target *target,
                                        muster_error *err);

/* Gives all endpoints up, with their connections; calls go on. Stops what would
 * be done about a list later. Publishes nothing. */
void muster__channel_drop_all(muster_channel *channel, const char *cause);

/* The fns of wake_nudge and reset_nudge. */
void muster__channel_wake(void *channel);
void muster__channel_forget_backoff(void *channel);

/* What failed and found no memory for a timer of its own is tried again when
 * the channel's initial backoff is over; and that timer's fn. */
void muster__channel_try_again_later(muster_channel *channel);
void muster__channel_try_again(void *channel);

/* The close timer's fn: a policy's build hangs. */
void muster__channel_give_up(void *channel);

/* Begins to close, unless that has begun. */
void muster__channel_begin_close(muster_channel *channel);

/* Looks whether the closing channel is done. */
void muster__channel_advance_close(muster_channel *channel);

/* Whether a nudge is on its way: the channel must stay until it came. */
bool muster__channel_is_nudged(const muster_channel *channel);

/* Starts the timer that polls the plane. */
void muster__channel_poll_soon(muster_channel *channel);

/* The resolver's list changed; a subscriber callback. */
void muster__channel_list_changed(muster__subscriber *subscriber,
                                  const muster__changes *changes);

#endif
