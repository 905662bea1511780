/* SPDX-License-Identifier: Apache-2.0 */
/* Compares two lists of endpoints by identity. */
#include "changes.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Its addresses in a fixed order, one a line, then the host name. */
static char *write_identity(const char *const *sorted, size_t n,
                            const char *hostname)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(out, "%s\n", sorted[i]);
    }
    (void)fputs(hostname == NULL ? "" : hostname, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static char *identity_of(const json_t *endpoint)
{
    const json_t *more = json_object_get(endpoint, "more_addresses");
    const char **sorted = malloc((json_array_size(more) + 1) * sizeof *sorted);
    size_t n = 0;
    size_t index;
    const json_t *address;
    char *identity;

    if (sorted == NULL) {
        return NULL;
    }
    sorted[n++] = json_string_value(json_object_get(endpoint, "address"));
    json_array_foreach(more, index, address)
    {
        sorted[n++] = json_string_value(address);
    }
    qsort(sorted, n, sizeof *sorted, compare);
    identity = write_identity(
        sorted, n, json_string_value(json_object_get(endpoint, "hostname")));
    free(sorted);
    return identity;
}

/* The endpoints by identity. */
static json_t *index_of(const json_t *endpoints)
{
    json_t *object = json_object();
    size_t index;
    json_t *endpoint;

    json_array_foreach(endpoints, index, endpoint)
    {
        char *identity = identity_of(endpoint);
        int failed = identity == NULL ||
                     json_object_set(object, identity, endpoint) != 0;

        free(identity);
        if (failed) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static bool append(json_t *changes, const char *type, json_t *endpoint)
{
    json_t *change = json_pack("{s:s}", "type", type);

    if (change == NULL || json_object_update(change, endpoint) != 0) {
        json_decref(change);
        return false;
    }
    return json_array_append_new(changes, change) == 0;
}

/* In the order of the lists, which is the order that people expect. */
static bool compare_lists(json_t *changes, const json_t *from,
                          const json_t *into_index, bool is_new)
{
    size_t index;
    json_t *endpoint;

    json_array_foreach(from, index, endpoint)
    {
        char *identity = identity_of(endpoint);
        const json_t *other;
        bool is_good = identity != NULL;

        other = is_good ? json_object_get(into_index, identity) : NULL;
        free(identity);
        if (is_good && other == NULL) {
            is_good = append(changes, is_new ? "add" : "remove", endpoint);
        } else if (is_good && is_new && !json_equal(other, endpoint)) {
            is_good = append(changes, "update", endpoint);
        }
        if (!is_good) {
            return false;
        }
    }
    return true;
}

json_t *changes_between(const json_t *old, const json_t *new)
{
    json_t *old_index = index_of(old);
    json_t *new_index = index_of(new);
    json_t *changes = json_array();

    if (old_index == NULL || new_index == NULL || changes == NULL ||
        !compare_lists(changes, new, old_index, true) ||
        !compare_lists(changes, old, new_index, false)) {
        json_decref(changes);
        changes = NULL;
    }
    json_decref(old_index);
    json_decref(new_index);
    return changes;
}
