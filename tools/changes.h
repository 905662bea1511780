/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two lists of endpoints. */
#ifndef MUSTER_TOOLS_CHANGES_H
#define MUSTER_TOOLS_CHANGES_H

#include <jansson.h>

/* A new array with one object a difference: the endpoint's members, and "type"
 * in front: "add", "update" or "remove". Endpoints with the same addresses and
 * host name are the same. old may be NULL: nothing. Both are as
 * model_endpoints() makes them. NULL: out of memory. */
json_t *changes_between(const json_t *old, const json_t *new);

#endif
