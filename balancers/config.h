/* SPDX-License-Identifier: Apache-2.0 */
/* How our policies read their configuration. Inline, because a policy is one
 * shared object or one object file among others.
 *
 *     config settings = config_open(env->config_json, err);
 *
 *     config_integer(&settings, "choiceCount", 2, 10, &self->n_choices);
 *     config_duration(&settings, "decayTime", &self->decay_ns);
 *     status = config_close(&settings);
 *
 * An object in it is read in the same way:
 *
 *     config inner;
 *
 *     if (config_enter(&settings, "successRateEjection", &inner)) {
 *         config_integer(&inner, "stdevFactor", 0, UINT32_MAX, &factor);
 *         config_leave(&settings, &inner);
 *     }
 *
 * An output stays as it is when its key is absent or null, and when anything
 * before it was wrong; err tells of the first mistake, with its place. The
 * rules are those of proto3 JSON, by which gRPC defines its own policies'. */
#ifndef MUSTER_BALANCERS_CONFIG_H
#define MUSTER_BALANCERS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <muster/status.h>

#include <jansson.h>
#include <json_duration.h>

typedef struct config {
    json_t *root;
    muster_error *err;
    muster_status status; /* of the first mistake */
    char place[96];       /* of root: "$", or "$.successRateEjection"; cut */
} config;

static inline config config_open(const char *json, muster_error *err)
{
    json_error_t where;
    config self = {.err = err, .status = MUSTER_OK, .place = "$"};

    self.root = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    if (self.root == NULL) {
        self.status =
            muster_error_set(err, MUSTER_INVAL, "line %d, column %d: %s",
                             where.line, where.column, where.text);
    } else if (!json_is_object(self.root)) {
        self.status =
            muster_error_set(err, MUSTER_INVAL, "$: must be an object");
    }
    return self;
}

/* MUSTER_OK, or MUSTER_INVAL of the first mistake. Texts that were read are
 * gone after it. */
static inline muster_status config_close(config *self)
{
    json_decref(self->root);
    return self->status;
}

static inline void config_refuse(config *self, const char *key,
                                 const char *must)
{
    self->status = muster_error_set(
        self->err, MUSTER_INVAL, "%s.%s: must be %s", self->place, key, must);
}

/* The value, for what this header does not read; NULL when there is none, or
 * when something was wrong before. Borrowed until config_close(). */
static inline const json_t *config_get(const config *self, const char *key)
{
    const json_t *value =
        self->status == MUSTER_OK ? json_object_get(self->root, key) : NULL;

    return json_is_null(value) ? NULL : value;
}

/* Whether there is an object under key, and nothing was wrong before. It is
 * read from *ret_inner until config_leave(). */
static inline bool config_enter(config *self, const char *key,
                                config *ret_inner)
{
    const json_t *value = config_get(self, key);

    if (value != NULL && !json_is_object(value)) {
        config_refuse(self, key, "an object");
        return false;
    }
    if (value == NULL) {
        return false;
    }
    *ret_inner = *self;
    ret_inner->root = json_object_get(self->root, key);
    (void)snprintf(ret_inner->place, sizeof ret_inner->place, "%.40s.%.48s",
                   self->place, key);
    return true;
}

static inline void config_leave(config *self, const config *inner)
{
    self->status = inner->status;
}

/* For settings without a default. */
static inline void config_require(config *self, const char *key)
{
    if (self->status == MUSTER_OK && config_get(self, key) == NULL) {
        config_refuse(self, key, "given");
    }
}

static inline void config_bool(config *self, const char *key, bool *ret_value)
{
    const json_t *value = config_get(self, key);

    if (value != NULL && !json_is_boolean(value)) {
        config_refuse(self, key, "true or false");
    } else if (value != NULL) {
        *ret_value = json_is_true(value);
    }
}

/* From least to most. */
static inline void config_number(config *self, const char *key, double least,
                                 double most, double *ret_value)
{
    const json_t *value = config_get(self, key);
    double number = json_number_value(value);

    if (value == NULL) {
        return;
    }
    if (!json_is_number(value) || number < least || number > most) {
        self->status = muster_error_set(self->err, MUSTER_INVAL,
                                        "%s.%s: must be a number from %g to %g",
                                        self->place, key, least, most);
        return;
    }
    *ret_value = number;
}

/* A whole number from least to most. */
static inline void config_integer(config *self, const char *key, uint32_t least,
                                  uint32_t most, uint32_t *ret_value)
{
    const json_t *value = config_get(self, key);
    double number = json_number_value(value);

    if (value == NULL) {
        return;
    }
    if (!json_is_number(value) || number < least || number > most ||
        (double)(uint32_t)number != number) {
        self->status =
            muster_error_set(self->err, MUSTER_INVAL,
                             "%s.%s: must be a whole number from %u to %u",
                             self->place, key, (unsigned)least, (unsigned)most);
        return;
    }
    *ret_value = (uint32_t)number;
}

static inline void config_duration(config *self, const char *key,
                                   uint64_t *ret_ns)
{
    const json_t *value = config_get(self, key);
    const char *text = json_string_value(value);

    if (value != NULL &&
        (text == NULL || !muster__json_duration(text, ret_ns))) {
        config_refuse(self, key, "a duration like \"1.5s\"");
    }
}

/* Borrowed until config_close(). */
static inline void config_text(config *self, const char *key,
                               const char **ret_text)
{
    const json_t *value = config_get(self, key);

    if (value != NULL && !json_is_string(value)) {
        config_refuse(self, key, "a string");
    } else if (value != NULL) {
        *ret_text = json_string_value(value);
    }
}

/* One of n names, by its number; must says which ("RANDOM or FULL_SCAN"). */
static inline void config_choice(config *self, const char *key,
                                 const char *const *names, unsigned n,
                                 const char *must, unsigned *ret_choice)
{
    const json_t *value = config_get(self, key);
    const char *text = json_string_value(value);

    if (value == NULL) {
        return;
    }
    for (unsigned i = 0; text != NULL && i < n; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret_choice = i;
            return;
        }
    }
    config_refuse(self, key, must);
}

#endif
