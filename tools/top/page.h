/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text with styles: what a screen shows, or a file gets. */
#ifndef MUSTER_TOOLS_TOP_PAGE_H
#define MUSTER_TOOLS_TOP_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <muster/export.h>

typedef enum top_style {
    TOP_NORMAL,
    TOP_STRONG,
    TOP_HEADING,
    TOP_FAINT,
    TOP_GOOD,
    TOP_DOUBTFUL,
    TOP_BAD,
    TOP_BAR,
    TOP_N_STYLES
} top_style;

/* A part of a line, by bytes. */
typedef struct top_span {
    size_t first;
    size_t length;
    top_style style;
} top_span;

typedef struct top_line {
    char *text; /* UTF-8 */
    size_t length;
    top_span *spans; /* one after the other, without gaps */
    size_t n_spans;
} top_line;

typedef struct top_page {
    top_line *lines;
    size_t n_lines;
    size_t n_fixed;        /* of them: at the top, not to be scrolled */
    bool is_out_of_memory; /* something is missing */
} top_page;

void top_page_init(top_page *self);
void top_page_fini(top_page *self);

/* Begins a line; what is added goes to the last one. */
void top_page_line(top_page *self);
void top_page_add(top_page *self, top_style style, const char *text);
void top_page_add_bytes(top_page *self, top_style style, const char *text,
                        size_t length);

/* Adds text in a field of width columns (code points), cut or filled up; a cut
 * is seen by its last column, "~". */
typedef enum top_side { TOP_LEFT, TOP_RIGHT } top_side;
void top_page_field(top_page *self, top_style style, top_side side,
                    size_t width, const char *text);

/* Blanks at the end of the last line go. */
void top_page_trim(top_page *self);

/* Columns that text takes, and the bytes of its first so many columns. */
size_t top_text_width(const char *text);
size_t top_text_bytes(const char *text, size_t n_columns);

#endif
