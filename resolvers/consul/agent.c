/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and makes agents. */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_equal_texts(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same(const muster__consul_agent *agent, const char *text,
                    const muster__consul_environment *environment)
{
    bool is_equal = strcmp(agent->text, text) == 0;

    if (!is_equal || !agent->place.is_tls) {
        return is_equal;
    }
    for (size_t i = MUSTER__CONSUL_CACERT; i < MUSTER__CONSUL_N_VARIABLES;
         i++) {
        is_equal = is_equal && has_equal_texts(agent->environment.values[i],
                                               environment->values[i]);
    }
    return is_equal &&
           agent->environment.is_verified == environment->is_verified;
}

static void destroy(muster__consul_agent *agent)
{
    const muster__consul_scope *scope = agent->scope;

    if (agent->timer != 0) {
        scope->host->cancel(scope->ctx, agent->timer);
    }
    muster__consul_http_fini(&agent->http);
    muster__consul_environment_free(&agent->environment);
    free(agent->addresses);
    free(agent);
}

static bool copy_environment(muster__consul_agent *agent,
                             const muster__consul_environment *from)
{
    agent->environment.is_verified = from->is_verified;
    for (size_t i = MUSTER__CONSUL_CACERT; i < MUSTER__CONSUL_N_VARIABLES;
         i++) {
        if (from->values[i] == NULL) {
            continue;
        }
        agent->environment.values[i] = strdup(from->values[i]);
        if (agent->environment.values[i] == NULL) {
            return false;
        }
    }
    return true;
}

/* The URL has the name that the certificate is to have: TLS asks for it and
 * checks it. */
static void write_url(muster__consul_agent *agent)
{
    const char *name =
        agent->environment.values[MUSTER__CONSUL_TLS_SERVER_NAME];
    muster__consul_place place = agent->place;

    if (*place.socket != '\0') {
        (void)snprintf(agent->url, sizeof agent->url, "http://localhost");
        return;
    }
    if (place.is_tls && name != NULL) {
        bool is_ipv6 = strchr(place.host, ':') != NULL;

        (void)snprintf(agent->connect_to, sizeof agent->connect_to,
                       "::%s%s%s:%u", is_ipv6 ? "[" : "", place.host,
                       is_ipv6 ? "]" : "", place.port);
        (void)snprintf(place.host, sizeof place.host, "%s", name);
    }
    muster__consul_place_text(&place, agent->url, sizeof agent->url);
}

/* What is a risk is said, once. */
static void tell_unverified(const muster__consul_agent *agent)
{
    muster__consul_scope *scope = agent->scope;
    char message[MUSTER__CONSUL_URL_SIZE + 160];

    if (!agent->place.is_tls || agent->environment.is_verified ||
        scope->has_told_unverified) {
        return;
    }
    scope->has_told_unverified = true;
    (void)snprintf(message, sizeof message,
                   "%s: CONSUL_HTTP_SSL_VERIFY is false, so whoever is on the "
                   "way there can read the token and change the list",
                   agent->text);
    scope->host->log(scope->ctx, MUSTER_LOG_WARNING, message);
}

static muster__consul_agent *
create(muster__consul_scope *scope, const muster__consul_place *place,
       const muster__consul_environment *environment)
{
    muster__consul_agent *agent = calloc(1, sizeof *agent);

    if (agent == NULL) {
        return NULL;
    }
    agent->scope = scope;
    agent->place = *place;
    agent->version =
        place->is_tls ? MUSTER__CONSUL_UNKNOWN : MUSTER__CONSUL_HTTP_1;
    agent->http = (muster__consul_http){.host = scope->host,
                                        .ctx = scope->ctx,
                                        .ended = muster__consul_agent_ended,
                                        .lost = muster__consul_agent_lost,
                                        .owner = agent};
    muster__consul_queue_init(&agent->blocking);
    muster__consul_queue_init(&agent->reading);
    muster__consul_queue_init(&agent->waiting);
    muster__consul_queue_init(&agent->urgent);
    if (!copy_environment(agent, environment)) {
        destroy(agent);
        return NULL;
    }
    muster__consul_place_text(place, agent->text, sizeof agent->text);
    write_url(agent);
    return agent;
}

static muster_status add(muster__consul_scope *scope,
                         const muster__consul_place *place,
                         const muster__consul_environment *environment,
                         muster__consul_agent **ret_agent, muster_error *err)
{
    muster__consul_agent *agent = create(scope, place, environment);
    muster_status status;

    if (agent == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = muster__consul_http_init(&agent->http, err);
    if (status != MUSTER_OK) {
        destroy(agent);
        return status;
    }
    tell_unverified(agent);
    agent->next = scope->agents;
    scope->agents = agent;
    *ret_agent = agent;
    return MUSTER_OK;
}

muster_status muster__consul_agent_join(
    muster__consul_scope *scope, const muster__consul_place *place,
    const muster__consul_environment *environment, uint32_t max_connections,
    muster__consul_agent **ret_agent, muster_error *err)
{
    muster__consul_agent *agent = scope->agents;
    char text[MUSTER__CONSUL_URL_SIZE];
    muster_status status = MUSTER_OK;

    muster__consul_place_text(place, text, sizeof text);
    while (agent != NULL && !is_same(agent, text, environment)) {
        agent = agent->next;
    }
    if (agent == NULL) {
        status = add(scope, place, environment, &agent, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    muster__consul_agent_limit(agent, max_connections);
    agent->n_references++;
    agent->n_targets++;
    *ret_agent = agent;
    return MUSTER_OK;
}

void muster__consul_agent_unref(muster__consul_agent *agent)
{
    muster__consul_agent **at = &agent->scope->agents;

    if (--agent->n_references > 0) {
        return;
    }
    while (*at != agent) {
        at = &(*at)->next;
    }
    *at = agent->next;
    destroy(agent);
}

void muster__consul_agent_leave(muster__consul_agent *agent)
{
    agent->n_targets--;
    muster__consul_agent_unref(agent);
}

void muster__consul_agents_destroy(muster__consul_scope *scope)
{
    while (scope->agents != NULL) {
        muster__consul_agent *agent = scope->agents;

        scope->agents = agent->next;
        destroy(agent);
    }
}
