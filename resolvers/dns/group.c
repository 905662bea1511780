/* SPDX-License-Identifier: Apache-2.0 */
/* The servers that a target asks. */
#include "group.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <address.h>

#include "scope.h"
#include "server.h"

#define PORT_DEFAULT 53
#define ACCEPTED "10.0.0.1, 10.0.0.1:5353 or [2001:db8::1]:53"

/* ---- places ---- */

static muster_status not_a_server(const char *text, size_t length,
                                  muster_error *err)
{
    return muster_error_set(err, MUSTER_INVAL,
                            "server %s is not an address with or without a "
                            "port: accepted are " ACCEPTED,
                            muster__quote_n(text, length).text);
}

/* The length of the address at the start of text, without brackets. */
static bool read_address(const char *text, muster__dns_address *ret_address,
                         const char **ret_end)
{
    bool is_ipv6 = *text == '[';
    const char *start = is_ipv6 ? text + 1 : text;
    size_t length = strcspn(start, is_ipv6 ? "]" : ":");
    char copy[INET6_ADDRSTRLEN];

    if (length >= sizeof copy || (is_ipv6 && start[length] != ']')) {
        return false;
    }
    memcpy(copy, start, length);
    copy[length] = '\0';
    ret_address->size = is_ipv6 ? 16 : 4;
    *ret_end = start + length + (is_ipv6 ? 1 : 0);
    return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, ret_address->bytes) ==
           1;
}

/* part has an end of its own. */
static muster_status read_place(const char *part, muster__dns_place *ret_place,
                                muster_error *err)
{
    muster__dns_place place = {.port = PORT_DEFAULT};
    const char *end = NULL;

    if (!read_address(part, &place.address, &end)) {
        return not_a_server(part, strlen(part), err);
    }
    if (*end == ':' && muster__address_is_port(end + 1)) {
        place.port = (uint16_t)strtoul(end + 1, NULL, 10);
    } else if (*end != '\0') {
        return not_a_server(part, strlen(part), err);
    }
    *ret_place = place;
    return MUSTER_OK;
}

muster_status muster__dns_places_parse(const char *authority,
                                       muster__dns_place *places, size_t *ret_n,
                                       muster_error *err)
{
    char part[MUSTER__DNS_SERVER_TEXT_SIZE];
    size_t n = 0;

    for (;;) {
        size_t length = strcspn(authority, ",");
        muster_status status;

        if (n == MUSTER__DNS_SERVERS_MAX) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "there are more than %d servers",
                                    MUSTER__DNS_SERVERS_MAX);
        }
        if (length >= sizeof part) {
            return not_a_server(authority, length, err);
        }
        memcpy(part, authority, length);
        part[length] = '\0';
        status = read_place(part, &places[n++], err);
        if (status != MUSTER_OK) {
            return status;
        }
        if (authority[length] == '\0') {
            *ret_n = n;
            return MUSTER_OK;
        }
        authority += length + 1;
    }
}

/* ---- groups ---- */

static void destroy(muster__dns_group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        muster__dns_server_unref(group->servers[i]);
    }
    free(group);
}

static muster__dns_group *create(muster__dns_scope *scope,
                                 const muster__dns_place *places, size_t n,
                                 const muster__dns_manner *manner)
{
    muster__dns_group *group = calloc(1, sizeof *group);

    if (group == NULL) {
        return NULL;
    }
    group->scope = scope;
    group->n_references = 1;
    group->manner = *manner;
    for (; group->n < n; group->n++) {
        group->servers[group->n] =
            muster__dns_server_get(scope, &places[group->n].address,
                                   places[group->n].port, manner->timeout_ms);
        if (group->servers[group->n] == NULL) {
            destroy(group);
            return NULL;
        }
    }
    return group;
}

/* Servers are shared, so equal groups have equal pointers. */
static muster__dns_group *find(const muster__dns_scope *scope,
                               const muster__dns_group *other)
{
    muster__dns_group *group = scope->groups;

    while (
        group != NULL &&
        (group->n != other->n ||
         group->manner.timeout_ms != other->manner.timeout_ms ||
         group->manner.tries != other->manner.tries ||
         group->manner.asks_all != other->manner.asks_all ||
         memcmp(group->servers, other->servers, sizeof group->servers) != 0)) {
        group = group->next;
    }
    return group;
}

muster__dns_group *muster__dns_group_get(muster__dns_scope *scope,
                                         const muster__dns_place *places,
                                         size_t n,
                                         const muster__dns_manner *manner)
{
    muster__dns_group *group = create(scope, places, n, manner);
    muster__dns_group *known;

    if (group == NULL) {
        return NULL;
    }
    known = find(scope, group);
    if (known != NULL) {
        destroy(group);
        known->n_references++;
        return known;
    }
    group->next = scope->groups;
    scope->groups = group;
    return group;
}

void muster__dns_group_unref(muster__dns_group *group)
{
    muster__dns_group **at;

    if (group == NULL || --group->n_references > 0) {
        return;
    }
    at = &group->scope->groups;
    while (*at != group) {
        at = &(*at)->next;
    }
    *at = group->next;
    destroy(group);
}
