/* SPDX-License-Identifier: Apache-2.0 */
/* A name that a target wants to know. */
#include "entry.h"

/* Between two tries at a family that never answered. */
#define COMPANION_MS UINT64_C(30000)
#define COMPANION_MAX_MS UINT64_C(600000)

static const struct {
    unsigned want;
    muster__dns_type type;
} types[] = {{MUSTER__DNS_WANT_A, MUSTER__DNS_A},
             {MUSTER__DNS_WANT_AAAA, MUSTER__DNS_AAAA},
             {MUSTER__DNS_WANT_SRV, MUSTER__DNS_SRV},
             {MUSTER__DNS_WANT_TXT, MUSTER__DNS_TXT}};

void muster__dns_entry_fini(muster__dns_entry *entry)
{
    while (entry->n > 0) {
        muster__dns_follow_stop(&entry->follows[--entry->n]);
    }
}

muster_status muster__dns_entry_init(muster__dns_entry *entry,
                                     const muster__dns_follower *follower,
                                     const char *name, unsigned wanted)
{
    entry->n = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        muster__dns_follow *follow = &entry->follows[entry->n];

        if ((wanted & types[i].want) == 0) {
            continue;
        }
        *follow = (muster__dns_follow){.owner = follower->owner,
                                       .answered = follower->answered};
        if (muster__dns_follow_start(follower->group, follower->former, name,
                                     types[i].type, follow) != MUSTER_OK) {
            muster__dns_entry_fini(entry);
            return MUSTER_NOMEM;
        }
        entry->n++;
    }
    return MUSTER_OK;
}

static const muster__dns_known *known_of(const muster__dns_entry *entry,
                                         size_t i)
{
    return muster__dns_question_known(entry->follows[i].question);
}

static bool is_troubled(const muster__dns_known *known)
{
    return known->trouble != MUSTER__DNS_NO_TROUBLE;
}

/* Whether that alone says what there is: records, or that nothing is there of
 * any type (RFC 8020). */
static bool is_enough(const muster__dns_known *known)
{
    return known->answer != NULL && !is_troubled(known) &&
           (known->answer->outcome == MUSTER__DNS_ANSWER ||
            known->answer->is_nxdomain);
}

/* The servers of many networks do not answer for AAAA at all. A family that
 * never had an answer does not matter when the other's is enough, and is then
 * asked for along with that, not on its own. What failed here, for want of
 * memory, says nothing of the servers. */
static bool is_companion(const muster__dns_entry *entry, size_t i)
{
    const muster__dns_known *known = known_of(entry, i);

    return entry->n > 1 && known->answer == NULL && is_troubled(known) &&
           known->trouble != MUSTER__DNS_LOCAL &&
           is_enough(known_of(entry, 1 - i));
}

/* A question in trouble is due when the other has had an answer since: the
 * servers are back. */
static uint64_t due_ms_of(const muster__dns_entry *entry, size_t i,
                          const muster__dns_pace *pace)
{
    const muster__dns_known *known = known_of(entry, i);

    if (entry->n > 1 && is_troubled(known)) {
        const muster__dns_known *other = known_of(entry, 1 - i);

        if (!is_troubled(other) && other->tried_event > known->tried_event) {
            return 0;
        }
    }
    return muster__dns_pace_due_ms(pace, known);
}

uint64_t muster__dns_entry_due_ms(const muster__dns_entry *entry,
                                  const muster__dns_pace *pace)
{
    uint64_t soonest_ms = UINT64_MAX;

    for (size_t i = 0; i < entry->n; i++) {
        uint64_t due_ms;

        if (is_companion(entry, i) ||
            muster__dns_question_is_asking(entry->follows[i].question)) {
            continue;
        }
        due_ms = due_ms_of(entry, i, pace);
        soonest_ms = due_ms < soonest_ms ? due_ms : soonest_ms;
    }
    return soonest_ms;
}

/* A companion is asked with the other, the more seldom the longer it has not
 * answered: each time it holds a place at the server until it times out. */
static bool is_due(const muster__dns_entry *entry, size_t i,
                   const muster__dns_pace *pace, uint64_t now_ms)
{
    const muster__dns_known *known = known_of(entry, i);
    uint64_t rest_ms = COMPANION_MS * known->n_troubles;

    if (!is_companion(entry, i)) {
        return due_ms_of(entry, i, pace) <= now_ms;
    }
    rest_ms = rest_ms < COMPANION_MAX_MS ? rest_ms : COMPANION_MAX_MS;
    return now_ms - known->tried_ms >= rest_ms &&
           muster__dns_pace_due_ms(pace, known_of(entry, 1 - i)) <= now_ms;
}

void muster__dns_entry_ask(const muster__dns_entry *entry,
                           const muster__dns_pace *pace, uint64_t now_ms)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (is_due(entry, i, pace, now_ms)) {
            muster__dns_question_ask(entry->follows[i].question);
        }
    }
}

bool muster__dns_entry_is_asking(const muster__dns_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (muster__dns_question_is_asking(entry->follows[i].question)) {
            return true;
        }
    }
    return false;
}

bool muster__dns_entry_is_incomplete(const muster__dns_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        const muster__dns_known *known = known_of(entry, i);

        if (known->answer == NULL && !is_troubled(known) &&
            muster__dns_question_is_asking(entry->follows[i].question)) {
            return true;
        }
    }
    return false;
}

const muster__dns_answer *
muster__dns_entry_answer(const muster__dns_entry *entry, size_t i)
{
    const muster__dns_answer *answer = known_of(entry, i)->answer;

    return answer != NULL && answer->outcome == MUSTER__DNS_ANSWER ? answer
                                                                   : NULL;
}

muster__dns_outcome muster__dns_entry_outcome(const muster__dns_entry *entry)
{
    muster__dns_outcome outcome = MUSTER__DNS_NO_SUCH_NAME;

    for (size_t i = 0; i < entry->n; i++) {
        if (muster__dns_entry_answer(entry, i) != NULL) {
            return MUSTER__DNS_ANSWER;
        }
        if (known_of(entry, i)->answer == NULL && !is_companion(entry, i)) {
            outcome = MUSTER__DNS_UNKNOWN;
        }
    }
    return outcome;
}

const muster__dns_known *
muster__dns_entry_trouble(const muster__dns_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (is_troubled(known_of(entry, i)) && !is_companion(entry, i)) {
            return known_of(entry, i);
        }
    }
    return NULL;
}

bool muster__dns_entry_lacks(const muster__dns_entry *entry,
                             muster__dns_type type)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (muster__dns_question_type(entry->follows[i].question) == type) {
            return known_of(entry, i)->answer == NULL;
        }
    }
    return false;
}
