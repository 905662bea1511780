/* SPDX-License-Identifier: Apache-2.0 */
/* Shares an agent's connections out among its requests. */
#include "agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Consul takes 200 connections of one client's address. */
    CONNECTIONS_PLAIN = 128,
    CONNECTIONS_HTTP_2 = 16,
    STREAMS = 100, /* of a connection: CURLMOPT_MAX_CONCURRENT_STREAMS */
    /* In turns: each gets one within this time; the agent adds a sixteenth to
     * what it was told. */
    ROUND_MS = 5000,
    ROUND_LESS_MS = ROUND_MS / 16,
    GRANTED_MIN_MS = 10
};

static const char *words_of(muster_status status)
{
    switch (status) {
#define X(name, value, text)                                                   \
    case MUSTER_##name:                                                        \
        return text;
        MUSTER_STATUS_MAP(X)
#undef X
    }
    return "unknown";
}

/* ---- turns ---- */

static uint32_t slots_of(const muster__consul_agent *agent)
{
    uint32_t given = agent->max_connections;

    if (agent->version == MUSTER__CONSUL_HTTP_1) {
        return given != 0 ? given : CONNECTIONS_PLAIN;
    }
    if (given == 0) {
        given = CONNECTIONS_HTTP_2;
    }
    return agent->version == MUSTER__CONSUL_HTTP_2 ? given * STREAMS : given;
}

/* How long a query may block, so that all get their turn. */
static uint64_t share_ms(const muster__consul_agent *agent)
{
    uint64_t n_slots = slots_of(agent);
    uint64_t ms;

    if (agent->n_targets <= n_slots) {
        return UINT64_MAX;
    }
    ms = (ROUND_MS - ROUND_LESS_MS) * n_slots / agent->n_targets;
    return ms > GRANTED_MIN_MS ? ms : GRANTED_MIN_MS;
}

static void tell_turns(muster__consul_agent *agent)
{
    const muster__consul_scope *scope = agent->scope;
    char message[MUSTER__CONSUL_URL_SIZE + 160];

    if (agent->has_told_turns || agent->version == MUSTER__CONSUL_UNKNOWN) {
        return;
    }
    agent->has_told_turns = true;
    (void)snprintf(message, sizeof message,
                   "%s: %" PRIu32 " targets take turns on %" PRIu32
                   " connections, so a change may be seen up to 5 s late; "
                   "see max_connections",
                   agent->text, agent->n_targets, slots_of(agent));
    scope->host->log(scope->ctx, MUSTER_LOG_WARNING, message);
}

static void link_running(muster__consul_agent *agent,
                         muster__consul_request *request)
{
    request->next = agent->running;
    request->link = &agent->running;
    if (request->next != NULL) {
        request->next->link = &request->next;
    }
    agent->running = request;
    agent->n_running++;
}

static void unlink_running(muster__consul_agent *agent,
                           muster__consul_request *request)
{
    *request->link = request->next;
    if (request->next != NULL) {
        request->next->link = request->link;
    }
    request->link = NULL;
    agent->n_running--;
}

static void link_waiting(muster__consul_agent *agent,
                         muster__consul_request *request)
{
    request->next = NULL;
    request->link = agent->waiting_end;
    *agent->waiting_end = request;
    agent->waiting_end = &request->next;
}

static void unlink_waiting(muster__consul_agent *agent,
                           muster__consul_request *request)
{
    *request->link = request->next;
    if (request->next != NULL) {
        request->next->link = request->link;
    } else {
        agent->waiting_end = request->link;
    }
    request->link = NULL;
}

/* ---- what could not be begun ---- */

static void on_unbegun(void *arg)
{
    muster__consul_request *request = arg;

    request->timer = 0;
    request->done(request);
}

/* Tells it later, since its owner may just be asking. Without memory even for
 * that, the core's refresh() asks again. */
static void fail_later(muster__consul_request *request,
                       muster__consul_trouble trouble, muster_status status)
{
    const muster__consul_scope *scope = request->agent->scope;

    muster__consul_reply_clear(&request->reply);
    request->reply.trouble = trouble;
    (void)snprintf(request->reply.reason, sizeof request->reply.reason, "%s",
                   words_of(status));
    if (scope->host->call_later(scope->ctx, 0, on_unbegun, request,
                                &request->timer) != MUSTER_OK) {
        request->timer = 0;
    }
}

void muster__consul_agent_fail_waiting(muster__consul_agent *agent,
                                       muster_status status)
{
    while (agent->waiting != NULL) {
        muster__consul_request *request = agent->waiting;

        unlink_waiting(agent, request);
        fail_later(request, MUSTER__CONSUL_NO_NAME, status);
    }
}

/* ---- requests ---- */

static void begin(muster__consul_agent *agent, muster__consul_request *request)
{
    uint64_t most_ms = share_ms(agent);

    if (most_ms != UINT64_MAX) {
        tell_turns(agent);
    }
    request->granted_ms =
        request->wait_ms < most_ms ? request->wait_ms : most_ms;
    muster__consul_reply_clear(&request->reply);
    if (muster__consul_request_open(request) != MUSTER_OK) {
        fail_later(request, MUSTER__CONSUL_LOCAL, MUSTER_NOMEM);
        return;
    }
    link_running(agent, request);
    if (!muster__consul_http_add(agent->scope, request->easy)) {
        unlink_running(agent, request);
        muster__consul_request_close(request);
        fail_later(request, MUSTER__CONSUL_LOCAL, MUSTER_NOMEM);
    }
}

static void end(muster__consul_agent *agent, muster__consul_request *request)
{
    muster__consul_http_remove(agent->scope, request->easy);
    unlink_running(agent, request);
    muster__consul_request_close(request);
    muster__consul_reply_clear(&request->reply);
}

/* Others wait while this one blocks for longer than its share, as it may since
 * before they came: it goes to the end of the queue, its index with it. */
static void give_way(muster__consul_agent *agent)
{
    const uint64_t most_ms = share_ms(agent);
    muster__consul_request *request = agent->running;

    if (most_ms == UINT64_MAX) {
        return;
    }
    while (request != NULL && request->granted_ms / 2 <= most_ms) {
        request = request->next;
    }
    if (request != NULL) {
        end(agent, request);
        link_waiting(agent, request);
    }
}

/* ---- the queue ---- */

void muster__consul_agent_pump(muster__consul_agent *agent)
{
    if (agent->waiting == NULL || !muster__consul_agent_has_addresses(agent)) {
        return;
    }
    if (agent->n_running >= slots_of(agent)) {
        give_way(agent);
    }
    while (agent->waiting != NULL && agent->n_running < slots_of(agent)) {
        muster__consul_request *request = agent->waiting;

        unlink_waiting(agent, request);
        begin(agent, request);
    }
}

void muster__consul_agent_ask(muster__consul_agent *agent,
                              muster__consul_request *request)
{
    request->agent = agent;
    link_waiting(agent, request);
    muster__consul_agent_pump(agent);
}

void muster__consul_agent_cancel(muster__consul_agent *agent,
                                 muster__consul_request *request)
{
    const muster__consul_scope *scope = agent->scope;

    if (request->timer != 0) {
        scope->host->cancel(scope->ctx, request->timer);
        request->timer = 0;
    }
    if (request->easy != NULL) {
        end(agent, request);
        muster__consul_agent_pump(agent);
    } else if (request->link != NULL) {
        unlink_waiting(agent, request);
    }
    muster__consul_reply_clear(&request->reply);
}

/* Which HTTP the agent speaks decides how many requests it is sent. */
static void note_version(muster__consul_agent *agent,
                         const muster__consul_request *request)
{
    long version = 0;

    if (request->reply.status == 0 || !agent->place.is_tls) {
        return;
    }
    (void)curl_easy_getinfo(request->easy, CURLINFO_HTTP_VERSION, &version);
    agent->version = version >= CURL_HTTP_VERSION_2_0 ? MUSTER__CONSUL_HTTP_2
                                                      : MUSTER__CONSUL_HTTP_1;
}

void muster__consul_agent_ended(void *private, CURLcode code)
{
    muster__consul_request *request = private;
    muster__consul_agent *agent = request->agent;

    muster__consul_request_note(request, code);
    note_version(agent, request);
    if (request->reply.trouble == MUSTER__CONSUL_REFUSED ||
        request->reply.trouble == MUSTER__CONSUL_TIMEOUT) {
        agent->is_stale = true;
    }
    unlink_running(agent, request);
    muster__consul_request_close(request);
    request->done(request);
    muster__consul_agent_pump(agent);
}
