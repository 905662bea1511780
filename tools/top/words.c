/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and states as people read them. */
#include "words.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BAR = 40, EIGHTHS = 8 };

/* ---- numbers ---- */

void top_word_rate(double rate, char ret_text[TOP_WORD_SIZE])
{
    if (rate < 0) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "-");
    } else if (rate == 0) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "0");
    } else if (rate < 9.95) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "%.1f", rate);
    } else if (rate < 9999.5) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "%.0f", rate);
    } else if (rate < 999.95e3) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "%.1fk", rate / 1e3);
    } else {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "%.2fM", rate / 1e6);
    }
}

void top_word_share(double share, char ret_text[TOP_WORD_SIZE])
{
    double percent = 100 * share;

    if (share < 0) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "-");
    } else if (percent == 0 || percent >= 9.95) {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "%.0f%%", percent);
    } else {
        (void)snprintf(ret_text, TOP_WORD_SIZE, "%.1f%%", percent);
    }
}

/* ---- bars ---- */

static void append(char text[TOP_BAR_SIZE], const char *more)
{
    (void)strncat(text, more, TOP_BAR_SIZE - strlen(text) - 1);
}

void top_word_bar(double part, size_t width, bool is_utf8,
                  char ret_text[TOP_BAR_SIZE])
{
    static const char *const blocks[EIGHTHS + 1] = {
        " ",      "\u258f", "\u258e", "\u258d", "\u258c",
        "\u258b", "\u258a", "\u2589", "\u2588"};
    size_t n = width < MAX_BAR ? width : MAX_BAR;
    double full = part < 0 ? 0 : part > 1 ? 1 : part;
    size_t eighths = (size_t)(full * (double)(n * EIGHTHS) + 0.5);

    ret_text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t here = eighths > i * EIGHTHS ? eighths - i * EIGHTHS : 0;

        here = here > EIGHTHS ? EIGHTHS : here;
        append(ret_text, is_utf8               ? blocks[here]
                         : here >= EIGHTHS / 2 ? "#"
                                               : " ");
    }
}

/* ---- states ---- */

static const struct {
    const char *state;
    const char *word;
    top_style style;
} states[] = {
    {"READY", "READY", TOP_GOOD},
    {"IDLE", "IDLE", TOP_FAINT},
    {"CONNECTING", "CONNECTING", TOP_DOUBTFUL},
    {"TRANSIENT_FAILURE", "FAILURE", TOP_BAD},
    {"SHUTDOWN", "SHUTDOWN", TOP_FAINT},
    {"EJECTED", "EJECTED", TOP_BAD},
    {"DRAINING", "DRAINING", TOP_DOUBTFUL},
};
enum { N_STATES = sizeof states / sizeof states[0] };

static int find_state(const char *state)
{
    int i = 0;

    while (i < N_STATES && strcmp(states[i].state, state) != 0) {
        i++;
    }
    return i;
}

const char *top_word_state(const char *state)
{
    int i = find_state(state);

    return i < N_STATES ? states[i].word : state;
}

top_style top_style_of_state(const char *state)
{
    int i = find_state(state);

    return i < N_STATES ? states[i].style : TOP_NORMAL;
}
