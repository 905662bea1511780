/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies of a channel count: numbers by name and labels. */
#include "counters.h"

#include <jansson.h>
#include <string.h>

/* NULL when memory is short, or a text is not UTF-8. */
static json_t *labels_to_json(const muster_attribute *labels, size_t n)
{
    json_t *json = json_object();

    for (size_t i = 0; json != NULL && i < n; i++) {
        if (json_object_set_new(json, labels[i].key,
                                json_string(labels[i].value)) != 0) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* Borrowed; NULL when there is none yet. */
static json_t *find(const muster__counters *counters, const char *name,
                    const json_t *labels)
{
    for (size_t i = 0; i < json_array_size(counters->list); i++) {
        json_t *item = json_array_get(counters->list, i);

        if (strcmp(json_string_value(json_object_get(item, "name")), name) ==
                0 &&
            json_equal(json_object_get(item, "labels"), labels)) {
            return item;
        }
    }
    return NULL;
}

void muster__counters_add(muster__counters *counters, const char *name,
                          const muster_attribute *labels, size_t n_labels,
                          uint64_t delta)
{
    json_t *wanted = labels_to_json(labels, n_labels);
    json_t *item = wanted == NULL ? NULL : find(counters, name, wanted);

    if (item != NULL) {
        json_t *value = json_object_get(item, "value");

        (void)json_integer_set(value,
                               json_integer_value(value) + (json_int_t)delta);
        json_decref(wanted);
        return;
    }
    if (counters->list == NULL) {
        counters->list = json_array();
    }
    /* Takes over wanted, and bears NULLs by failing. */
    (void)json_array_append_new(
        counters->list, json_pack("{s:s, s:o, s:I}", "name", name, "labels",
                                  wanted, "value", (json_int_t)delta));
}

bool muster__counters_dump(const muster__counters *counters, FILE *out)
{
    return counters->list == NULL
               ? fputs("[]", out) >= 0
               : json_dumpf(counters->list, out, JSON_COMPACT) == 0;
}

void muster__counters_fini(muster__counters *counters)
{
    json_decref(counters->list);
    counters->list = NULL;
}
