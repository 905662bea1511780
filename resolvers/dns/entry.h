/* SPDX-License-Identifier: Apache-2.0 */
/* A name that a target wants to know, with the questions about it. Thread:
 * control, all of it. */
#ifndef MUSTER_RESOLVERS_DNS_ENTRY_H
#define MUSTER_RESOLVERS_DNS_ENTRY_H

#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>

#include "pace.h"
#include "question.h"

enum { MUSTER__DNS_FOLLOWS_MAX = 2 };

/* What the questions are about: a set. */
enum {
    MUSTER__DNS_WANT_A = 1 << 0,
    MUSTER__DNS_WANT_AAAA = 1 << 1,
    MUSTER__DNS_WANT_SRV = 1 << 2,
    MUSTER__DNS_WANT_TXT = 1 << 3
};

typedef struct muster__dns_entry {
    size_t n; /* follows that are in use */
    muster__dns_follow follows[MUSTER__DNS_FOLLOWS_MAX];
} muster__dns_entry;

/* Who follows, and whom. */
typedef struct muster__dns_follower {
    void *owner; /* and answered: of each follow */
    void (*answered)(muster__dns_follow *self);
    muster__dns_group *group;
    const muster__dns_group *former; /* see muster__dns_follow_start() */
} muster__dns_follower;

/* Begins to follow what is wanted (two things at most) of name. follower is
 * copied. MUSTER_NOMEM. */
muster_status muster__dns_entry_init(muster__dns_entry *entry,
                                     const muster__dns_follower *follower,
                                     const char *name, unsigned wanted);

/* Twice does nothing. */
void muster__dns_entry_fini(muster__dns_entry *entry);

/* Asks what is due. */
void muster__dns_entry_ask(const muster__dns_entry *entry,
                           const muster__dns_pace *pace, uint64_t now_ms);

/* Whether it is being asked. */
bool muster__dns_entry_is_asking(const muster__dns_entry *entry);

/* Whether it is being asked something that was not answered ever. */
bool muster__dns_entry_is_incomplete(const muster__dns_entry *entry);

/* When something will be due that is not being asked; UINT64_MAX: nothing will.
 */
uint64_t muster__dns_entry_due_ms(const muster__dns_entry *entry,
                                  const muster__dns_pace *pace);

/* What its questions say together: ANSWER when one has records, NO_SUCH_NAME
 * when all say so, else UNKNOWN. Earlier answers count while there is trouble.
 */
muster__dns_outcome muster__dns_entry_outcome(const muster__dns_entry *entry);

/* The first of its troubles: what is known of a question whose earlier answer
 * stands in, or that has none at all. NULL: there is none. A family that never
 * had an answer, while the other's is enough, is no trouble. */
const muster__dns_known *
muster__dns_entry_trouble(const muster__dns_entry *entry);

/* Whether type is asked for and was not answered ever. */
bool muster__dns_entry_lacks(const muster__dns_entry *entry,
                             muster__dns_type type);

/* The answer of follow i when that has records; else NULL. */
const muster__dns_answer *
muster__dns_entry_answer(const muster__dns_entry *entry, size_t i);

#endif
