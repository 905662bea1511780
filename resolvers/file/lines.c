/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint a line: ADDRESS[;weight=N...], # comments, blank lines. */
#include "content.h"

#include <stdlib.h>
#include <string.h>

#include "../static/entry.h"

#define EXPECTED "expected one ADDRESS[;weight=N] a line, or JSON"

/* A place in the text, for people: both count from 1; columns are bytes. */
struct place {
    size_t line;
    size_t column;
};

static struct place place_of(const char *text, size_t at)
{
    struct place place = {1, 1};

    for (size_t i = 0; i < at; i++) {
        place.line += text[i] == '\n';
        place.column = text[i] == '\n' ? 1 : place.column + 1;
    }
    return place;
}

static muster_status check_text(const char *text, size_t length,
                                muster_error *err)
{
    size_t end = muster__utf8_end(text, length);
    const char *nul = memchr(text, '\0', end);
    struct place place;

    if (nul == NULL && end == length) {
        return MUSTER_OK;
    }
    end = nul != NULL ? (size_t)(nul - text) : end;
    place = place_of(text, end);
    return muster_error_set(err, MUSTER_PROTOCOL,
                            "line %zu, column %zu: byte 0x%02x is not UTF-8 "
                            "text; " EXPECTED,
                            place.line, place.column,
                            (unsigned)(unsigned char)text[end]);
}

static size_t count_lines(const char *text)
{
    size_t n = 1;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The part of line that says something: no comment, no blanks around it. */
static char *trim(char *line)
{
    char *end = line;

    line += strspn(line, " \t\r");
    if (*line == '#') {
        *line = '\0';
    }
    for (end = line; *end != '\0'; end++) {
        if (*end == '#' && is_blank(end[-1])) {
            *end = '\0';
            break;
        }
    }
    while (end > line && is_blank(end[-1])) {
        *--end = '\0';
    }
    return line;
}

static muster_status parse_line(char *line, size_t number,
                                muster__file_content *content,
                                muster_error *err)
{
    char *entry = trim(line);
    const char *at = entry;
    muster_error why;

    if (*entry == '\0') {
        return MUSTER_OK;
    }
    if (entry_parse(entry, &content->endpoints[content->n_endpoints], &at,
                    &why) != MUSTER_OK) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "line %zu, column %zu: %s", number,
                                (size_t)(at - line) + 1, why.message);
    }
    content->n_endpoints++;
    return MUSTER_OK;
}

muster_status muster__file_parse_lines(char *text, size_t length,
                                       muster__file_content *content,
                                       muster_error *err)
{
    muster_status status = check_text(text, length, err);
    char *next = text;

    if (status != MUSTER_OK) {
        return status;
    }
    content->endpoints = muster__file_allocate(content, count_lines(text),
                                               sizeof *content->endpoints);
    if (content->endpoints == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    for (size_t number = 1; next != NULL && status == MUSTER_OK; number++) {
        char *line = next;

        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        status = parse_line(line, number, content, err);
    }
    if (status == MUSTER_OK && content->n_endpoints == 0) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "no endpoint in it; " EXPECTED
                                "; an empty list is written []");
    }
    return status;
}
