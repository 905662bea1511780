/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a JSON text something is. The text was parsed already: so nothing is
 * checked here but the end of the text. */
#include "place.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static bool is_at(const cursor *self, char c)
{
    return self->at < self->end && *self->at == c;
}

/* Blanks, and what stands between values. */
static void skip_blanks(cursor *self)
{
    while (self->at < self->end && strchr(" \t\r\n,:", *self->at) != NULL) {
        self->at++;
    }
}

static void skip_string(cursor *self)
{
    self->at++;
    while (self->at < self->end && *self->at != '"') {
        self->at += *self->at == '\\' && self->end - self->at > 1 ? 2 : 1;
    }
    self->at += self->at < self->end;
}

static void skip_value(cursor *self)
{
    size_t depth = 0;

    do {
        skip_blanks(self);
        if (self->at >= self->end) {
            return;
        }
        if (*self->at == '"') {
            skip_string(self);
        } else if (*self->at == '{' || *self->at == '[') {
            depth++;
            self->at++;
        } else if (*self->at == '}' || *self->at == ']') {
            depth -= depth > 0;
            self->at++;
        } else { /* a number, or a word */
            while (self->at < self->end &&
                   strchr(" \t\r\n,:]}", *self->at) == NULL) {
                self->at++;
            }
        }
    } while (depth > 0);
}

/* From an object to its member's value. False: it has none of that name. */
static bool go_to_member(cursor *self, const char *key, size_t length)
{
    if (!is_at(self, '{')) {
        return false;
    }
    self->at++;
    for (skip_blanks(self); is_at(self, '"'); skip_blanks(self)) {
        const char *name = self->at + 1;
        size_t name_length;

        skip_string(self);
        name_length = (size_t)(self->at - name) - 1;
        skip_blanks(self);
        if (name_length == length && memcmp(name, key, length) == 0) {
            return true;
        }
        skip_value(self);
    }
    return false;
}

static bool go_to_element(cursor *self, unsigned long index)
{
    if (!is_at(self, '[')) {
        return false;
    }
    self->at++;
    for (skip_blanks(self);
         index > 0 && !is_at(self, ']') && self->at < self->end;
         skip_blanks(self)) {
        skip_value(self);
        index--;
    }
    return index == 0 && self->at < self->end && !is_at(self, ']');
}

/* One step along *path. */
static bool go(cursor *self, const char **path)
{
    const char *step = *path;
    char *end = NULL;
    size_t length;

    if (*step == '[') {
        unsigned long index = strtoul(step + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end;
        return go_to_element(self, index);
    }
    step += *step == '.';
    length = strcspn(step, ".[");
    *path = step + length;
    return length > 0 && go_to_member(self, step, length);
}

void muster__place_find(const char *text, size_t length, const char *path,
                        int *ret_line, int *ret_column)
{
    cursor self = {text, text + length};
    cursor next = self;
    int line = 1;
    const char *line_start = text;

    skip_blanks(&self);
    next = self;
    while (*path != '\0' && go(&next, &path)) {
        self = next;
    }
    for (const char *at = text; at < self.at; at++) {
        if (*at == '\n') {
            line++;
            line_start = at + 1;
        }
    }
    *ret_line = line;
    *ret_column = (int)(self.at - line_start) + 1;
}
