/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane of a channel: slots that pin connections, the chunked READY
 * view, the published picker, pick and finish, reclamation. The README's
 * "Pick path" has the picture and the rules; guard.h is beneath it. */
#ifndef MUSTER_CORE_PLANE_H
#define MUSTER_CORE_PLANE_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/balancer.h>
#include <muster/channel.h>

typedef struct muster__plane muster__plane;
typedef struct muster__slot muster__slot; /* one connection, hot part */
typedef struct muster__view muster__view; /* an immutable READY view */
struct muster__methods;
struct muster__method_config;

/* A policy instance as the data plane sees it. Made by policy.c, alive until
 * its `unpublished` was called. */
typedef struct muster__published_policy {
    const muster_balancer_class *class_;
    void *self;
    uint32_t number;   /* of the instance in its channel; leases remember it */
    uint32_t has_done; /* class_->done is there */
    /* State of subchannel i: state_chunks[i / 512] + (i % 512) * state_size.
     * The directory is replaced, never changed, while readers may hold it. */
    char *const *state_chunks;
    uint32_t state_size; /* rounded up to 16 */
    uint32_t n_state_chunks;
} muster__published_policy;

typedef struct muster__plane_host {
    /* Thread: control, from muster__plane_poll(). The last lease of slot is
     * finished (or there never was one): its connection may be destroyed. The
     * slot itself must not be used after this. */
    void (*slot_closed)(void *ctx, void *owner, muster__slot *slot);

    /* Thread: control, from muster__plane_poll(). No reader can reach what was
     * published with this garbage pointer any more. */
    void (*garbage)(void *ctx, void *garbage);

    /* Thread: any; wait-free. The control thread should call
     * muster__plane_poll() soon. */
    void (*wake)(void *ctx);

    /* Thread: any; wait-free. A pick came, and is noted. */
    void (*noted)(void *ctx);

    /* Thread: any. A policy answered CONNECT for id. */
    void (*connect)(void *ctx, uint64_t id);
    void *ctx;
} muster__plane_host;

/* Publishes an empty picker in state MUSTER_CONNECTING. Thread: control. */
muster_status muster__plane_create(const muster__plane_host *host,
                                   muster__plane **ret_plane);

/* No pick is running or will come, nothing drains (muster__plane_poll() said
 * false, after a publication without endpoints), every frozen view is published
 * or discarded. Gives the last publication's garbage to host.garbage(). NULL is
 * ignored. Thread: control. */
void muster__plane_destroy(muster__plane *plane);

/* ---- slots and the working view. Thread: control ---- */

/* A slot for a connection that is READY. owner is what slot_closed() gets; id
 * is the backend id (low 32 bits: the subchannel's number). endpoint and
 * connection are borrowed until slot_closed(). Not yet in the view. */
muster_status muster__slot_create(muster__plane *plane, uint64_t id,
                                  const muster_endpoint *endpoint,
                                  void *connection, void *owner,
                                  muster__slot **ret_slot);

/* Gives back a slot that never entered the view. NULL is ignored. */
void muster__slot_destroy(muster__plane *plane, muster__slot *slot);

/* Enters and leaves the working view: O(1). A slot that has left cannot come
 * back: it drains and closes once a view without it is published. Adding may
 * fail with MUSTER_NOMEM and changes nothing then; leaving cannot fail (what it
 * may need memory for is done by the next freeze). */
muster_status muster__view_add(muster__plane *plane, muster__slot *slot);
void muster__view_remove(muster__plane *plane, muster__slot *slot);

uint32_t
muster__view_size(const muster__plane *plane); /* of the working view */
/* The backend id of the i-th slot of a frozen view. */
uint32_t muster__frozen_size(const muster__view *view);
uint64_t muster__frozen_id(const muster__view *view, uint32_t index);

/* The sum of a slot's in-flight cells: exact only at rest. */
int64_t muster__slot_in_flight(const muster__slot *slot);

/* Picks of the slot since this was last asked, or since it was created: those
 * given back, too. Modulo 2^32, so it is to be asked before so many are made.
 * Thread: control. */
uint32_t muster__slot_new_picks(muster__slot *slot);

/* ---- pools: endpoints with several connections. Thread: control ---- */

/* One more than an endpoint may have connections: while one replaces another,
 * both are members. */
#define MUSTER__POOL_MAX 65u

/* A slot that stands for up to capacity (at most MUSTER__POOL_MAX) others in
 * views. It counts no call, and slot_closed() does not hear of it. It should be
 * in the view only while it has a member. */
muster_status muster__leader_create(muster__plane *plane, uint64_t id,
                                    uint32_t capacity, bool is_least_loaded,
                                    muster__slot **ret_leader);

/* Members are slots of the leader's id that are in no view. Adding needs no
 * memory and no new view; there is room. One that is removed drains: picks do
 * not wait for a view to learn of it. When the leader has left the published
 * view its members drain too, and are not to be removed. */
void muster__pool_add(muster__slot *leader, muster__slot *member);
void muster__pool_remove(muster__plane *plane, muster__slot *leader,
                         muster__slot *member);

/* The working view as it is now: immutable, the caller's. On MUSTER_NOMEM try
 * again later. Views are published in the order they were frozen. discard
 * ignores NULL. */
muster_status muster__view_freeze(muster__plane *plane,
                                  muster__view **ret_view);
void muster__view_discard(muster__plane *plane, muster__view *view);

/* ---- publication. Thread: control ---- */

typedef struct muster__publication {
    muster__view *view;                     /* taken over */
    const muster__published_policy *policy; /* NULL: none yet */
    void *table;   /* what build() made for view, or NULL */
    void *garbage; /* given to host.garbage() when unreachable, or NULL */
    muster_connectivity state;
    const char *reason; /* copied; for fail-fast picks when nothing is READY */
    const struct muster__methods *methods; /* of the service config, valid as
                                              long as garbage; or NULL */
} muster__publication;

/* Whether readers hold up so much memory that a change should rather be merged
 * with the next (never while over 1/8 of the published view is gone). */
bool muster__plane_should_merge(const muster__plane *plane);

/* Whether the published view may serve on for a while instead of the working
 * one: nothing of it is gone, it has more than half of that, and it notes picks
 * when it is to. */
bool muster__plane_lacks_little(const muster__plane *plane);

/* Makes picks see it: one store. Slots that left the working view before
 * publication->view was frozen begin to drain. On MUSTER_NOMEM nothing changed
 * and the view is still the caller's; so with MUSTER_INVAL, when a view frozen
 * later was published already. */
muster_status muster__plane_publish(muster__plane *plane,
                                    const muster__publication *publication);

/* From the next publication on, whether picks are noted, each of them: what
 * tells that none came costs those nothing that nobody waits for. They are as
 * good as others, but slower. */
void muster__plane_note_picks(muster__plane *plane, bool are_noted);

/* Whether those of what is published now are. */
bool muster__plane_is_noting(const muster__plane *plane);

/* A view without them is frozen and waits for its table: makes picks refuse the
 * slots that left, unless over 1/8 of the published view would be refused. */
void muster__plane_refuse_removed(muster__plane *plane);

/* The slot's connection has died: no pick gets it from now on, published or
 * not. It still has to leave the working view, unless it has. Nothing when none
 * can get it any more. */
void muster__slot_refuse(muster__slot *slot);

/* The same for all slots of an owner, which need not remember them: looks at
 * each slot of the plane. */
void muster__plane_refuse_owned(muster__plane *plane, const void *owner);

/* Of the policy that picks ask now; "no policy" without one. Lives as long as
 * the process. Thread: control. */
const char *muster__plane_policy_name(const muster__plane *plane);

uint64_t muster__plane_generation(const muster__plane *plane); /* any thread */

/* One step of reclamation; never blocks. True while something still waits: call
 * it again from a timer (1 ms), and after host.wake(). */
bool muster__plane_poll(muster__plane *plane);

/* Whether the timer is needed. When it is not, and poll said true, only leases
 * are waited for: host.wake() comes when the last one of a slot is finished. */
bool muster__plane_needs_timer(const muster__plane *plane);

typedef struct muster__plane_stats {
    uint64_t picks_given_back;
    uint64_t picks_failed;
    uint64_t draining;
    int64_t in_flight;
    uint32_t n_published;
    uint32_t reserved;
} muster__plane_stats;
void muster__plane_stats_get(const muster__plane *plane,
                             muster__plane_stats *ret_stats);

/* ---- data path. Thread: any; wait-free ---- */

/* As muster_channel_pick(). MUSTER_CLOSED when the picker's state is
 * MUSTER_SHUTDOWN. A fail-fast call in TRANSIENT_FAILURE gets
 * MUSTER_UNAVAILABLE and err the reason. */
muster_status muster__plane_pick(muster__plane *plane,
                                 const muster_call_info *call,
                                 muster_lease *ret_lease, muster_error *err);

/* The same, slower; *ret_generation is that of the picker asked, for parking.
 */
muster_status muster__plane_pick_noting(muster__plane *plane,
                                        const muster_call_info *call,
                                        muster_lease *ret_lease,
                                        uint64_t *ret_generation,
                                        muster_error *err);

/* What the published service config says of the call's method, as
 * muster__methods_find(). False: nothing. */
bool muster__plane_find_method(muster__plane *plane, const char *method,
                               struct muster__method_config *ret_config);

/* muster_lease_finish() and the lease's getters are defined with the plane. */

#endif
