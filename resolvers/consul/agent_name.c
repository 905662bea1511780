/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up the name of an agent's host. */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_localhost(const char *name)
{
    return strcasecmp(name, "localhost") == 0;
}

/* "10.0.0.1,[::1]" */
static char *join_addresses(const char *const *addresses, size_t n)
{
    char *text = malloc(MUSTER__CONSUL_ADDRESSES_SIZE);
    size_t length = 0;

    if (text == NULL) {
        return NULL;
    }
    *text = '\0';
    for (size_t i = 0; i < n; i++) {
        bool is_ipv6 = strchr(addresses[i], ':') != NULL;
        size_t room = MUSTER__CONSUL_ADDRESSES_SIZE - length;
        int added =
            snprintf(text + length, room, "%s%s%s%s", i > 0 ? "," : "",
                     is_ipv6 ? "[" : "", addresses[i], is_ipv6 ? "]" : "");

        if (added < 0 || (size_t)added >= room) {
            text[length] = '\0'; /* so many are enough */
            break;
        }
        length += (size_t)added;
    }
    return text;
}

static void on_resolved(void *arg, muster_status status,
                        const char *const *addresses, size_t n)
{
    muster__consul_agent *agent = arg;

    agent->is_resolving = false;
    if (status == MUSTER_OK && n > 0) {
        char *text = join_addresses(addresses, n);

        if (text != NULL) {
            free(agent->addresses);
            agent->addresses = text;
        }
    }
    agent->is_stale = false; /* those of before are better than none */
    if (agent->addresses == NULL) {
        muster__consul_agent_fail_waiting(
            agent, status != MUSTER_OK ? status : MUSTER_NOMEM);
    }
    muster__consul_agent_pump(agent);
    muster__consul_agent_unref(agent);
}

static void look_up(muster__consul_agent *agent)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    const muster__consul_scope *scope = agent->scope;
    muster_status status;

    if (is_localhost(agent->place.host)) { /* RFC 6761 section 6.3 */
        free(agent->addresses);
        agent->addresses = join_addresses(loopback, 2);
        agent->is_stale = false;
        if (agent->addresses == NULL) {
            muster__consul_agent_fail_waiting(agent, MUSTER_NOMEM);
        }
        return;
    }
    status =
        scope->host->resolve(scope->ctx, agent->place.host, on_resolved, agent);
    if (status == MUSTER_OK) {
        agent->is_resolving = true;
        agent->n_references++;
    } else if (agent->addresses == NULL) {
        muster__consul_agent_fail_waiting(agent, status);
    }
}

/* Whether there is something to connect to. Addresses that were of no use are
 * used until others are known: the agent may be back there. */
bool muster__consul_agent_has_addresses(muster__consul_agent *agent)
{
    bool is_known = agent->addresses != NULL && !agent->is_stale;

    if (agent->place.is_name && !is_known && !agent->is_resolving) {
        look_up(agent);
    }
    return !agent->place.is_name || agent->addresses != NULL;
}
