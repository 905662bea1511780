/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON format of a file: README.md has its schema. */
#include "content.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json_error.h>

#include "../static/entry.h"

/* What the core takes of one endpoint. */
enum { ADDRESSES_MAX = 64, ATTRIBUTES_MAX = 1024 };

/* What is being read, for messages: "endpoints[3]" and its like. */
struct place {
    const char *list; /* "endpoints", or "" for a bare array */
    size_t index;
};

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string",
                                        "a number",  "a number", "true",
                                        "false",     "null"};

    return names[json_typeof(value)];
}

static muster_status fail(struct place place, const char *field,
                          const char *expected, const json_t *got,
                          muster_error *err)
{
    return muster_error_set(err, MUSTER_PROTOCOL,
                            "%s[%zu]%s%s: expected %s, got %s", place.list,
                            place.index, *field != '\0' ? "." : "", field,
                            expected, type_name(got));
}

static muster_status read_number(struct place place, const char *field,
                                 const json_t *value, uint32_t *ret_number,
                                 muster_error *err)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value)) {
        return fail(place, field, "a whole number", value, err);
    }
    if (number < 0 || number > (json_int_t)UINT32_MAX) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "%s[%zu].%s: expected a number from 0 to "
                                "4294967295, got %" JSON_INTEGER_FORMAT,
                                place.list, place.index, field, number);
    }
    *ret_number = (uint32_t)number;
    return MUSTER_OK;
}

static muster_status read_zone(struct place place, const json_t *value,
                               const char **ret_zone, muster_error *err)
{
    if (!json_is_string(value) || !entry_is_name(json_string_value(value))) {
        return fail(place, "zone", "a name without control characters", value,
                    err);
    }
    *ret_zone = json_string_value(value);
    return MUSTER_OK;
}

static muster_status read_hostname(struct place place, const json_t *value,
                                   const char **ret_hostname, muster_error *err)
{
    if (!json_is_string(value) ||
        !entry_is_hostname(json_string_value(value))) {
        return fail(place, "hostname",
                    "a string of 1 to 255 visible ASCII characters", value,
                    err);
    }
    *ret_hostname = json_string_value(value);
    return MUSTER_OK;
}

static muster_status read_address(struct place place, const json_t *value,
                                  const char **ret_address, muster_error *err)
{
    char canonical[MUSTER__ADDRESS_SIZE];
    size_t length;
    muster_error why;

    if (!json_is_string(value)) {
        return fail(place, "address", "a string such as \"10.0.0.1:50051\"",
                    value, err);
    }
    if (muster__address_canonical(json_string_value(value), canonical, &length,
                                  &why) != MUSTER_OK) {
        return muster_error_set(err, MUSTER_PROTOCOL, "%s[%zu]: %s", place.list,
                                place.index, why.message);
    }
    *ret_address = json_string_value(value);
    return MUSTER_OK;
}

/* "addresses" follow "address", or stand for it. */
static muster_status read_addresses(struct place place, const json_t *value,
                                    muster__file_content *content,
                                    muster_endpoint *endpoint,
                                    muster_error *err)
{
    size_t n = json_array_size(value);
    const char **more;

    if (!json_is_array(value) || n == 0) {
        return fail(place, "addresses", "an array of at least one string",
                    value, err);
    }
    if (n >= ADDRESSES_MAX) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "%s[%zu].addresses: expected at most %d, got "
                                "%zu",
                                place.list, place.index, ADDRESSES_MAX - 1, n);
    }
    more = muster__file_allocate(content, n, sizeof *more);
    if (more == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        muster_status status =
            read_address(place, json_array_get(value, i), &more[i], err);

        if (status != MUSTER_OK) {
            return status;
        }
    }
    endpoint->more_addresses = more;
    endpoint->n_more_addresses = (uint32_t)n;
    if (endpoint->address == NULL) {
        endpoint->address = more[0];
        endpoint->more_addresses = more + 1;
        endpoint->n_more_addresses--;
    }
    return MUSTER_OK;
}

static muster_status read_attributes(struct place place, json_t *value,
                                     muster__file_content *content,
                                     muster_endpoint *endpoint,
                                     muster_error *err)
{
    muster_attribute *attributes;
    const char *key;
    json_t *text;

    if (!json_is_object(value)) {
        return fail(place, "attributes", "an object of strings", value, err);
    }
    if (json_object_size(value) > ATTRIBUTES_MAX) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "%s[%zu].attributes: expected at most %d, got "
                                "%zu",
                                place.list, place.index, ATTRIBUTES_MAX,
                                json_object_size(value));
    }
    attributes = muster__file_allocate(content, json_object_size(value),
                                       sizeof *attributes);
    if (attributes == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    json_object_foreach(value, key, text)
    {
        if (!json_is_string(text) || !entry_is_name(key)) {
            return fail(place, "attributes", "an object of strings with names",
                        text, err);
        }
        attributes[endpoint->n_attributes].key = key;
        attributes[endpoint->n_attributes].value = json_string_value(text);
        endpoint->n_attributes++;
    }
    endpoint->attributes = attributes;
    return MUSTER_OK;
}

static muster_status read_field(struct place place, const char *key,
                                json_t *value, muster__file_content *content,
                                muster_endpoint *endpoint, muster_error *err)
{
    if (strcmp(key, "address") == 0 || strcmp(key, "addresses") == 0) {
        return MUSTER_OK; /* read before all others */
    }
    if (strcmp(key, "weight") == 0) {
        return read_number(place, key, value, &endpoint->weight, err);
    }
    if (strcmp(key, "priority") == 0) {
        return read_number(place, key, value, &endpoint->priority, err);
    }
    if (strcmp(key, "zone") == 0) {
        return read_zone(place, value, &endpoint->zone, err);
    }
    if (strcmp(key, "hostname") == 0) {
        return read_hostname(place, value, &endpoint->hostname, err);
    }
    if (strcmp(key, "attributes") == 0) {
        return read_attributes(place, value, content, endpoint, err);
    }
    return muster_error_set(err, MUSTER_PROTOCOL,
                            "%s[%zu]: unknown key %s; expected address, "
                            "addresses, weight, priority, zone, hostname or "
                            "attributes",
                            place.list, place.index, muster__quote(key).text);
}

static muster_status read_all_addresses(struct place place, const json_t *value,
                                        muster__file_content *content,
                                        muster_endpoint *endpoint,
                                        muster_error *err)
{
    const json_t *address = json_object_get(value, "address");
    const json_t *addresses = json_object_get(value, "addresses");
    muster_status status = MUSTER_OK;

    if (address == NULL && addresses == NULL) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "%s[%zu]: neither address nor addresses",
                                place.list, place.index);
    }
    if (address != NULL) {
        status = read_address(place, address, &endpoint->address, err);
    }
    if (addresses != NULL && status == MUSTER_OK) {
        status = read_addresses(place, addresses, content, endpoint, err);
    }
    return status;
}

static muster_status read_endpoint(struct place place, json_t *value,
                                   muster__file_content *content,
                                   muster_endpoint *endpoint, muster_error *err)
{
    muster_status status;
    const char *key;
    json_t *field;

    if (json_is_string(value)) {
        return read_address(place, value, &endpoint->address, err);
    }
    if (!json_is_object(value)) {
        return fail(place, "", "an object or an address", value, err);
    }
    status = read_all_addresses(place, value, content, endpoint, err);
    json_object_foreach(value, key, field)
    {
        if (status == MUSTER_OK) {
            status = read_field(place, key, field, content, endpoint, err);
        }
    }
    return status;
}

static muster_status read_endpoints(const char *name, json_t *list,
                                    muster__file_content *content,
                                    muster_error *err)
{
    struct place place = {name, 0};
    size_t n = json_array_size(list);
    muster_status status = MUSTER_OK;

    content->endpoints =
        muster__file_allocate(content, n, sizeof *content->endpoints);
    if (content->endpoints == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    for (; place.index < n && status == MUSTER_OK; place.index++) {
        status = read_endpoint(place, json_array_get(list, place.index),
                               content, &content->endpoints[place.index], err);
    }
    content->n_endpoints = n;
    return status;
}

static muster_status read_service_config(const json_t *value,
                                         muster__file_content *content,
                                         muster_error *err)
{
    if (!json_is_object(value)) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "service_config: expected an object, got %s",
                                type_name(value));
    }
    content->service_config = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    return content->service_config != NULL
               ? MUSTER_OK
               : muster_error_set(err, MUSTER_NOMEM, "out of memory");
}

static muster_status read_root(json_t *root, muster__file_content *content,
                               muster_error *err)
{
    muster_status status = MUSTER_OK;
    json_t *endpoints;
    const char *key;
    json_t *value;

    if (json_is_array(root)) {
        return read_endpoints("", root, content, err);
    }
    endpoints = json_object_get(root, "endpoints");
    if (!json_is_array(endpoints)) {
        return muster_error_set(
            err, MUSTER_PROTOCOL, "endpoints: expected an array, got %s",
            endpoints != NULL ? type_name(endpoints) : "nothing");
    }
    status = read_endpoints("endpoints", endpoints, content, err);
    json_object_foreach(root, key, value)
    {
        if (status != MUSTER_OK) {
            return status;
        }
        if (strcmp(key, "service_config") == 0) {
            status = read_service_config(value, content, err);
        } else if (strcmp(key, "endpoints") != 0) {
            status = muster_error_set(err, MUSTER_PROTOCOL,
                                      "unknown key %s; expected endpoints and "
                                      "service_config",
                                      muster__quote(key).text);
        }
    }
    return status;
}

muster_status muster__file_parse_json(const char *text, size_t length,
                                      muster__file_content *content,
                                      muster_error *err)
{
    json_error_t error;

    errno = 0;
    content->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (content->root != NULL) {
        return read_root(content->root, content, err);
    }
    if (muster__json_is_out_of_memory(&error)) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return muster_error_set(err, MUSTER_PROTOCOL,
                            "line %d, column %d: %s; expected JSON", error.line,
                            error.column, error.text);
}
