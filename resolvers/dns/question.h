/* SPDX-License-Identifier: Apache-2.0 */
/* A question and what is known of its answer: one for a name, a type and a
 * group of servers, however many targets want to know. It lives as long as
 * somebody follows it. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_DNS_QUESTION_H
#define MUSTER_RESOLVERS_DNS_QUESTION_H

#include <muster/status.h>

#include <stdbool.h>
#include <stdint.h>

#include "group.h"
#include "packet.h"

typedef struct muster__dns_question muster__dns_question;
typedef struct muster__dns_follow muster__dns_follow;

/* Embedded in who wants to know. */
struct muster__dns_follow {
    muster__dns_follow *next;  /* the question's */
    muster__dns_follow **link; /* what points to this one */
    muster__dns_question *question;
    void *owner; /* who wants to know */

    /* It was asked, by whomever. Never called from inside a function of this
     * header; may ask, follow and unfollow. */
    void (*answered)(muster__dns_follow *self);
};

/* What is known. */
typedef struct muster__dns_known {
    muster__dns_answer *answer; /* the last one, kept through troubles; NULL:
                                   there was none yet */
    bool is_inherited;          /* these servers have not answered yet */
    uint64_t answered_ms;
    muster__dns_trouble trouble; /* of the last time it was asked */
    const char *message;         /* of the trouble; "" when there is none */
    uint64_t trouble_since_ms;   /* the first of them in a row */
    uint64_t tried_ms;           /* the last time it was asked */
    uint64_t tried_event;        /* the same as the scope counts events */
    uint32_t n_troubles;         /* in a row */
} muster__dns_known;

/* Follows the question for name (lower case) and type. One that nobody has
 * followed yet takes over what is known of the same question to the servers of
 * former (NULL: none), so that other servers remove nothing before they have
 * answered. On success self->question is set. MUSTER_NOMEM. */
muster_status muster__dns_follow_start(muster__dns_group *group,
                                       const muster__dns_group *former,
                                       const char *name, muster__dns_type type,
                                       muster__dns_follow *self);

/* answered() is not called any more. Nothing happens when self follows none. */
void muster__dns_follow_stop(muster__dns_follow *self);

/* Asks. When that is under way, sees to it that it goes on. */
void muster__dns_question_ask(muster__dns_question *question);

muster__dns_type
muster__dns_question_type(const muster__dns_question *question);
bool muster__dns_question_is_asking(const muster__dns_question *question);
const muster__dns_known *
muster__dns_question_known(const muster__dns_question *question);

#endif
