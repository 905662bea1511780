/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: all of it, up to a bound, and where. */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <text.h>

void muster__problems_init(muster__problems *problems)
{
    memset(problems, 0, sizeof *problems);
}

void muster__problems_fini(muster__problems *problems)
{
    for (uint32_t i = 0; i < problems->n; i++) {
        free(problems->items[i].path);
        free(problems->items[i].text);
    }
    problems->n = 0;
}

/* Names and policies' words come from outside, and are cut: what is told is
 * UTF-8 all the same, and steers no terminal. */
static void make_clean(char *text)
{
    muster__utf8_trim(text);
    muster__blank_controls(text);
}

/* ---- the path ---- */

static size_t enter(muster__problems *problems, const char *format, ...)
{
    size_t mark = problems->path_length;
    size_t room = sizeof problems->path - mark; /* 1 at least */
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(problems->path + mark, room, format, args);
    va_end(args);
    if (length < 0) {
        problems->path[mark] = '\0';
    }
    make_clean(problems->path + mark);
    problems->path_length = mark + strlen(problems->path + mark);
    return mark;
}

size_t muster__problems_enter(muster__problems *problems, const char *key)
{
    return enter(problems, "%s%s", problems->path_length > 0 ? "." : "", key);
}

size_t muster__problems_enter_index(muster__problems *problems, size_t index)
{
    return enter(problems, "[%zu]", index);
}

void muster__problems_leave(muster__problems *problems, size_t mark)
{
    problems->path_length = mark;
    problems->path[mark] = '\0';
}

/* ---- problems ---- */

static void add(muster__problems *problems, char *text)
{
    muster__problem *problem = &problems->items[problems->n];

    problem->text = text;
    problem->path = strdup(problems->path);
    if (problem->path == NULL || text == NULL) {
        free(problem->path);
        free(text);
        problems->is_out_of_memory = true;
        return;
    }
    make_clean(text);
    problems->n++;
}

void muster__problems_add(muster__problems *problems, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    if (problems->n == MUSTER__PROBLEMS_MAX) {
        problems->n_more++;
        return;
    }
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    va_end(args);
    add(problems, text);
}

void muster__problems_add_at(muster__problems *problems, const char *key,
                             const char *text)
{
    size_t mark = muster__problems_enter(problems, key);

    muster__problems_add(problems, "%s", text);
    muster__problems_leave(problems, mark);
}

/* ---- all of them in one text ---- */

static void append(char *buffer, size_t size, const char *format, ...)
{
    size_t length = strlen(buffer);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(buffer + length, size - length, format, args);
    va_end(args);
}

static void append_problem(char *buffer, size_t size,
                           const muster__problem *problem)
{
    if (problem->path[0] != '\0') {
        append(buffer, size, "%s: ", problem->path);
    } else if (problem->line > 0) {
        append(buffer, size, "line %d, column %d: ", problem->line,
               problem->column);
    }
    append(buffer, size, "%s", problem->text);
}

muster_status muster__problems_status(const muster__problems *problems,
                                      const char *what, muster_error *err)
{
    char text[sizeof err->message];

    if (problems->is_out_of_memory) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: %s", what,
                                muster_status_text(MUSTER_NOMEM));
    }
    if (problems->n == 0) {
        return MUSTER_OK;
    }
    (void)snprintf(text, sizeof text, "%s: ", what);
    for (uint32_t i = 0; i < problems->n; i++) {
        append(text, sizeof text, "%s", i > 0 ? "; " : "");
        append_problem(text, sizeof text, &problems->items[i]);
    }
    if (problems->n_more > 0) {
        append(text, sizeof text, "; and %u more", problems->n_more);
    }
    muster__utf8_trim(text);
    return muster_error_set(
        err, problems->trouble != MUSTER_OK ? problems->trouble : MUSTER_INVAL,
        "%s", text);
}
