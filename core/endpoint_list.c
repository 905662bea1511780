/* SPDX-License-Identifier: Apache-2.0 */
/* A deep, checked copy of endpoints: one pass to size it, one to fill it. */
#include "endpoint_list.h"

#include <xxhash.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

/* What a list needs beside its endpoints and hashes. */
struct sizes {
    uint64_t n_pointers;
    uint64_t n_attributes;
    uint64_t n_bytes;
};

/* Where the next of each goes. */
struct arena {
    const char **pointers;
    muster_attribute *attributes;
    char *bytes;
};

/* What is read, and how far the endpoints lie apart. */
struct source {
    const char *base;
    size_t n;
    size_t stride;
    bool is_identity_only;
};

/* Endpoint i: where it lies, or in *room what is to be read of it. */
static const muster_endpoint *read_endpoint(const struct source *source,
                                            size_t i, muster_endpoint *room)
{
    const char *from = source->base + i * source->stride;
    const bool is_whole = source->stride >= sizeof *room;

    if (is_whole && !source->is_identity_only) {
        return (const muster_endpoint *)(const void *)from;
    }
    memset(room, 0, sizeof *room); /* what an older layout does not have */
    memcpy(room, from, is_whole ? sizeof *room : source->stride);
    if (source->is_identity_only) {
        room->zone = NULL;
        room->attributes = NULL;
        room->n_attributes = 0;
        room->weight = 0;
        room->priority = 0;
    }
    return room;
}

static uint64_t address_room(const char *address)
{
    return strlen(address) + MUSTER__ADDRESS_GROWTH + 1;
}

static muster_status measure_addresses(const muster_endpoint *endpoint,
                                       struct sizes *sizes, muster_error *err)
{
    if (endpoint->address == NULL) {
        return muster_error_set(err, MUSTER_INVAL, "address is NULL");
    }
    if (endpoint->n_more_addresses >= MUSTER__ADDRESSES_MAX) {
        return muster_error_set(err, MUSTER_INVAL,
                                "n_more_addresses is %u; at most %d are "
                                "accepted",
                                endpoint->n_more_addresses,
                                MUSTER__ADDRESSES_MAX - 1);
    }
    if (endpoint->n_more_addresses != 0 && endpoint->more_addresses == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "more_addresses is NULL, n_more_addresses %u",
                                endpoint->n_more_addresses);
    }
    sizes->n_bytes += address_room(endpoint->address);
    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        if (endpoint->more_addresses[i] == NULL) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "more_addresses[%u] is NULL", i);
        }
        sizes->n_bytes += address_room(endpoint->more_addresses[i]);
    }
    sizes->n_pointers += endpoint->n_more_addresses;
    return MUSTER_OK;
}

static muster_status measure_attributes(const muster_endpoint *endpoint,
                                        struct sizes *sizes, muster_error *err)
{
    if (endpoint->n_attributes > MUSTER__ATTRIBUTES_MAX) {
        return muster_error_set(err, MUSTER_INVAL,
                                "n_attributes is %u; at most %d are accepted",
                                endpoint->n_attributes, MUSTER__ATTRIBUTES_MAX);
    }
    if (endpoint->n_attributes != 0 && endpoint->attributes == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "attributes is NULL, n_attributes %u",
                                endpoint->n_attributes);
    }
    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        const muster_attribute *attribute = &endpoint->attributes[i];

        if (attribute->key == NULL || attribute->value == NULL) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "attributes[%u] has no key or no value", i);
        }
        sizes->n_bytes += strlen(attribute->key) + 1;
        sizes->n_bytes += strlen(attribute->value) + 1;
    }
    sizes->n_attributes += endpoint->n_attributes;
    return MUSTER_OK;
}

static muster_status measure_endpoint(const muster_endpoint *endpoint,
                                      struct sizes *sizes, muster_error *err)
{
    muster_status status = measure_addresses(endpoint, sizes, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (endpoint->hostname != NULL) {
        sizes->n_bytes += strlen(endpoint->hostname) + 1;
    }
    if (endpoint->zone != NULL) {
        sizes->n_bytes += strlen(endpoint->zone) + 1;
    }
    return measure_attributes(endpoint, sizes, err);
}

static const char *put_text(struct arena *arena, const char *text,
                            size_t length)
{
    char *to = arena->bytes;

    memcpy(to, text, length + 1);
    arena->bytes += length + 1;
    return to;
}

static bool has_address(const muster_endpoint *endpoint, const char *address)
{
    if (strcmp(endpoint->address, address) == 0) {
        return true;
    }
    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        if (strcmp(endpoint->more_addresses[i], address) == 0) {
            return true;
        }
    }
    return false;
}

static muster_status fill_address(struct arena *arena, const char *address,
                                  const char **ret_address, size_t *ret_length,
                                  muster_error *err)
{
    char canonical[MUSTER__ADDRESS_SIZE];
    size_t length = muster__address_ipv4_length(address);
    muster_status status;

    if (length != 0) { /* by far the commonest: no detour */
        *ret_address = put_text(arena, address, length);
        *ret_length = length;
        return MUSTER_OK;
    }
    status = muster__address_canonical(address, canonical, &length, err);
    if (status == MUSTER_OK) {
        *ret_address = put_text(arena, canonical, length);
        *ret_length = length;
    }
    return status;
}

static muster_status fill_more_addresses(struct arena *arena,
                                         const muster_endpoint *from,
                                         muster_endpoint *to, muster_error *err)
{
    const char **more = arena->pointers;

    if (from->n_more_addresses == 0) {
        return MUSTER_OK;
    }
    to->more_addresses = more;
    for (uint32_t i = 0; i < from->n_more_addresses; i++) {
        const char *address;
        size_t length;
        muster_status status = fill_address(arena, from->more_addresses[i],
                                            &address, &length, err);

        if (status != MUSTER_OK) {
            return status;
        }
        if (!has_address(to, address)) {
            more[to->n_more_addresses++] = address;
        }
    }
    arena->pointers += to->n_more_addresses;
    return MUSTER_OK;
}

static muster_status fill_hostname(struct arena *arena, const char *hostname,
                                   muster_endpoint *to, muster_error *err)
{
    size_t length = hostname != NULL ? strlen(hostname) : 0;

    if (length == 0) {
        return MUSTER_OK;
    }
    for (size_t i = 0; i < length; i++) {
        if (length > MUSTER__HOSTNAME_MAX || hostname[i] <= ' ' ||
            hostname[i] > '~') {
            return muster_error_set(err, MUSTER_INVAL,
                                    "hostname %s is not 1 to %d visible ASCII "
                                    "characters",
                                    muster__quote(hostname).text,
                                    MUSTER__HOSTNAME_MAX);
        }
    }
    to->hostname = put_text(arena, hostname, length);
    return MUSTER_OK;
}

static muster_status fill_zone(struct arena *arena, const char *zone,
                               muster_endpoint *to, muster_error *err)
{
    size_t length = zone != NULL ? strlen(zone) : 0;

    if (length == 0) {
        return MUSTER_OK;
    }
    if (!muster__is_clean_text(zone, length)) {
        return muster_error_set(
            err, MUSTER_INVAL,
            "zone %s is not UTF-8 without control characters",
            muster__quote(zone).text);
    }
    to->zone = put_text(arena, zone, length);
    return MUSTER_OK;
}

static int compare_attributes(const void *a, const void *b)
{
    return strcmp(((const muster_attribute *)a)->key,
                  ((const muster_attribute *)b)->key);
}

static muster_status fill_attributes(struct arena *arena,
                                     const muster_endpoint *from,
                                     muster_endpoint *to, muster_error *err)
{
    muster_attribute *attributes = arena->attributes;
    uint32_t n = from->n_attributes;

    if (n == 0) {
        return MUSTER_OK;
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *key = from->attributes[i].key;
        const char *value = from->attributes[i].value;
        size_t key_length = strlen(key);
        size_t value_length = strlen(value);

        if (key_length == 0 || !muster__is_clean_text(key, key_length) ||
            muster__utf8_end(value, value_length) != value_length) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "attributes[%u] %s: key and value are "
                                    "UTF-8, and the key is not empty",
                                    i, muster__quote(key).text);
        }
        attributes[i].key = put_text(arena, key, key_length);
        attributes[i].value = put_text(arena, value, value_length);
    }
    qsort(attributes, n, sizeof *attributes, compare_attributes);
    for (uint32_t i = 1; i < n; i++) {
        if (strcmp(attributes[i - 1].key, attributes[i].key) == 0) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "attribute %s is given twice",
                                    muster__quote(attributes[i].key).text);
        }
    }
    to->attributes = attributes;
    to->n_attributes = n;
    arena->attributes += n;
    return MUSTER_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each part is hashed with the hash of those before it as its seed. */
static uint64_t hash_identity(const muster_endpoint *endpoint)
{
    const char *sorted[MUSTER__ADDRESSES_MAX];
    size_t n = 0;
    uint64_t hash = 0;

    sorted[n++] = endpoint->address;
    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        sorted[n++] = endpoint->more_addresses[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_texts);
    for (size_t i = 0; i < n; i++) {
        hash = XXH64(sorted[i], strlen(sorted[i]), hash);
    }
    if (endpoint->hostname != NULL) {
        hash = XXH64(endpoint->hostname, strlen(endpoint->hostname), hash);
    }
    return hash;
}

static muster_status fill_endpoint(struct arena *arena,
                                   const muster_endpoint *from,
                                   muster_endpoint *to, uint64_t *ret_hash,
                                   muster_error *err)
{
    size_t length;
    muster_status status;

    memset(to, 0, sizeof *to);
    to->weight = from->weight != 0 ? from->weight : 1;
    to->priority = from->priority;
    status = fill_address(arena, from->address, &to->address, &length, err);
    if (status == MUSTER_OK) {
        status = fill_more_addresses(arena, from, to, err);
    }
    if (status == MUSTER_OK) {
        status = fill_hostname(arena, from->hostname, to, err);
    }
    if (status == MUSTER_OK) {
        status = fill_zone(arena, from->zone, to, err);
    }
    if (status == MUSTER_OK) {
        status = fill_attributes(arena, from, to, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    if (to->n_more_addresses == 0 && to->hostname == NULL) {
        *ret_hash = XXH64(to->address, length, 0);
    } else {
        *ret_hash = hash_identity(to);
    }
    return MUSTER_OK;
}

static muster_status check_source(const struct source *source,
                                  muster_error *err)
{
    if (source->n == 0) {
        return MUSTER_OK;
    }
    if (source->base == NULL) {
        return muster_error_set(
            err, MUSTER_INVAL, "endpoints is NULL, n_endpoints %zu", source->n);
    }
    if (source->stride < sizeof(char *) ||
        source->stride % _Alignof(muster_endpoint) != 0) {
        return muster_error_set(err, MUSTER_INVAL,
                                "endpoint_size %zu is not the size of a "
                                "muster_endpoint",
                                source->stride);
    }
    if (source->n > MUSTER__LIST_MAX || source->stride > SIZE_MAX / source->n) {
        return muster_error_set(err, MUSTER_INVAL,
                                "%zu endpoints; at most %d are accepted",
                                source->n, MUSTER__LIST_MAX);
    }
    return MUSTER_OK;
}

/* Puts the endpoint's number before what is wrong with it. */
static muster_status fail_at(size_t i, const muster_error *why,
                             muster_error *err)
{
    return muster_error_set(err, why->code, "endpoint %zu: %s", i,
                            why->message);
}

static muster_status list_allocate(size_t n, const struct sizes *sizes,
                                   muster__list **ret_list,
                                   struct arena *ret_arena)
{
    uint64_t size = sizeof(muster__list) + sizes->n_bytes +
                    n * (sizeof(muster_endpoint) + sizeof(uint64_t)) +
                    sizes->n_pointers * sizeof(char *) +
                    sizes->n_attributes * sizeof(muster_attribute);
    muster__list *list = size > SIZE_MAX / 2 ? NULL : malloc((size_t)size);

    if (list == NULL) {
        return MUSTER_NOMEM;
    }
    list->n = n;
    list->endpoints = (muster_endpoint *)(void *)(list + 1);
    list->hashes = (uint64_t *)(void *)(list->endpoints + n);
    ret_arena->pointers = (const char **)(void *)(list->hashes + n);
    ret_arena->attributes =
        (muster_attribute *)(void *)(ret_arena->pointers + sizes->n_pointers);
    ret_arena->bytes =
        (char *)(void *)(ret_arena->attributes + sizes->n_attributes);
    *ret_list = list;
    return MUSTER_OK;
}

static muster_status copy(const struct source *source, muster__list **ret_list,
                          muster_error *err)
{
    struct sizes sizes = {0, 0, 0};
    struct arena arena;
    muster__list *list;
    muster_endpoint room;
    muster_error why;

    if (check_source(source, err) != MUSTER_OK) {
        return MUSTER_INVAL;
    }
    for (size_t i = 0; i < source->n; i++) {
        if (measure_endpoint(read_endpoint(source, i, &room), &sizes, &why) !=
            MUSTER_OK) {
            return fail_at(i, &why, err);
        }
    }
    if (list_allocate(source->n, &sizes, &list, &arena) != MUSTER_OK) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "out of memory for %zu endpoints", source->n);
    }
    for (size_t i = 0; i < source->n; i++) {
        if (fill_endpoint(&arena, read_endpoint(source, i, &room),
                          &list->endpoints[i], &list->hashes[i],
                          &why) != MUSTER_OK) {
            muster__list_destroy(list);
            return fail_at(i, &why, err);
        }
    }
    *ret_list = list;
    return MUSTER_OK;
}

muster_status muster__list_copy(const muster_endpoint *endpoints, size_t n,
                                size_t stride, muster__list **ret_list,
                                muster_error *err)
{
    struct source source = {(const char *)endpoints, n, stride, false};

    return copy(&source, ret_list, err);
}

muster_status muster__list_copy_identities(const muster_endpoint *endpoints,
                                           size_t n, size_t stride,
                                           muster__list **ret_list,
                                           muster_error *err)
{
    struct source source = {(const char *)endpoints, n, stride, true};

    return copy(&source, ret_list, err);
}

void muster__list_destroy(muster__list *list)
{
    free(list);
}
