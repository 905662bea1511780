/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a target: a query that blocks until something changes, and the
 * next (developer.hashicorp.com/consul/api-docs/features/blocking). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "index.h"
#include "instance.h"

enum {
    /* A server that heard from its leader longer ago does not know whether a
     * list is empty. */
    LAST_CONTACT_MAX_MS = 5000,
    /* of HTTP */
    BAD_GATEWAY = 502,
    GATEWAY_TIMEOUT = 504
};

static void ask(muster__consul_instance *self);

/* ---- when to ask ---- */

static void on_timer(void *arg)
{
    muster__consul_instance *self = arg;

    self->timer = 0;
    ask(self);
}

/* After a failure the core asks to refresh, until there is none. */
static void lack_timer(muster__consul_instance *self)
{
    self->timer = 0;
    muster_fail(self->env, MUSTER_NOMEM, "out of memory: there is no timer");
}

static void ask_later(muster__consul_instance *self, uint64_t delay_ms)
{
    const muster_resolver_host *host = self->env->host;

    if (self->timer == 0 && host->call_later(self->env->ctx, delay_ms, on_timer,
                                             self, &self->timer) != MUSTER_OK) {
        lack_timer(self);
    }
}

/* What is asked then does not block, so that its answer tells: the agent may be
 * another than before, or have lost its memory. */
static void retry(muster__consul_instance *self)
{
    const muster_resolver_host *host = self->env->host;
    muster__consul_trouble trouble = self->request.reply.trouble;
    bool is_restart =
        trouble == MUSTER__CONSUL_REFUSED || trouble == MUSTER__CONSUL_RESET;
    uint64_t delay_ms = muster__consul_backoff_next(
        &self->backoff, muster__consul_now_ms(self->scope),
        self->options.max_backoff_ms, is_restart, host->random(self->env->ctx));

    self->index = 0;
    if (delay_ms < self->request.reply.retry_after_ms) {
        delay_ms = self->request.reply.retry_after_ms;
    }
    ask_later(self, delay_ms);
}

/* ---- what comes ---- */

/* Whether there was no agent to answer: a proxy in front of it says so. */
static bool is_without_agent(const muster__consul_reply *reply)
{
    if (reply->trouble == MUSTER__CONSUL_NO_TROUBLE) {
        return reply->status >= BAD_GATEWAY && reply->status <= GATEWAY_TIMEOUT;
    }
    return reply->trouble != MUSTER__CONSUL_LOCAL;
}

static void note_agent(muster__consul_instance *self)
{
    if (is_without_agent(&self->request.reply)) {
        self->has_lost_agent = true;
    }
}

static void fail(muster__consul_instance *self, const muster_error *failure)
{
    note_agent(self);
    muster__consul_say_failure(self, failure);
    retry(self);
}

static void fail_with(muster__consul_instance *self, muster_status status,
                      const char *what)
{
    muster_error failure;

    (void)muster_error_set(&failure, status, "consul %s: %s", self->agent->text,
                           what);
    fail(self, &failure);
}

/* Whether an empty list need not be the truth: the agent has just begun anew
 * and its services have not, or its server is cut off. */
static bool is_doubtful(const muster__consul_instance *self, bool has_fallen)
{
    const muster__consul_reply *reply = &self->request.reply;

    return has_fallen || self->has_lost_agent || reply->has_no_leader ||
           reply->last_contact_ms > LAST_CONTACT_MAX_MS;
}

/* What the core cannot take now is read again. */
static void say(muster__consul_instance *self,
                const muster__consul_entries *entries, bool is_confirmed)
{
    self->is_confirming = false;
    if (entries->n_endpoints > 0) {
        self->has_lost_agent = false;
    }
    if (muster__consul_say_list(self, entries, is_confirmed)) {
        ask(self);
    } else {
        retry(self);
    }
}

/* Takes what was read over. */
static void take(muster__consul_instance *self,
                 const muster__consul_entries *entries)
{
    uint64_t got = muster__consul_index_parse(
        self->request.reply.has_index ? self->request.reply.index : NULL);
    bool has_fallen = got < self->seen_index;
    bool is_confirmed = self->is_confirming && !has_fallen;

    if (entries->n_endpoints == 0 && self->request.reply.is_filtered) {
        self->is_confirming = false;
        fail_with(self, MUSTER_PERMISSION,
                  "its ACLs hide all there is; the token needs service:read "
                  "and node:read");
        return;
    }
    if (!self->is_confirming) {
        self->index = muster__consul_index_next(self->index, got);
    }
    self->seen_index = got;
    if (entries->n_endpoints == 0 && self->said.n_endpoints > 0 &&
        !self->is_confirming && !is_doubtful(self, has_fallen)) {
        self->is_confirming = true;
        ask(self);
        return;
    }
    say(self, entries, is_confirmed);
}

/* The nearest, when they are sorted so; else any. */
void muster__consul_watch_cut(const muster__consul_instance *self,
                              muster__consul_entries *entries)
{
    size_t limit = self->options.limit;

    if (limit == 0 || entries->n_endpoints <= limit) {
        return;
    }
    if (self->options.near != NULL) {
        entries->n_endpoints = limit;
    } else {
        muster__consul_entries_limit(entries, limit, self->seed);
    }
}

static void read_body(muster__consul_instance *self)
{
    const muster__consul_reply *reply = &self->request.reply;
    const muster__consul_view view = {.address = self->options.address,
                                      .has_all = !self->options.is_passing};
    muster__consul_entries entries = {.n_endpoints = 0};
    muster_error err;
    muster_status status =
        muster__consul_entries_parse(reply->body != NULL ? reply->body : "",
                                     reply->size, &view, &entries, &err);

    if (status != MUSTER_OK) {
        fail_with(self, status, err.message);
    } else {
        muster__consul_watch_cut(self, &entries);
        if (entries.n_endpoints > 0) {
            muster__consul_store_save(self, reply->body, reply->size);
        }
        take(self, &entries);
    }
    muster__consul_entries_clear(&entries);
}

/* Nobody can say that the list is not empty: that is for the core's hold to
 * decide. */
static void give_up_confirming(muster__consul_instance *self)
{
    const muster__consul_entries none = {.n_endpoints = 0};

    self->is_confirming = false;
    note_agent(self);
    (void)muster__consul_say_list(self, &none, false);
    retry(self);
}

static void on_done(muster__consul_request *request)
{
    muster__consul_instance *self = request->owner;
    muster_error failure;

    if (request->reply.trouble == MUSTER__CONSUL_NO_TROUBLE &&
        request->reply.status == 200) {
        read_body(self);
    } else if (self->is_confirming) {
        give_up_confirming(self);
    } else {
        (void)muster__consul_failure(request, &failure);
        fail(self, &failure);
    }
}

static void on_lost(muster__consul_request *request)
{
    lack_timer(request->owner);
}

/* ---- asking ---- */

static bool prepare(muster__consul_instance *self, muster_error *err)
{
    muster__consul_request *request = &self->request;
    muster_status status =
        muster__consul_token_get(&self->token, &request->token, err);

    if (status != MUSTER_OK) {
        return false;
    }
    free(self->asked);
    self->asked = muster__consul_query(self);
    if (self->asked == NULL) {
        (void)muster_error_set(err, MUSTER_NOMEM, "out of memory");
        return false;
    }
    request->owner = self;
    request->done = on_done;
    request->lost = on_lost;
    request->query = self->asked;
    request->wait_ms =
        self->index > 0 && !self->is_confirming ? self->options.wait_ms : 0;
    return true;
}

static void ask(muster__consul_instance *self)
{
    uint64_t delay_ms = muster__consul_bucket_take(
        &self->bucket, muster__consul_now_ms(self->scope));
    muster_error err;

    if (delay_ms > 0) {
        ask_later(self, delay_ms);
    } else if (prepare(self, &err)) {
        muster__consul_agent_ask(self->agent, &self->request);
    } else {
        muster__consul_reply_clear(&self->request.reply);
        fail_with(self, err.code, err.message);
    }
}

void muster__consul_watch_go(muster__consul_instance *self)
{
    const muster__consul_request *request = &self->request;

    if (!self->is_stopped && self->timer == 0 && request->in == NULL &&
        request->timer == 0) {
        ask(self);
    }
}

/* A list that the core could not take is read again, as after a failure. The
 * backoff ends with a list that it took: not before, or one that is refused for
 * ever would be asked for as often as at first. */
void muster__consul_watch_applied(muster__consul_instance *self,
                                  uint64_t sequence, muster_status status)
{
    if (self->is_stopped || sequence != self->said.sequence) {
        return;
    }
    if (status == MUSTER_OK) {
        self->backoff.n_failures = 0;
        return;
    }
    muster__consul_agent_cancel(self->agent, &self->request);
    retry(self);
}

void muster__consul_watch_end(muster__consul_instance *self)
{
    self->is_stopped = true;
    if (self->timer != 0) {
        self->env->host->cancel(self->env->ctx, self->timer);
        self->timer = 0;
    }
    muster__consul_agent_cancel(self->agent, &self->request);
}
