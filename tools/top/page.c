/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text with styles. */
#include "page.h"

#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

static bool begins_column(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80; /* not inside a code point */
}

size_t top_text_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += begins_column(*text);
    }
    return width;
}

size_t top_text_bytes(const char *text, size_t n_columns)
{
    size_t bytes = 0;

    while (text[bytes] != '\0' &&
           (n_columns > 0 || !begins_column(text[bytes]))) {
        n_columns -= begins_column(text[bytes]);
        bytes++;
    }
    return bytes;
}

/* ---- pages ---- */

void top_page_init(top_page *self)
{
    *self = (top_page){.lines = NULL};
}

void top_page_fini(top_page *self)
{
    for (size_t i = 0; i < self->n_lines; i++) {
        free(self->lines[i].text);
        free(self->lines[i].spans);
    }
    free(self->lines);
    top_page_init(self);
}

/* A power of two is when the array that held n is full. */
static bool is_full(size_t n)
{
    return (n & (n - 1)) == 0;
}

void top_page_line(top_page *self)
{
    top_line *lines = self->lines;

    if (is_full(self->n_lines)) {
        size_t n = self->n_lines == 0 ? 1 : 2 * self->n_lines;

        lines = realloc(self->lines, n * sizeof *lines);
    }
    if (lines == NULL) {
        self->is_out_of_memory = true;
        return;
    }
    self->lines = lines;
    lines[self->n_lines++] = (top_line){.text = NULL};
}

static bool append_text(top_line *line, const char *text, size_t length)
{
    char *grown = realloc(line->text, line->length + length + 1);

    if (grown == NULL) {
        return false;
    }
    memcpy(grown + line->length, text, length);
    line->text = grown;
    line->length += length;
    grown[line->length] = '\0';
    return true;
}

static bool append_span(top_line *line, top_style style, size_t length)
{
    top_span *last =
        line->n_spans == 0 ? NULL : &line->spans[line->n_spans - 1];
    top_span *spans;

    if (last != NULL && last->style == style) {
        last->length += length;
        return true;
    }
    spans = realloc(line->spans, (line->n_spans + 1) * sizeof *spans);
    if (spans == NULL) {
        return false;
    }
    line->spans = spans;
    spans[line->n_spans++] =
        (top_span){.first = line->length, .length = length, .style = style};
    return true;
}

void top_page_add_bytes(top_page *self, top_style style, const char *text,
                        size_t length)
{
    top_line *line;

    if (self->n_lines == 0 || length == 0) {
        return;
    }
    line = &self->lines[self->n_lines - 1];
    if (!append_span(line, style, length)) {
        self->is_out_of_memory = true;
    } else if (!append_text(line, text, length)) {
        self->is_out_of_memory = true;
        line->spans[line->n_spans - 1].length -= length;
    }
}

void top_page_add(top_page *self, top_style style, const char *text)
{
    top_page_add_bytes(self, style, text, strlen(text));
}

static void add_blanks(top_page *self, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        top_page_add_bytes(self, TOP_NORMAL, " ", 1);
    }
}

void top_page_field(top_page *self, top_style style, top_side side,
                    size_t width, const char *text)
{
    size_t columns = top_text_width(text);

    if (columns > width) {
        top_page_add_bytes(self, style, text,
                           top_text_bytes(text, width > 0 ? width - 1 : 0));
        top_page_add_bytes(self, style, "~", width > 0);
        return;
    }
    add_blanks(self, side == TOP_RIGHT ? width - columns : 0);
    top_page_add(self, style, text);
    add_blanks(self, side == TOP_LEFT ? width - columns : 0);
}

void top_page_trim(top_page *self)
{
    top_line *line =
        self->n_lines == 0 ? NULL : &self->lines[self->n_lines - 1];

    while (line != NULL && line->length > 0 &&
           line->text[line->length - 1] == ' ') {
        line->text[--line->length] = '\0';
        if (--line->spans[line->n_spans - 1].length == 0) {
            line->n_spans--;
        }
    }
}
