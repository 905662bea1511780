/* SPDX-License-Identifier: Apache-2.0 */
/* How our policies read their configuration. Inline, because a policy is one
 * shared object or one object file among others. */
#ifndef MUSTER_BALANCERS_CONFIG_H
#define MUSTER_BALANCERS_CONFIG_H

#include <stdbool.h>

#include <muster/status.h>

#include <jansson.h>

/* Reads the boolean called key from a JSON object; *ret_value stays as it is
 * when there is none. MUSTER_INVAL; err says where. */
static inline muster_status config_read_bool(const char *json, const char *key,
                                             bool *ret_value, muster_error *err)
{
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    const json_t *value = json_object_get(root, key);
    muster_status status = MUSTER_OK;

    if (root == NULL) {
        return muster_error_set(err, MUSTER_INVAL, "line %d, column %d: %s",
                                where.line, where.column, where.text);
    }
    if (!json_is_object(root)) {
        status = muster_error_set(err, MUSTER_INVAL, "$: must be an object");
    } else if (value != NULL && !json_is_boolean(value)) {
        status = muster_error_set(err, MUSTER_INVAL,
                                  "$.%s: must be true or false", key);
    } else if (value != NULL) {
        *ret_value = json_is_true(value);
    }
    json_decref(root);
    return status;
}

#endif
