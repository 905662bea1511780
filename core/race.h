/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's attempts at the addresses of its endpoint, one after the other
 * and overlapping (RFC 8305, gRFC A61), until one is READY or all have failed.
 * Thread: control, all of it. */
#ifndef MUSTER_CORE_RACE_H
#define MUSTER_CORE_RACE_H

#include <stdbool.h>
#include <stddef.h>

#include "attempt.h"

/* Room for why no address could be reached. */
enum { MUSTER__RACE_REASON_SIZE = 1024 };

typedef struct muster__race muster__race;

/* Over the addresses of connection's endpoint. Nothing has begun yet. NULL: out
 * of memory. */
muster__race *muster__race_create(struct muster__connection *connection);

/* Destroys the attempts that are left. NULL is ignored. */
void muster__race_destroy(muster__race *race);

/* Begins the next attempt that can be begun. False: all have failed. */
bool muster__race_go_on(muster__race *race);

/* attempt has failed, and is destroyed; the next one begins when it was the
 * latest. False: all have failed. reason is copied. */
bool muster__race_lose(muster__race *race, muster__attempt *attempt,
                       const char *reason);

/* attempt is READY: it becomes the caller's. */
void muster__race_win(muster__race *race, const muster__attempt *attempt);

/* Why all have failed. Of several addresses it names each with its reason, as
 * far as there is room. */
void muster__race_explain(const muster__race *race,
                          char ret_reason[MUSTER__RACE_REASON_SIZE]);

#endif
