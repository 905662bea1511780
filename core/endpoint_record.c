/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint records: immutable, one allocation each, counted. */
#include "endpoint_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static size_t record_size(const muster_endpoint *data)
{
    size_t size = sizeof(muster__endpoint);

    size += text_size(data->address);
    size += text_size(data->hostname);
    size += text_size(data->zone);
    for (uint32_t i = 0; i < data->n_more_addresses; i++) {
        size += sizeof(char *) + text_size(data->more_addresses[i]);
    }
    for (uint32_t i = 0; i < data->n_attributes; i++) {
        size += sizeof(muster_attribute);
        size += text_size(data->attributes[i].key);
        size += text_size(data->attributes[i].value);
    }
    return size;
}

static const char *put_text(char **at, const char *text)
{
    size_t size = text_size(text);
    char *to = *at;

    if (size == 0) {
        return NULL;
    }
    memcpy(to, text, size);
    *at += size;
    return to;
}

muster__endpoint *muster__endpoint_create(const muster_endpoint *data,
                                          uint64_t hash)
{
    muster__endpoint *endpoint = malloc(record_size(data));
    muster_attribute *attributes;
    const char **more;
    char *at;

    if (endpoint == NULL) {
        return NULL;
    }
    endpoint->data = *data;
    endpoint->hash = hash;
    endpoint->refs = 1;
    endpoint->position = 0;
    attributes = (muster_attribute *)(void *)(endpoint + 1);
    more = (const char **)(void *)(attributes + data->n_attributes);
    at = (char *)(void *)(more + data->n_more_addresses);
    endpoint->data.attributes = data->n_attributes != 0 ? attributes : NULL;
    endpoint->data.more_addresses = data->n_more_addresses != 0 ? more : NULL;
    endpoint->data.address = put_text(&at, data->address);
    endpoint->data.hostname = put_text(&at, data->hostname);
    endpoint->data.zone = put_text(&at, data->zone);
    for (uint32_t i = 0; i < data->n_more_addresses; i++) {
        more[i] = put_text(&at, data->more_addresses[i]);
    }
    for (uint32_t i = 0; i < data->n_attributes; i++) {
        attributes[i].key = put_text(&at, data->attributes[i].key);
        attributes[i].value = put_text(&at, data->attributes[i].value);
    }
    return endpoint;
}

muster__endpoint *muster__endpoint_ref(muster__endpoint *endpoint)
{
    endpoint->refs++;
    return endpoint;
}

void muster__endpoint_unref(muster__endpoint *endpoint)
{
    if (endpoint == NULL) {
        return;
    }
    assert(endpoint->refs > 0);
    if (--endpoint->refs == 0) {
        free(endpoint);
    }
}

static bool same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return strcmp(a, b) == 0;
}

/* An endpoint has each of its addresses once, so that counting is enough. */
static bool same_addresses(const muster_endpoint *a, const muster_endpoint *b)
{
    uint32_t n = a->n_more_addresses + 1;
    uint32_t n_found = 0;

    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            if (strcmp(muster__endpoint_address(a, i),
                       muster__endpoint_address(b, j)) == 0) {
                n_found++;
                break;
            }
        }
    }
    return n_found == n;
}

bool muster__endpoint_same_identity(const muster_endpoint *a,
                                    const muster_endpoint *b)
{
    if (a->n_more_addresses != b->n_more_addresses ||
        !same_text(a->hostname, b->hostname)) {
        return false;
    }
    if (a->n_more_addresses == 0) {
        return strcmp(a->address, b->address) == 0;
    }
    return same_addresses(a, b);
}

bool muster__endpoint_same_details(const muster_endpoint *a,
                                   const muster_endpoint *b)
{
    if (a->weight != b->weight || a->priority != b->priority ||
        a->n_attributes != b->n_attributes || !same_text(a->zone, b->zone)) {
        return false;
    }
    for (uint32_t i = 0; i < a->n_attributes; i++) {
        if (strcmp(a->attributes[i].key, b->attributes[i].key) != 0 ||
            strcmp(a->attributes[i].value, b->attributes[i].value) != 0) {
            return false;
        }
    }
    return true;
}
