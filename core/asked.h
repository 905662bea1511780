/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints that policies asked to connect (MUSTER_PICK_CONNECT), on their
 * way from the picking threads to the control thread. */
#ifndef MUSTER_CORE_ASKED_H
#define MUSTER_CORE_ASKED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MUSTER__ASKED_MAX 32

typedef struct muster__asked {
    _Atomic uint64_t ids[MUSTER__ASKED_MAX]; /* 0: free */
    atomic_bool was_full;
} muster__asked;

/* Adds id, which is not 0, unless it is there. Thread: any; wait-free. */
void muster__asked_add(muster__asked *asked, uint64_t id);

/* Takes one out; 0: none is left. Thread: control. */
uint64_t muster__asked_take(muster__asked *asked);

/* Whether an id did not find room since the last time: who asked for it is to
 * be asked again. Thread: control. */
bool muster__asked_was_full(muster__asked *asked);

#endif
