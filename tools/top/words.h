/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and states as people read them. */
#ifndef MUSTER_TOOLS_TOP_WORDS_H
#define MUSTER_TOOLS_TOP_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "page.h"

enum { TOP_WORD_SIZE = 32, TOP_BAR_SIZE = 128 };

/* At most 6 columns: "-" (below 0), "0.3", "42", "12.3k", "1.20M". */
void top_word_rate(double rate, char ret_text[TOP_WORD_SIZE]);

/* At most 5 columns: "-", "0%", "0.4%", "12%", "100%". */
void top_word_share(double share, char ret_text[TOP_WORD_SIZE]);

/* A bar of width columns (at most 40), part of it full; of eighths of a block,
 * or of "#". */
void top_word_bar(double part, size_t width, bool is_utf8,
                  char ret_text[TOP_BAR_SIZE]);

/* At most 10 columns. */
const char *top_word_state(const char *state);

top_style top_style_of_state(const char *state);

#endif
