/* SPDX-License-Identifier: Apache-2.0 */
/* muster's data as JSON values: what all the output formats are made from. */
#ifndef MUSTER_TOOLS_MODEL_H
#define MUSTER_TOOLS_MODEL_H

#include <stddef.h>

#include <jansson.h>
#include <muster/endpoint.h>

/* All return a new reference, or NULL when out of memory. */

/* null for NULL. What is not UTF-8 has "?" for its bytes beyond ASCII. */
json_t *model_text(const char *text);

/* JSON text as a value; as a string when it is malformed; null for NULL. */
json_t *model_json(const char *text);

/* An array, sorted by priority and address so that two lists compare. */
json_t *model_endpoints(const muster_endpoint *endpoints, size_t n_endpoints);

#endif
