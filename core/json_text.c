/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written without a tree before it. */
#include "json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 4096 };

/* There is room for n bytes, and a 0. */
static bool make_room(muster__json_text *self, size_t n)
{
    size_t size = self->size == 0 ? FIRST_SIZE : self->size;
    char *text;

    while (size <= self->length + n) {
        size *= 2;
    }
    if (size == self->size) {
        return true;
    }
    text = realloc(self->text, size);
    if (text != NULL) {
        self->text = text;
        self->size = size;
    }
    return text != NULL;
}

static ssize_t append(void *cookie, const char *bytes, size_t n)
{
    muster__json_text *self = cookie;

    if (!make_room(self, n)) {
        return 0; /* an error, for fopencookie(3) */
    }
    memcpy(self->text + self->length, bytes, n);
    self->length += n;
    self->text[self->length] = '\0';
    return (ssize_t)n;
}

FILE *muster__json_open(muster__json_text *self)
{
    return fopencookie(self, "w", (cookie_io_functions_t){.write = append});
}

char *muster__json_close(muster__json_text *self, FILE *out)
{
    bool is_whole = ferror(out) == 0;

    if (fclose(out) != 0 || !is_whole) {
        free(self->text);
        self->text = NULL;
    }
    return self->text;
}

/* Printable ASCII without what JSON escapes. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') {
            return false;
        }
    }
    return true;
}

void muster__json_string(FILE *out, const char *text)
{
    json_t *json;

    if (text != NULL && is_plain(text)) {
        (void)fputc('"', out);
        (void)fputs(text, out);
        (void)fputc('"', out);
        return;
    }
    json = text == NULL ? NULL : json_string(text);
    if (json == NULL || json_dumpf(json, out, JSON_ENCODE_ANY) != 0) {
        (void)fputs("null", out);
    }
    json_decref(json);
}

const char *muster__json_word(bool value)
{
    return value ? "true" : "false";
}
