/* SPDX-License-Identifier: Apache-2.0 */
/* Turns endpoints into JSON values. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

json_t *model_text(const char *text)
{
    json_t *value = text == NULL ? json_null() : json_string(text);
    char *copy;

    if (value != NULL) {
        return value;
    }
    copy = strdup(text);
    if (copy == NULL) {
        return NULL;
    }
    for (unsigned char *at = (unsigned char *)copy; *at != '\0'; at++) {
        *at = *at < 0x80 ? *at : '?';
    }
    value = json_string(copy);
    free(copy);
    return value;
}

json_t *model_json(const char *text)
{
    json_t *value = text == NULL ? NULL : json_loads(text, 0, NULL);

    return value != NULL ? value : model_text(text);
}

static json_t *more_addresses(const muster_endpoint *endpoint)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        if (json_array_append_new(
                array, model_text(endpoint->more_addresses[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Keys are text, and may be no UTF-8 either. */
static int set_attribute(json_t *object, const muster_attribute *attribute)
{
    json_t *key = model_text(attribute->key);
    int failed = json_object_set_new(object, json_string_value(key),
                                     model_text(attribute->value));

    json_decref(key);
    return failed;
}

static json_t *attributes(const muster_endpoint *endpoint)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        if (set_attribute(object, &endpoint->attributes[i]) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *model_endpoint(const muster_endpoint *endpoint)
{
    uint32_t weight = endpoint->weight == 0 ? 1 : endpoint->weight;

    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:o}", "address",
                     model_text(endpoint->address), "more_addresses",
                     more_addresses(endpoint), "hostname",
                     model_text(endpoint->hostname), "zone",
                     model_text(endpoint->zone), "weight", (json_int_t)weight,
                     "priority", (json_int_t)endpoint->priority, "attributes",
                     attributes(endpoint));
}

static int compare_text(const char *left, const char *right)
{
    return strverscmp(left == NULL ? "" : left, right == NULL ? "" : right);
}

static int compare(const void *left_item, const void *right_item)
{
    const muster_endpoint *left = *(const muster_endpoint *const *)left_item;
    const muster_endpoint *right = *(const muster_endpoint *const *)right_item;
    int order;

    if (left->priority != right->priority) {
        return left->priority < right->priority ? -1 : 1;
    }
    order = compare_text(left->address, right->address);
    return order != 0 ? order : compare_text(left->hostname, right->hostname);
}

static json_t *array_of(const muster_endpoint *const *sorted, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(array, model_endpoint(sorted[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *model_endpoints(const muster_endpoint *endpoints, size_t n_endpoints)
{
    const muster_endpoint **sorted = malloc((n_endpoints + 1) * sizeof *sorted);
    json_t *array;

    if (sorted == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n_endpoints; i++) {
        sorted[i] = &endpoints[i];
    }
    qsort(sorted, n_endpoints, sizeof *sorted, compare);
    array = array_of(sorted, n_endpoints);
    free(sorted);
    return array;
}
