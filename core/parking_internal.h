/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of parking share: a pick that waits. */
#ifndef MUSTER_CORE_PARKING_INTERNAL_H
#define MUSTER_CORE_PARKING_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/channel.h>

#include "config/method_config.h"
#include "parking.h"

/* The list is in the order of the ids. WAITING: in it. SERVING: in the list,
 * and the control thread asks for it: nobody else takes it out. DONE: the
 * verdict is in; nobody but the waiter touches it. Changes under the lock. */
enum { WAITING, SERVING, DONE };

struct muster__parked {
    muster__parked *next;
    muster__parked *previous;
    muster_call_info call;
    uint64_t id;
    int phase;
    atomic_bool is_cancelled; /* set under the lock */
    bool has_waited;          /* it was counted */
    bool is_limited;          /* the service config has had its say */
    bool is_limit_new;        /* its thread sleeps to another deadline yet */
    bool is_untimed;          /* its thread sleeps without a deadline */
    uint64_t since_ns;
    uint64_t not_before_ns; /* of an asynchronous one: it is not asked for */
    muster_status status;
    muster_lease lease;
    muster_error err;
    pthread_cond_t done; /* of a blocking pick */
    muster_pick_fn fn;   /* of an asynchronous one; NULL: blocking */
    void *arg;
    char text[]; /* of an asynchronous one: its copied strings */
};

/* The lock is held. */
void muster__parking_append_locked(muster__parking *parking,
                                   muster__parked *parked);
void muster__parking_remove_locked(muster__parking *parking,
                                   muster__parked *parked);

/* Takes over the timeout that the service config gives the method, once;
 * config may be NULL. */
void muster__parked_limit(muster__parked *parked,
                          const muster__method_config *config);

#endif
