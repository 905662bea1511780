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
    GRANTED_MIN_MS = 10,
    SPARED = 8, /* one slot of so many is not for queries that block */
    CLOSING_MS = 200
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

static uint32_t connections_of(const muster__consul_agent *agent)
{
    if (agent->max_connections != 0) {
        return agent->max_connections;
    }
    return agent->version == MUSTER__CONSUL_HTTP_1 ? CONNECTIONS_PLAIN
                                                   : CONNECTIONS_HTTP_2;
}

static uint32_t slots_of(const muster__consul_agent *agent)
{
    return connections_of(agent) *
           (agent->version == MUSTER__CONSUL_HTTP_2 ? STREAMS : 1);
}

/* Queries that block leave some slots to those that do not, which would wait
 * for them otherwise: a new target's first one among them. */
static uint32_t blocking_slots_of(const muster__consul_agent *agent)
{
    uint32_t n_slots = slots_of(agent);

    return n_slots > 1 ? n_slots - (n_slots + SPARED - 1) / SPARED : 1;
}

/* How long a query may block, so that all get their turn. Where there are not
 * many slots left, it is a short time even now: more targets may come, and
 * those that block cannot be called back without losing their connection. */
static uint64_t share_ms(const muster__consul_agent *agent)
{
    uint64_t n_slots = blocking_slots_of(agent);
    uint64_t ms = ROUND_MS - ROUND_LESS_MS;

    if (agent->n_targets <= n_slots / 2 ||
        (agent->n_targets <= n_slots &&
         agent->version == MUSTER__CONSUL_HTTP_2)) {
        return UINT64_MAX;
    }
    if (agent->n_targets > n_slots) {
        ms = ms * n_slots / agent->n_targets;
    }
    return ms > GRANTED_MIN_MS ? ms : GRANTED_MIN_MS;
}

static void tell_turns(muster__consul_agent *agent)
{
    const muster__consul_scope *scope = agent->scope;
    char message[MUSTER__CONSUL_URL_SIZE + 160];

    if (agent->has_told_turns || agent->version == MUSTER__CONSUL_UNKNOWN ||
        agent->n_targets <= blocking_slots_of(agent)) {
        return;
    }
    agent->has_told_turns = true;
    (void)snprintf(message, sizeof message,
                   "%s: %" PRIu32 " targets or more take turns on %" PRIu32
                   " connections, so a change may be seen up to 5 s late; "
                   "see max_connections",
                   agent->text, agent->n_targets, slots_of(agent));
    scope->host->log(scope->ctx, MUSTER_LOG_WARNING, message);
}

/* ---- what could not be begun ---- */

static void on_unbegun(void *arg)
{
    muster__consul_request *request = arg;

    request->timer = 0;
    request->done(request);
}

/* Tells it later, since its owner may just be asking. */
static void fail_later(muster__consul_request *request,
                       muster__consul_trouble trouble, const char *reason)
{
    const muster__consul_scope *scope = request->agent->scope;

    muster__consul_reply_clear(&request->reply);
    request->reply.trouble = trouble;
    (void)snprintf(request->reply.reason, sizeof request->reply.reason, "%s",
                   reason);
    if (scope->host->call_later(scope->ctx, 0, on_unbegun, request,
                                &request->timer) != MUSTER_OK) {
        request->timer = 0;
        request->lost(request);
    }
}

static void fail_all(muster__consul_queue *queue, muster_status status)
{
    while (queue->first != NULL) {
        muster__consul_request *request = queue->first;

        muster__consul_queue_remove(request);
        fail_later(request, MUSTER__CONSUL_NO_NAME, words_of(status));
    }
}

void muster__consul_agent_fail_waiting(muster__consul_agent *agent,
                                       muster_status status)
{
    fail_all(&agent->urgent, status);
    fail_all(&agent->waiting, status);
}

/* ---- requests ---- */

static void begin(muster__consul_agent *agent, muster__consul_request *request)
{
    uint64_t most_ms = share_ms(agent);
    muster_status status;
    muster_error err;

    tell_turns(agent);
    request->granted_ms =
        request->wait_ms < most_ms ? request->wait_ms : most_ms;
    request->began_ms = muster__consul_now_ms(agent->scope);
    muster__consul_queue_remove(request);
    muster__consul_reply_clear(&request->reply);
    status = muster__consul_request_open(request, &err);
    if (status != MUSTER_OK) {
        fail_later(request,
                   status == MUSTER_INVAL ? MUSTER__CONSUL_TLS
                                          : MUSTER__CONSUL_LOCAL,
                   err.message);
        return;
    }
    if (!muster__consul_http_add(&agent->http, request->easy)) {
        muster__consul_request_close(request);
        fail_later(request, MUSTER__CONSUL_LOCAL, words_of(MUSTER_NOMEM));
        return;
    }
    muster__consul_queue_add(
        request->wait_ms > 0 ? &agent->blocking : &agent->reading, request);
}

/* Its connection goes with it, but with HTTP/2. */
static void end(muster__consul_agent *agent, muster__consul_request *request)
{
    uint64_t granted_ms = request->granted_ms;

    muster__consul_http_remove(&agent->http, request->easy);
    if (request->wait_ms > 0 && agent->version != MUSTER__CONSUL_HTTP_2) {
        muster__consul_gone_add(
            &agent->gone, muster__consul_now_ms(agent->scope),
            request->began_ms + granted_ms + granted_ms / 16 + CLOSING_MS);
    }
    muster__consul_queue_remove(request);
    muster__consul_request_close(request);
    muster__consul_reply_clear(&request->reply);
}

static uint32_t with_spare(uint32_t n_slots)
{
    return n_slots + n_slots / 2;
}

/* How many more connections the agent will take, those that it has not noticed
 * to be closed among them. Where fewer are allowed than before, it has taken
 * those of before. */
static uint32_t room_of(muster__consul_agent *agent)
{
    uint32_t most = with_spare(slots_of(agent));
    uint32_t n_used = agent->blocking.n + agent->reading.n;

    n_used += muster__consul_gone_count(&agent->gone,
                                        muster__consul_now_ms(agent->scope));
    if (n_used < most) {
        agent->former_slots = 0;
    } else if (agent->former_slots > slots_of(agent)) {
        most = with_spare(agent->former_slots);
    }
    return most > n_used ? most - n_used : 0;
}

/* Slots alone do not bound connections: of many requests that are begun at once
 * each that finds no room in one makes another (libcurl 7.88.1, though
 * CURLOPT_PIPEWAIT is set: it waits for the first connection only). */
static void bound(muster__consul_agent *agent)
{
    muster__consul_http_limit(&agent->http, connections_of(agent));
}

void muster__consul_agent_limit(muster__consul_agent *agent,
                                uint32_t max_connections)
{
    uint32_t before = slots_of(agent);

    if (max_connections != 0 && (agent->max_connections == 0 ||
                                 max_connections < agent->max_connections)) {
        agent->max_connections = max_connections;
        if (agent->former_slots < before) {
            agent->former_slots = before;
        }
    }
    bound(agent);
}

/* Ends a query that blocks for longer than a round, since before others came:
 * it goes to the end of the queue, its index with it. False: there is none. */
static bool put_back(muster__consul_agent *agent)
{
    muster__consul_request *request = agent->blocking.first;

    while (request != NULL && request->granted_ms <= ROUND_MS) {
        request = request->next;
    }
    if (request == NULL) {
        return false;
    }
    end(agent, request);
    muster__consul_queue_add(&agent->waiting, request);
    return true;
}

/* Those over the limit, which has fallen, give way to it; and one to the others
 * that wait. */
static void give_way(muster__consul_agent *agent)
{
    uint32_t n_slots = blocking_slots_of(agent);

    if (share_ms(agent) >= ROUND_MS) {
        return;
    }
    while (agent->blocking.n > n_slots && put_back(agent)) {
    }
    if (agent->waiting.first != NULL && agent->blocking.n == n_slots &&
        room_of(agent) > 0) {
        (void)put_back(agent);
    }
}

/* ---- the queues ---- */

static void on_room(void *arg)
{
    muster__consul_agent *agent = arg;

    agent->timer = 0;
    muster__consul_agent_pump(agent);
}

/* There is no room until the agent notices that a connection is closed. */
static void await_room(muster__consul_agent *agent)
{
    const muster__consul_scope *scope = agent->scope;
    uint64_t next_ms = muster__consul_gone_next_ms(&agent->gone);
    uint64_t now_ms = muster__consul_now_ms(scope);

    if (next_ms == UINT64_MAX || agent->timer != 0) {
        return;
    }
    if (scope->host->call_later(scope->ctx,
                                next_ms > now_ms ? next_ms - now_ms : 1,
                                on_room, agent, &agent->timer) != MUSTER_OK) {
        agent->timer = 0; /* the next request goes on */
    }
}

/* The next that may begin now; NULL: none. */
static muster__consul_request *choose(muster__consul_agent *agent)
{
    if (agent->urgent.first == NULL && agent->waiting.first == NULL) {
        return NULL;
    }
    if (room_of(agent) == 0) {
        await_room(agent);
        return NULL;
    }
    if (agent->urgent.first != NULL &&
        agent->blocking.n + agent->reading.n < slots_of(agent)) {
        return agent->urgent.first;
    }
    return agent->blocking.n < blocking_slots_of(agent) ? agent->waiting.first
                                                        : NULL;
}

void muster__consul_agent_pump(muster__consul_agent *agent)
{
    muster__consul_request *request;
    bool is_idle = agent->urgent.first == NULL && agent->waiting.first == NULL;

    if (is_idle || !muster__consul_agent_has_addresses(agent)) {
        return;
    }
    give_way(agent);
    while ((request = choose(agent)) != NULL) {
        begin(agent, request);
    }
}

void muster__consul_agent_ask(muster__consul_agent *agent,
                              muster__consul_request *request)
{
    request->agent = agent;
    muster__consul_queue_add(
        request->wait_ms > 0 ? &agent->waiting : &agent->urgent, request);
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
    } else if (request->in != NULL) {
        muster__consul_queue_remove(request);
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
    bound(agent);
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
    muster__consul_queue_remove(request);
    muster__consul_request_close(request);
    request->done(request);
    muster__consul_agent_pump(agent);
}

static void fail_begun(muster__consul_queue *queue)
{
    while (queue->first != NULL) {
        muster__consul_request *request = queue->first;

        end(request->agent, request);
        fail_later(request, MUSTER__CONSUL_LOCAL, words_of(MUSTER_NOMEM));
    }
}

void muster__consul_agent_lost(void *owner)
{
    muster__consul_agent *agent = owner;

    fail_begun(&agent->blocking);
    fail_begun(&agent->reading);
}
