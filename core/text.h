/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from outside: whether it is clean, and how to show it. Header
 * only, so that a plugin can use it without a symbol of the core's. */
#ifndef MUSTER_CORE_TEXT_H
#define MUSTER_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MUSTER__QUOTED_MAX = 80 };

typedef struct muster__quoted {
    char text[MUSTER__QUOTED_MAX + 8];
} muster__quoted;

/* Text fit for a message: in double quotes, cut at 80 bytes (then it ends in
 * "..."), every byte that is not printable ASCII as \xNN. Thread: any. */
static inline muster__quoted muster__quote_n(const char *text, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    muster__quoted quoted;
    size_t at = 0;
    size_t i;

    quoted.text[at++] = '"';
    for (i = 0; i < length && at + 4 <= MUSTER__QUOTED_MAX; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c < 0x7f) {
            quoted.text[at++] = (char)c;
        } else {
            quoted.text[at++] = '\\';
            quoted.text[at++] = 'x';
            quoted.text[at++] = digits[c >> 4];
            quoted.text[at++] = digits[c & 15];
        }
    }
    memcpy(quoted.text + at, i < length ? "...\"" : "\"", i < length ? 5 : 2);
    return quoted;
}

static inline muster__quoted muster__quote(const char *text)
{
    /* Only so much of it can be shown, whatever its length is. */
    return muster__quote_n(text, strnlen(text, MUSTER__QUOTED_MAX + 1));
}

/* The length of the UTF-8 sequence at the start of text (RFC 3629: no overlong
 * form, no surrogate, nothing over U+10FFFF); 0 when it is not one. */
static inline size_t muster__utf8_length(const unsigned char *text,
                                         size_t length)
{
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t n;

    if (text[0] < 0x80) {
        return 1;
    }
    if (text[0] < 0xc2 || text[0] > 0xf4) {
        return 0;
    }
    n = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (n > length) {
        return 0;
    }
    low = text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : low;
    high = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : high;
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf) {
            return 0;
        }
    }
    return n;
}

/* Where text stops being UTF-8; length when it is UTF-8 to its end. */
static inline size_t muster__utf8_end(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t n =
            muster__utf8_length((const unsigned char *)text + at, length - at);

        if (n == 0) {
            break;
        }
        at += n;
    }
    return at;
}

/* Cuts text where it stops being UTF-8: one that a buffer's end cut short
 * inside a sequence loses that. */
static inline void muster__utf8_trim(char *text)
{
    text[muster__utf8_end(text, strlen(text))] = '\0';
}

/* What comes from outside may end up on a terminal: no control character
 * survives, neither C0, DEL nor (as UTF-8) C1. */
static inline void muster__blank_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            *at = '?';
        } else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
            at[0] = '?';
            at[1] = '?';
        }
    }
}

/* Whether text is UTF-8 without control characters. */
static inline bool muster__is_clean_text(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return muster__utf8_end(text, length) == length;
}

#endif
