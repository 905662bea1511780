/* SPDX-License-Identifier: Apache-2.0 */
/* Deep copies of endpoints: one block each, strings behind the arrays. */
#include "copies.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* The block that an endpoint's strings and arrays lie in begins with its array
 * of attributes, so that is what is freed. */
static void *block_of(const muster_endpoint *endpoint)
{
    return (void *)(uintptr_t)endpoint->attributes;
}

void testkit_copies_fini(testkit_copies *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(block_of(&list->endpoints[i]));
    }
    free(list->endpoints);
    *list = (testkit_copies){NULL, 0, 0};
}

muster_endpoint testkit_copies_read(const muster_endpoint *endpoints,
                                    size_t stride, size_t i)
{
    muster_endpoint endpoint = {0};
    const char *at = (const char *)endpoints + i * stride;

    memcpy(&endpoint, at, stride < sizeof endpoint ? stride : sizeof endpoint);
    return endpoint;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static size_t block_size(const muster_endpoint *endpoint)
{
    size_t size = (endpoint->n_attributes + 1) * sizeof(muster_attribute) +
                  endpoint->n_more_addresses * sizeof(char *);

    size += text_size(endpoint->address) + text_size(endpoint->hostname) +
            text_size(endpoint->zone);
    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        size += text_size(endpoint->more_addresses[i]);
    }
    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        size += text_size(endpoint->attributes[i].key) +
                text_size(endpoint->attributes[i].value);
    }
    return size;
}

/* Copies text to *at and moves *at behind it. */
static const char *put_text(char **at, const char *text)
{
    size_t size = text_size(text);
    char *copy = *at;

    if (text == NULL) {
        return NULL;
    }
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static void put_attributes(char **at, muster_attribute *copy,
                           const muster_attribute *attributes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        copy[i].key = put_text(at, attributes[i].key);
        copy[i].value = put_text(at, attributes[i].value);
    }
}

static muster_status copy_endpoint(const muster_endpoint *endpoint,
                                   muster_endpoint *ret_copy)
{
    muster_attribute *attributes = malloc(block_size(endpoint));
    muster_endpoint copy = *endpoint;
    const char **addresses;
    char *at;

    if (attributes == NULL) {
        return MUSTER_NOMEM;
    }
    /* One attribute more than there are, so that there always is a block. */
    addresses = (const char **)(attributes + endpoint->n_attributes + 1);
    at = (char *)(addresses + endpoint->n_more_addresses);
    copy.address = put_text(&at, endpoint->address);
    copy.hostname = put_text(&at, endpoint->hostname);
    copy.zone = put_text(&at, endpoint->zone);
    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        addresses[i] = put_text(&at, endpoint->more_addresses[i]);
    }
    put_attributes(&at, attributes, endpoint->attributes,
                   endpoint->n_attributes);
    copy.more_addresses = addresses;
    copy.attributes = attributes;
    *ret_copy = copy;
    return MUSTER_OK;
}

static muster_status reserve(testkit_copies *list, size_t n)
{
    size_t capacity = list->capacity;
    muster_endpoint *endpoints;

    if (n <= capacity) {
        return MUSTER_OK;
    }
    while (capacity < n) {
        capacity = capacity == 0 ? 8 : capacity * 2;
    }
    endpoints = realloc(list->endpoints, capacity * sizeof *endpoints);
    if (endpoints == NULL) {
        return MUSTER_NOMEM;
    }
    list->endpoints = endpoints;
    list->capacity = capacity;
    return MUSTER_OK;
}

muster_status testkit_copies_append(testkit_copies *list,
                                    const muster_endpoint *endpoint)
{
    muster_status status = reserve(list, list->n + 1);

    if (status == MUSTER_OK) {
        status = copy_endpoint(endpoint, &list->endpoints[list->n]);
    }
    if (status == MUSTER_OK) {
        list->n++;
    }
    return status;
}

muster_status testkit_copies_append_all(testkit_copies *list,
                                        const muster_endpoint *endpoints,
                                        size_t stride, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        muster_endpoint endpoint = testkit_copies_read(endpoints, stride, i);
        muster_status status = testkit_copies_append(list, &endpoint);

        if (status != MUSTER_OK) {
            return status;
        }
    }
    return MUSTER_OK;
}

static const char *address_of(const muster_endpoint *endpoint, uint32_t i)
{
    return i == 0 ? endpoint->address : endpoint->more_addresses[i - 1];
}

static bool has_address(const muster_endpoint *endpoint, const char *address)
{
    for (uint32_t i = 0; i <= endpoint->n_more_addresses; i++) {
        if (strcmp(address_of(endpoint, i), address) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_all_of(const muster_endpoint *one, const muster_endpoint *other)
{
    for (uint32_t i = 0; i <= other->n_more_addresses; i++) {
        if (!has_address(one, address_of(other, i))) {
            return false;
        }
    }
    return true;
}

bool testkit_copies_is_same(const muster_endpoint *one,
                            const muster_endpoint *other)
{
    const char *one_name = one->hostname == NULL ? "" : one->hostname;
    const char *other_name = other->hostname == NULL ? "" : other->hostname;

    return strcmp(one_name, other_name) == 0 && has_all_of(one, other) &&
           has_all_of(other, one);
}

static size_t find(const testkit_copies *list, const muster_endpoint *endpoint)
{
    size_t i = 0;

    while (i < list->n &&
           !testkit_copies_is_same(&list->endpoints[i], endpoint)) {
        i++;
    }
    return i;
}

muster_status testkit_copies_upsert(testkit_copies *list,
                                    const muster_endpoint *endpoint)
{
    size_t i = find(list, endpoint);
    muster_endpoint copy;

    if (i == list->n) {
        return testkit_copies_append(list, endpoint);
    }
    if (copy_endpoint(endpoint, &copy) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    free(block_of(&list->endpoints[i]));
    list->endpoints[i] = copy;
    return MUSTER_OK;
}

void testkit_copies_remove(testkit_copies *list,
                           const muster_endpoint *endpoint)
{
    size_t i = find(list, endpoint);

    if (i == list->n) {
        return;
    }
    free(block_of(&list->endpoints[i]));
    list->n--;
    memmove(&list->endpoints[i], &list->endpoints[i + 1],
            (list->n - i) * sizeof list->endpoints[i]);
}

static bool is_port(const char *text)
{
    size_t n_digits = strspn(text, "0123456789");

    return n_digits > 0 && n_digits <= 5 && text[n_digits] == '\0' &&
           strtol(text, NULL, 10) <= 65535;
}

/* host:port, host without brackets and zone, is a numeric address. */
static bool is_internet_address(const char *address)
{
    bool is_bracketed = address[0] == '[';
    const char *start = address + is_bracketed;
    const char *end = strchr(start, is_bracketed ? ']' : ':');
    size_t size = strcspn(start, is_bracketed ? "%]" : ":");
    char host[INET6_ADDRSTRLEN];
    struct in6_addr binary;

    if (end == NULL || size >= sizeof host) {
        return false;
    }
    memcpy(host, start, size);
    host[size] = '\0';
    end += is_bracketed;
    return *end == ':' && is_port(end + 1) &&
           inet_pton(is_bracketed ? AF_INET6 : AF_INET, host, &binary) == 1;
}

static bool is_address(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return address[5] != '\0';
    }
    if (strncmp(address, "unix-abstract:", 14) == 0) {
        return address[14] != '\0';
    }
    return is_internet_address(address);
}

const char *testkit_copies_refusal(const muster_endpoint *endpoint)
{
    if ((endpoint->n_more_addresses > 0 && endpoint->more_addresses == NULL) ||
        (endpoint->n_attributes > 0 && endpoint->attributes == NULL)) {
        return "an array is NULL";
    }
    for (uint32_t i = 0; i <= endpoint->n_more_addresses; i++) {
        const char *address = address_of(endpoint, i);

        if (address == NULL || !is_address(address)) {
            return "an address is not IP:port, [IPv6]:port, unix:path or "
                   "unix-abstract:name";
        }
    }
    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        if (endpoint->attributes[i].key == NULL ||
            endpoint->attributes[i].value == NULL) {
            return "an attribute's key or value is NULL";
        }
    }
    return NULL;
}

bool testkit_copies_text(const char *text, char **ret_copy)
{
    char *copy = NULL;

    if (text != NULL) {
        copy = strdup(text);
        if (copy == NULL) {
            return false;
        }
    }
    *ret_copy = copy;
    return true;
}

muster_status testkit_copies_attributes(const muster_attribute *attributes,
                                        size_t n, muster_attribute **ret_copy)
{
    size_t size = (n + 1) * sizeof *attributes;
    muster_attribute *copy;
    char *at;

    for (size_t i = 0; i < n; i++) {
        size += text_size(attributes[i].key) + text_size(attributes[i].value);
    }
    copy = calloc(1, size);
    if (copy == NULL) {
        return MUSTER_NOMEM;
    }
    at = (char *)(copy + n + 1);
    put_attributes(&at, copy, attributes, n);
    *ret_copy = copy;
    return MUSTER_OK;
}
