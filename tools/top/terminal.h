/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal as a whole: drawn on, asked for keys, and given back as it was.
 */
#ifndef MUSTER_TOOLS_TOP_TERMINAL_H
#define MUSTER_TOOLS_TOP_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "page.h"

typedef enum top_key {
    TOP_KEY_NONE, /* the time is over */
    TOP_KEY_END,  /* a signal, see below, or the terminal has gone */
    TOP_KEY_RESIZE,
    TOP_KEY_UP,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_FIRST,
    TOP_KEY_LAST,
    TOP_KEY_QUIT,
    TOP_KEY_BY_CALLS,
    TOP_KEY_BY_IN_FLIGHT,
    TOP_KEY_BY_STATE,
    TOP_KEY_BY_ADDRESS,
    TOP_KEY_OTHER
} top_key;

/* Whether there is a terminal that can be drawn on. */
bool top_terminal_is_there(void);

/* Takes the terminal. From then on SIGINT, SIGTERM, SIGHUP and SIGQUIT are
 * noted and end the wait for a key; stopping and going on by SIGTSTP and
 * SIGCONT give the terminal back meanwhile. False: it cannot be drawn on. */
bool top_terminal_open(void);

/* Gives it back. */
void top_terminal_close(void);

/* The signal that came while it was open; 0: none. */
int top_terminal_signal(void);

void top_terminal_get_size(int *ret_rows, int *ret_columns);
bool top_terminal_is_utf8(void);

/* Draws the fixed lines of page at the top, of the others as many as there is
 * room for from number first on, and foot in the last row. */
void top_terminal_draw(const top_page *page, size_t first, const char *foot,
                       top_style foot_style);

/* Waits for a key, at most wait_ms. */
top_key top_terminal_key(uint64_t wait_ms);

#endif
