/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of JSON objects. */
#include "field.h"

#include <stdio.h>
#include <string.h>

/* The longest time that is simulated: a day. */
#define TIME_MAX_NS (24 * 3600 * 1e9)

fields fields_open(mistake *first, const json_t *value, const char *parent,
                   const char *key, int index)
{
    fields self = {.object = value, .mistake = first};

    if (key == NULL) {
        (void)snprintf(self.place, sizeof self.place, "%s", parent);
    } else if (index < 0) {
        (void)snprintf(self.place, sizeof self.place, "%s.%s", parent, key);
    } else {
        (void)snprintf(self.place, sizeof self.place, "%s.%s[%d]", parent, key,
                       index);
    }
    if (!json_is_object(value) && first->status == MUSTER_OK) {
        first->status = muster_error_set(first->err, MUSTER_INVAL,
                                         "%s: must be an object", self.place);
    }
    return self;
}

static bool is_known(const fields *self, const char *key)
{
    for (size_t i = 0; i < self->n_known; i++) {
        if (strcmp(self->known[i], key) == 0) {
            return true;
        }
    }
    return false;
}

void fields_close(fields *self)
{
    const char *key;
    json_t *value;

    /* jansson's macro takes the object without const. */
    json_object_foreach((json_t *)(uintptr_t)self->object, key, value)
    {
        if (!is_known(self, key) && self->mistake->status == MUSTER_OK) {
            self->mistake->status = muster_error_set(
                self->mistake->err, MUSTER_INVAL, "%s.%s: there is no such key",
                self->place, key);
        }
    }
}

const json_t *fields_get(fields *self, const char *key)
{
    if (self->n_known < FIELDS_MAX) {
        self->known[self->n_known++] = key;
    }
    return json_object_get(self->object, key);
}

void fields_refuse(const fields *self, const char *key, const char *must)
{
    if (self->mistake->status == MUSTER_OK) {
        self->mistake->status =
            muster_error_set(self->mistake->err, MUSTER_INVAL,
                             "%s.%s: must be %s", self->place, key, must);
    }
}

void fields_number(fields *self, const char *key, double least, double most,
                   double *ret_value)
{
    const json_t *value = fields_get(self, key);
    double number = json_number_value(value);
    char must[64];

    if (value == NULL) {
        return;
    }
    if (!json_is_number(value) || number < least || number > most) {
        (void)snprintf(must, sizeof must, "a number from %g to %g", least,
                       most);
        fields_refuse(self, key, must);
        return;
    }
    *ret_value = number;
}

void fields_integer(fields *self, const char *key, uint32_t most,
                    uint32_t *ret_value)
{
    const json_t *value = fields_get(self, key);
    char must[64];

    if (value == NULL) {
        return;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > (json_int_t)most) {
        (void)snprintf(must, sizeof must, "a whole number from 0 to %u",
                       (unsigned)most);
        fields_refuse(self, key, must);
        return;
    }
    *ret_value = (uint32_t)json_integer_value(value);
}

void fields_bool(fields *self, const char *key, bool *ret_value)
{
    const json_t *value = fields_get(self, key);

    if (value != NULL && !json_is_boolean(value)) {
        fields_refuse(self, key, "true or false");
    } else if (value != NULL) {
        *ret_value = json_is_true(value);
    }
}

const char *fields_text(fields *self, const char *key)
{
    const json_t *value = fields_get(self, key);

    if (value != NULL && !json_is_string(value)) {
        fields_refuse(self, key, "a string");
    }
    return json_string_value(value);
}

void fields_time(fields *self, const char *key, uint64_t unit_ns,
                 uint64_t *ret_ns)
{
    double units = -1;

    fields_number(self, key, 0, TIME_MAX_NS / (double)unit_ns, &units);
    if (units >= 0) {
        *ret_ns = (uint64_t)(units * (double)unit_ns + 0.5);
    }
}

void fields_choice(fields *self, const char *key, const char *const *names,
                   size_t n, unsigned *ret_choice)
{
    const char *text = fields_text(self, key);
    char must[128] = "one of";

    for (size_t i = 0; text != NULL && i < n; i++) {
        size_t used = strlen(must);

        if (strcmp(names[i], text) == 0) {
            *ret_choice = (unsigned)i;
            return;
        }
        (void)snprintf(must + used, sizeof must - used, " \"%s\"", names[i]);
    }
    if (text != NULL) {
        fields_refuse(self, key, must);
    }
}
