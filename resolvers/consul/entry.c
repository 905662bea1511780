/* SPDX-License-Identifier: Apache-2.0 */
/* One instance of a service, as an endpoint. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <address.h>

#include "entries.h"

enum {
    PORT_MAX = 65535,
    META_MAX = 1000 /* of the attributes that the core takes */
};

/* The text of a member; "" when it is not there, or is something else. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static muster_status out_of_memory(muster_error *err)
{
    return muster_error_set(err, MUSTER_NOMEM, "out of memory");
}

/* ---- the address ---- */

typedef struct host_port {
    const char *host;
    json_int_t port;
} host_port;

/* The order is that of Consul: the service's own, then its node's. */
static host_port find_address(const json_t *node, const json_t *service,
                              const char *wanted)
{
    host_port found = {text_of(service, "Address"),
                       json_integer_value(json_object_get(service, "Port"))};
    bool has_own = *found.host != '\0';

    if (wanted != NULL) {
        const json_t *tagged = json_object_get(
            json_object_get(service, "TaggedAddresses"), wanted);

        if (*text_of(tagged, "Address") != '\0') {
            json_int_t port =
                json_integer_value(json_object_get(tagged, "Port"));

            found.host = text_of(tagged, "Address");
            found.port = port != 0 ? port : found.port;
            return found;
        }
        if (!has_own) {
            found.host =
                text_of(json_object_get(node, "TaggedAddresses"), wanted);
        }
    }
    if (*found.host == '\0') {
        found.host = text_of(node, "Address");
    }
    return found;
}

static muster_status read_address(const json_t *node, const json_t *service,
                                  const muster__consul_view *view,
                                  muster__consul_arena *arena,
                                  muster_endpoint *endpoint, muster_error *err)
{
    host_port found = find_address(node, service, view->address);
    bool is_ipv6 = strchr(found.host, ':') != NULL && *found.host != '[';
    char port[32];
    const char *const parts[] = {is_ipv6 ? "[" : "", found.host,
                                 is_ipv6 ? "]:" : ":", port, NULL};
    char canonical[MUSTER__ADDRESS_SIZE];
    size_t length;
    muster_error why;

    if (*found.host == '\0') {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "neither service nor node has an address");
    }
    if (found.port <= 0 || found.port > PORT_MAX) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "port %" JSON_INTEGER_FORMAT
                                " of %s is not from 1 to 65535",
                                found.port, muster__quote(found.host).text);
    }
    (void)snprintf(port, sizeof port, "%" JSON_INTEGER_FORMAT, found.port);
    endpoint->address = muster__consul_arena_join(arena, parts);
    if (endpoint->address == NULL) {
        return out_of_memory(err);
    }
    if (muster__address_canonical(endpoint->address, canonical, &length,
                                  &why) != MUSTER_OK) {
        return muster_error_set(err, MUSTER_PROTOCOL, "%s", why.message);
    }
    return MUSTER_OK;
}

/* ---- health and weight ---- */

typedef enum health { PASSING, WARNING, CRITICAL } health;

/* The worst of the checks; maintenance is a critical one. */
static health worst_of(const json_t *checks)
{
    health worst = PASSING;
    size_t n = json_array_size(checks);

    for (size_t i = 0; i < n; i++) {
        const char *status = text_of(json_array_get(checks, i), "Status");

        if (strcmp(status, "warning") == 0 && worst == PASSING) {
            worst = WARNING;
        } else if (strcmp(status, "passing") != 0 &&
                   strcmp(status, "warning") != 0) {
            worst = CRITICAL;
        }
    }
    return worst;
}

/* Whether it gets calls, and how many. Weight 0 is for what only warns: none.
 */
static bool read_weight(const json_t *service, health state,
                        muster_endpoint *endpoint)
{
    const json_t *weights = json_object_get(service, "Weights");
    const json_t *value =
        json_object_get(weights, state == WARNING ? "Warning" : "Passing");
    json_int_t weight = json_is_integer(value) ? json_integer_value(value) : 1;

    if (state == CRITICAL || weight < 0 || (weight == 0 && state == WARNING)) {
        return false;
    }
    endpoint->weight =
        weight > (json_int_t)UINT32_MAX ? UINT32_MAX : (uint32_t)weight;
    return true;
}

/* ---- what else there is to know ---- */

typedef struct attributes {
    muster__consul_arena *arena;
    muster_attribute *items;
    uint32_t n;
    bool has_memory;
} attributes;

static void add_attribute(attributes *list, const char *prefix, const char *key,
                          const char *value)
{
    const char *const key_parts[] = {prefix, key, NULL};
    const char *const value_parts[] = {value, NULL};
    muster_attribute *item = &list->items[list->n];

    if (*value == '\0' || !muster__is_clean_text(key, strlen(key))) {
        return;
    }
    item->key = muster__consul_arena_join(list->arena, key_parts);
    item->value = muster__consul_arena_join(list->arena, value_parts);
    if (item->key == NULL || item->value == NULL) {
        list->has_memory = false;
        return;
    }
    list->n++;
}

/* Consul's tags have no order and may have commas: as they are listed. */
static void add_tags(attributes *list, const json_t *tags)
{
    size_t n = json_array_size(tags);
    const char **parts =
        muster__consul_arena_get(list->arena, (2 * n + 1) * sizeof *parts);
    size_t n_parts = 0;
    char *text;

    if (parts == NULL) {
        list->has_memory = false;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *tag = json_string_value(json_array_get(tags, i));

        if (tag != NULL) {
            parts[n_parts] = n_parts > 0 ? "," : "";
            parts[n_parts + 1] = tag;
            n_parts += 2;
        }
    }
    parts[n_parts] = NULL;
    text = muster__consul_arena_join(list->arena, parts);
    if (text == NULL) {
        list->has_memory = false;
        return;
    }
    add_attribute(list, "", "tags", text);
}

static void add_meta(attributes *list, json_t *meta)
{
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach(meta, key, value)
    {
        if (json_is_string(value) && n++ < META_MAX) {
            add_attribute(list, "meta.", key, json_string_value(value));
        }
    }
}

static muster_status read_attributes(const json_t *node, const json_t *service,
                                     muster__consul_arena *arena,
                                     muster_endpoint *endpoint,
                                     muster_error *err)
{
    json_t *meta = json_object_get(service, "Meta");
    size_t n = json_object_size(meta);
    attributes list = {.arena = arena, .has_memory = true};

    n = 4 + (n < META_MAX ? n : META_MAX);
    list.items = muster__consul_arena_get(arena, n * sizeof *list.items);
    if (list.items == NULL) {
        return out_of_memory(err);
    }
    add_attribute(&list, "", "node", text_of(node, "Node"));
    add_attribute(&list, "", "datacenter", text_of(node, "Datacenter"));
    add_attribute(&list, "", "id", text_of(service, "ID"));
    add_tags(&list, json_object_get(service, "Tags"));
    add_meta(&list, meta);
    endpoint->attributes = list.items;
    endpoint->n_attributes = list.n;
    return list.has_memory ? MUSTER_OK : out_of_memory(err);
}

static muster_status read_zone(const json_t *node, const json_t *service,
                               muster__consul_arena *arena,
                               muster_endpoint *endpoint, muster_error *err)
{
    const char *parts[] = {text_of(json_object_get(service, "Meta"), "zone"),
                           NULL};

    if (*parts[0] == '\0') {
        parts[0] = text_of(json_object_get(node, "Meta"), "zone");
    }
    if (*parts[0] == '\0' ||
        !muster__is_clean_text(parts[0], strlen(parts[0]))) {
        return MUSTER_OK;
    }
    endpoint->zone = muster__consul_arena_join(arena, parts);
    return endpoint->zone != NULL ? MUSTER_OK : out_of_memory(err);
}

/* What is no number reads as none: the best priority. */
static void read_priority(const json_t *service, muster_endpoint *endpoint)
{
    const char *text = text_of(json_object_get(service, "Meta"), "priority");
    const size_t n_digits = strspn(text, "0123456789");

    if (n_digits > 0 && n_digits < 10 && text[n_digits] == '\0') {
        endpoint->priority = (uint32_t)strtoul(text, NULL, 10);
    }
}

muster_status muster__consul_entry_read(const json_t *entry,
                                        const muster__consul_view *view,
                                        muster__consul_arena *arena,
                                        muster_endpoint *ret_endpoint,
                                        bool *ret_is_wanted, muster_error *err)
{
    const json_t *node = json_object_get(entry, "Node");
    const json_t *service = json_object_get(entry, "Service");
    muster_endpoint endpoint = {.address = NULL};
    health state = PASSING;
    muster_status status;

    if (!json_is_object(service)) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "an entry without a Service");
    }
    if (view->has_all) {
        state = worst_of(json_object_get(entry, "Checks"));
    }
    if (!read_weight(service, state, &endpoint)) {
        *ret_is_wanted = false;
        return MUSTER_OK;
    }
    read_priority(service, &endpoint);
    status = read_address(node, service, view, arena, &endpoint, err);
    if (status == MUSTER_OK) {
        status = read_zone(node, service, arena, &endpoint, err);
    }
    if (status == MUSTER_OK) {
        status = read_attributes(node, service, arena, &endpoint, err);
    }
    if (status == MUSTER_OK) {
        *ret_endpoint = endpoint;
        *ret_is_wanted = true;
    }
    return status;
}
