/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces a READY connection by a new one without a gap: the new one is made
 * beside the old, takes its place in the view when it is READY, and only then
 * the old one drains. The transport asks for it, for instance because its
 * certificates have changed. Thread: control, all of it. */
#ifndef MUSTER_CORE_RENEWAL_H
#define MUSTER_CORE_RENEWAL_H

#include <stdbool.h>

#include "connection.h"

typedef struct muster__renewal muster__renewal;

/* Those that wait for room among the connections being made. */
typedef struct muster__renewals {
    muster__renewal *first;
    muster__renewal *last;
} muster__renewals;

/* connection, which is READY and in use, is to be replaced. Nothing when that
 * is under way. Out of memory it stays as it is, which is logged, and is tried
 * again later. */
void muster__renewal_begin(muster__connection *connection);

/* Begins what found no memory, if anything. The connector is the caller's to
 * run. */
void muster__renewal_try_again(muster__connection *connection);

/* Makes a new connection when there is room, and has itself called again for
 * the next: to read the authorities for one may take a transport a while. */
void muster__renewals_run(muster_channel *channel);

/* Whether connection is being made to replace another one. */
bool muster__renewal_is_successor(const muster__connection *connection);

/* The successor is READY, and takes over. False when there was no memory for
 * it: it is gone then, and the old one stays until another attempt. */
bool muster__renewal_succeeded(muster__connection *successor);

/* The successor failed: the old one stays, and another attempt is made after a
 * backoff. */
void muster__renewal_failed(muster__connection *successor, const char *reason);

/* connection went away by itself: if its successor is under way, that becomes
 * the subchannel's connection in its place, like any that is being made. */
void muster__renewal_adopt(muster__connection *connection);

/* Ends the backoff after a successor that failed, or that found no memory.
 * Nothing when none runs. */
void muster__renewal_reset_backoff(muster__connection *connection);

/* connection is given up: so is its successor. Nothing when there is none. */
void muster__renewal_end(muster__connection *connection);

#endif
