/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written without a tree before it: a tree of a thousand endpoints takes
 * many times as long as their text. */
#ifndef MUSTER_CORE_JSON_TEXT_H
#define MUSTER_CORE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What is written. Zero it before. */
typedef struct muster__json_text {
    char *text;
    size_t length;
    size_t size;
} muster__json_text;

/* A stream into self, which has to stay until it is closed; NULL when out of
 * memory. Faster than open_memstream(), which clears and copies. */
FILE *muster__json_open(muster__json_text *self);

/* Closes it. The text, ended by 0, is the caller's: to be given to free(3).
 * NULL: some of it is missing, for want of memory. */
char *muster__json_close(muster__json_text *self, FILE *out);

/* A string, or null: also for text that is not UTF-8. */
void muster__json_string(FILE *out, const char *text);

/* "true" or "false". */
const char *muster__json_word(bool value);

#endif
