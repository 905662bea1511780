/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of JSON objects, and remembers the first mistake with its
 * place. A key that nobody has asked for is a mistake, too: it is a typing
 * error more often than not. */
#ifndef MUSTER_TOOLS_FIELD_H
#define MUSTER_TOOLS_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <muster/status.h>

#define FIELDS_MAX 16

/* An object that is being read. */
typedef struct fields {
    const json_t *object;
    struct mistake *mistake;
    const char *known[FIELDS_MAX]; /* keys that were asked for */
    size_t n_known;
    char place[64]; /* "$.endpoints[3]" */
} fields;

typedef struct mistake {
    muster_status status; /* MUSTER_OK: none yet */
    muster_error *err;
} mistake;

/* index < 0: value is no element of an array, but parent's member key. */
fields fields_open(mistake *first, const json_t *value, const char *parent,
                   const char *key, int index);

/* Refuses what nobody has asked for. */
void fields_close(fields *self);

/* The member; NULL when there is none. */
const json_t *fields_get(fields *self, const char *key);

void fields_refuse(const fields *self, const char *key, const char *must);

/* Each leaves its output as it is when there is no such member. */
void fields_number(fields *self, const char *key, double least, double most,
                   double *ret_value);
void fields_integer(fields *self, const char *key, uint32_t most,
                    uint32_t *ret_value);
void fields_bool(fields *self, const char *key, bool *ret_value);
const char *fields_text(fields *self, const char *key);

/* A time, in units of unit_ns: "serviceMs": 0.3. */
void fields_time(fields *self, const char *key, uint64_t unit_ns,
                 uint64_t *ret_ns);

/* The index of a text among n names. */
void fields_choice(fields *self, const char *key, const char *const *names,
                   size_t n, unsigned *ret_choice);

#endif
