/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the servers of a group one after the other, and keeps what they say. */
#include "question.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extras.h"
#include "scope.h"
#include "server.h"

/* Once around the servers. */
typedef struct inquiry {
    muster__dns_request request;
    muster__dns_server *server; /* that is asked now */
    uint32_t asked;             /* bit n: servers[n] was, this time around */
    uint32_t n_rounds;
    bool has_objection; /* a server replied, and did not say "no such name" */
    muster__dns_answer *denial; /* "no such name"; NULL: nobody said so */
    muster__dns_trouble trouble;
    muster_error error; /* of trouble */
} inquiry;

struct muster__dns_question {
    muster__dns_scope *scope;
    muster__dns_group *group;
    muster__dns_type type;
    muster__dns_follow *follows;
    muster__dns_follow *next_told; /* while followers are told */
    bool is_telling;
    muster__dns_known known;
    char *message;  /* known.message, when it is not "" */
    inquiry *asked; /* NULL: nobody is asked now */
    char name[];
};

static void ask_next(muster__dns_question *question);

/* ---- the tree of questions ---- */

/* What tsearch() compares: a question's own fields, or a sought one's. */
typedef struct key {
    const muster__dns_group *group;
    muster__dns_type type;
    const char *name;
    muster__dns_question *question; /* NULL: is sought */
} key;

static int compare(const void *left, const void *right)
{
    const key *a = left;
    const key *b = right;

    if (a->group != b->group) {
        return (uintptr_t)a->group < (uintptr_t)b->group ? -1 : 1;
    }
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static muster__dns_question *find(muster__dns_scope *scope, const key *sought)
{
    key *const *node = tfind(sought, &scope->questions, compare);

    return node != NULL ? (*node)->question : NULL;
}

/* ---- life ---- */

static void end_inquiry(muster__dns_question *question)
{
    inquiry *asked = question->asked;

    if (asked == NULL) {
        return;
    }
    if (asked->server != NULL) {
        muster__dns_server_cancel(asked->server, &asked->request);
    }
    muster__dns_answer_unref(asked->denial);
    free(asked);
    question->asked = NULL;
}

static void destroy(muster__dns_question *question)
{
    const key sought = {.group = question->group,
                        .type = question->type,
                        .name = question->name};
    key *const *node = tfind(&sought, &question->scope->questions, compare);

    if (node != NULL) {
        key *known = *node;

        (void)tdelete(&sought, &question->scope->questions, compare);
        free(known);
    }
    end_inquiry(question);
    muster__dns_answer_unref(question->known.answer);
    muster__dns_group_unref(question->group);
    free(question->message);
    free(question);
}

static muster__dns_question *create(muster__dns_scope *scope, const key *made)
{
    size_t length = strlen(made->name);
    muster__dns_question *question = calloc(1, sizeof *question + length + 1);
    key *kept = malloc(sizeof *kept);

    if (question == NULL || kept == NULL) {
        free(question);
        free(kept);
        return NULL;
    }
    question->scope = scope;
    question->group = (muster__dns_group *)made->group;
    question->type = made->type;
    question->known.message = "";
    memcpy(question->name, made->name, length + 1);
    *kept = (key){.group = made->group,
                  .type = made->type,
                  .name = question->name,
                  .question = question};
    if (tsearch(kept, &scope->questions, compare) == NULL) {
        free(question);
        free(kept);
        return NULL;
    }
    question->group->n_references++;
    return question;
}

static void inherit(muster__dns_question *question,
                    const muster__dns_group *former)
{
    const key sought = {
        .group = former, .type = question->type, .name = question->name};
    const muster__dns_question *other = find(question->scope, &sought);

    if (other != NULL && other->known.answer != NULL) {
        question->known.answer = muster__dns_answer_ref(other->known.answer);
        question->known.is_inherited = true;
    }
}

muster_status muster__dns_follow_start(muster__dns_group *group,
                                       const muster__dns_group *former,
                                       const char *name, muster__dns_type type,
                                       muster__dns_follow *self)
{
    const key sought = {.group = group, .type = type, .name = name};
    muster__dns_question *question = find(group->scope, &sought);

    if (question == NULL) {
        question = create(group->scope, &sought);
        if (question == NULL) {
            return MUSTER_NOMEM;
        }
        inherit(question, former);
    }
    self->question = question;
    self->next = question->follows;
    self->link = &question->follows;
    if (self->next != NULL) {
        self->next->link = &self->next;
    }
    question->follows = self;
    return MUSTER_OK;
}

void muster__dns_follow_stop(muster__dns_follow *self)
{
    muster__dns_question *question = self->question;

    if (question == NULL) {
        return;
    }
    *self->link = self->next;
    if (self->next != NULL) {
        self->next->link = self->link;
    }
    if (question->next_told == self) {
        question->next_told = self->next;
    }
    self->question = NULL;
    if (question->follows == NULL && !question->is_telling) {
        destroy(question);
    }
}

/* ---- the end of an inquiry ---- */

static void tell(muster__dns_question *question)
{
    question->is_telling = true;
    question->next_told = question->follows;
    while (question->next_told != NULL) {
        muster__dns_follow *follow = question->next_told;

        question->next_told = follow->next;
        follow->answered(follow);
    }
    question->is_telling = false;
    if (question->follows == NULL) {
        destroy(question);
    }
}

static void set_message(muster__dns_question *question, const char *message)
{
    free(question->message);
    question->message = message != NULL ? strdup(message) : NULL;
    question->known.message = message == NULL             ? ""
                              : question->message == NULL ? "out of memory"
                                                          : question->message;
}

/* Takes ownership of answer. */
static void settle(muster__dns_question *question, muster__dns_answer *answer)
{
    muster__dns_known *known = &question->known;

    muster__dns_extras_prepare(answer);
    muster__dns_answer_unref(known->answer);
    known->answer = answer;
    known->is_inherited = false;
    known->answered_ms = known->tried_ms = muster__dns_now_ms(question->scope);
    known->tried_event = ++question->scope->n_events;
    known->trouble = MUSTER__DNS_NO_TROUBLE;
    known->n_troubles = 0;
    set_message(question, NULL);
    end_inquiry(question);
    tell(question);
}

static void fail(muster__dns_question *question)
{
    muster__dns_known *known = &question->known;

    known->tried_ms = muster__dns_now_ms(question->scope);
    known->tried_event = ++question->scope->n_events;
    if (known->n_troubles++ == 0) {
        known->trouble_since_ms = known->tried_ms;
    }
    known->trouble = question->asked->trouble;
    set_message(question, question->asked->error.message);
    end_inquiry(question);
    tell(question);
}

/* ---- servers ---- */

/* The servers in their order, but those that were silent lately last; n when
 * all were asked. */
static size_t choose(const muster__dns_question *question)
{
    const muster__dns_group *group = question->group;
    size_t chosen = group->n;

    for (size_t i = 0; i < group->n; i++) {
        if ((question->asked->asked & 1u << i) != 0) {
            continue;
        }
        if (!muster__dns_server_is_silent(group->servers[i])) {
            return i;
        }
        chosen = chosen == group->n ? i : chosen;
    }
    return chosen;
}

/* All were asked. "No such name" needs that nobody who replied said otherwise;
 * who is out of reach has no say. */
static void end_round(muster__dns_question *question)
{
    inquiry *asked = question->asked;
    muster__dns_answer *denial = asked->denial;

    if (denial != NULL && !asked->has_objection) {
        asked->denial = NULL;
        settle(question, denial);
        return;
    }
    if (++asked->n_rounds >= question->group->manner.tries) {
        fail(question);
        return;
    }
    muster__dns_answer_unref(denial);
    asked->denial = NULL;
    asked->has_objection = false;
    asked->asked = 0;
    ask_next(question);
}

/* A reply says more than silence does. */
static void note_trouble(muster__dns_question *question,
                         muster__dns_trouble trouble, const char *reason)
{
    inquiry *asked = question->asked;
    bool is_silence =
        trouble == MUSTER__DNS_TIMEOUT || trouble == MUSTER__DNS_UNREACHABLE;

    asked->has_objection = asked->has_objection || !is_silence;
    if (is_silence && asked->trouble != MUSTER__DNS_NO_TROUBLE) {
        return;
    }
    asked->trouble = trouble;
    (void)muster_error_set(&asked->error, MUSTER_UNAVAILABLE,
                           "%s %s from %s: %s", question->name,
                           muster__dns_type_name(question->type),
                           muster__dns_server_text(asked->server), reason);
}

/* A server said "no such name". Takes ownership of denial. */
static void take_denial(muster__dns_question *question,
                        muster__dns_answer *denial)
{
    inquiry *asked = question->asked;

    if (!question->group->manner.asks_all) {
        settle(question, denial);
        return;
    }
    if (asked->denial == NULL) {
        asked->denial = denial;
    } else {
        muster__dns_answer_unref(denial);
    }
    ask_next(question);
}

static void on_reply(muster__dns_request *request,
                     const muster__dns_result *result)
{
    muster__dns_question *question = request->owner;
    muster__dns_trouble trouble = result->trouble;
    muster__dns_outcome outcome = MUSTER__DNS_UNKNOWN;
    muster__dns_answer *answer = NULL;
    muster_error why = {.code = MUSTER_OK};

    if (result->packet != NULL) {
        outcome = muster__dns_packet_read(result->packet, result->size,
                                          question->name, question->type,
                                          &answer, &trouble, &why);
    }
    switch (outcome) {
    case MUSTER__DNS_ANSWER:
        settle(question, answer);
        return;
    case MUSTER__DNS_NO_SUCH_NAME:
        take_denial(question, answer);
        return;
    case MUSTER__DNS_UNKNOWN:
        break;
    }
    note_trouble(question, trouble,
                 result->packet != NULL ? why.message : result->reason);
    ask_next(question);
}

/* Whether the round may end before server i, which did not reply lately, as did
 * none of those that are left: it has no say as long as it is silent. Where a
 * denial removes records it is worth the wait. */
static bool may_skip(const muster__dns_question *question, size_t i)
{
    const muster__dns_answer *known = question->known.answer;

    return question->asked->denial != NULL && !question->asked->has_objection &&
           (known == NULL || known->outcome != MUSTER__DNS_ANSWER) &&
           muster__dns_server_is_silent(question->group->servers[i]);
}

static void ask_next(muster__dns_question *question)
{
    const muster__dns_group *group = question->group;
    inquiry *asked = question->asked;
    size_t i = choose(question);
    uint32_t all = (uint32_t)((UINT64_C(1) << group->n) - 1);

    if (i == group->n || may_skip(question, i)) {
        end_round(question);
        return;
    }
    asked->asked |= 1u << i;
    asked->server = group->servers[i];
    asked->request.has_others = asked->asked != all;
    muster__dns_server_ask(asked->server, &asked->request);
}

void muster__dns_question_ask(muster__dns_question *question)
{
    inquiry *asked;

    if (question->asked != NULL) {
        muster__dns_server_wake(question->asked->server);
        return;
    }
    asked = calloc(1, sizeof *asked);
    if (asked == NULL) {
        return; /* the follower's timer asks again */
    }
    asked->request.name = question->name;
    asked->request.type = question->type;
    asked->request.owner = question;
    asked->request.done = on_reply;
    question->asked = asked;
    ask_next(question);
}

muster__dns_type muster__dns_question_type(const muster__dns_question *question)
{
    return question->type;
}

bool muster__dns_question_is_asking(const muster__dns_question *question)
{
    return question->asked != NULL;
}

const muster__dns_known *
muster__dns_question_known(const muster__dns_question *question)
{
    return &question->known;
}
