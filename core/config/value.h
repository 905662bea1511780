/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSON values by the rules of proto3 JSON, by which gRPC defines its
 * service config: null is as good as absent, numbers may be strings, a duration
 * is "1.5s". Each function that answers false has added a problem, and left its
 * output untouched. Thread: any one. */
#ifndef MUSTER_CORE_CONFIG_VALUE_H
#define MUSTER_CORE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "problems.h"

/* The member; NULL when it is absent or null. Borrowed. */
const json_t *muster__config_get(const json_t *object, const char *key);

bool muster__config_is_object(muster__problems *problems, const json_t *value);
bool muster__config_is_array(muster__problems *problems, const json_t *value);
bool muster__config_is_string(muster__problems *problems, const json_t *value);
bool muster__config_bool(muster__problems *problems, const json_t *value,
                         bool *ret_value);

/* A whole number from 0 to max. */
bool muster__config_integer(muster__problems *problems, const json_t *value,
                            uint64_t max, uint64_t *ret_value);

bool muster__config_number(muster__problems *problems, const json_t *value,
                           double *ret_value);

/* A duration that is not negative; over 292 years it is cut. */
bool muster__config_duration(muster__problems *problems, const json_t *value,
                             uint64_t *ret_ns);

/* An array of gRPC status codes, by number or name: a bit each. */
bool muster__config_codes(muster__problems *problems, const json_t *value,
                          uint32_t *ret_codes);

#endif
