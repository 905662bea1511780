/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as proto3 JSON writes them: "1.5s". Header only, so that a plugin
 * can use it without a symbol of the core's. */
#ifndef MUSTER_CORE_JSON_DURATION_H
#define MUSTER_CORE_JSON_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of google.protobuf.Duration: 10 000 years. */
#define MUSTER__JSON_DURATION_MAX_S UINT64_C(315576000000)

/* Digits, at most limit of them; moves *text behind them. False: none, or too
 * many. */
static inline bool muster__json_digits(const char **text, size_t limit,
                                       uint64_t *ret_value, size_t *ret_n)
{
    uint64_t value = 0;
    size_t n = 0;

    while (**text >= '0' && **text <= '9') {
        if (++n > limit) {
            return false;
        }
        value = value * 10 + (uint64_t)(*(*text)++ - '0');
    }
    *ret_value = value;
    *ret_n = n;
    return n > 0;
}

/* A duration that is not negative; over 292 years it is cut. False: text is
 * none, and *ret_ns is as it was. */
static inline bool muster__json_duration(const char *text, uint64_t *ret_ns)
{
    const uint64_t ns_per_s = UINT64_C(1000000000);
    uint64_t seconds = 0;
    uint64_t fraction = 0;
    size_t n = 0;

    if (!muster__json_digits(&text, 12, &seconds, &n) ||
        seconds > MUSTER__JSON_DURATION_MAX_S) {
        return false;
    }
    if (*text == '.') {
        text++;
        if (!muster__json_digits(&text, 9, &fraction, &n)) {
            return false;
        }
        for (; n < 9; n++) {
            fraction *= 10;
        }
    }
    if (strcmp(text, "s") != 0) {
        return false;
    }
    *ret_ns = seconds >= (uint64_t)INT64_MAX / ns_per_s
                  ? (uint64_t)INT64_MAX
                  : seconds * ns_per_s + fraction;
    return true;
}

#endif
