/* SPDX-License-Identifier: Apache-2.0 */
/* Times in options: "500ms", "30s", "5m", "1h". Header only, so that a plugin
 * can use it without a symbol of the core's. */
#ifndef MUSTER_CORE_DURATION_H
#define MUSTER_CORE_DURATION_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A day: the longest that any option takes. */
#define MUSTER__DURATION_MAX_MS (UINT64_C(24) * 3600 * 1000)

/* Reads a whole number with a unit; without one it counts seconds. 0 when text
 * is no such thing, is zero or is over MUSTER__DURATION_MAX_MS. */
static inline uint64_t muster__duration_ms(const char *text)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        {"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t number = 0;

    while (*text >= '0' && *text <= '9' && number <= MUSTER__DURATION_MAX_MS) {
        number = number * 10 + (uint64_t)(*text++ - '0');
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text, units[i].name) == 0 &&
            number <= MUSTER__DURATION_MAX_MS / units[i].ms) {
            return number * units[i].ms;
        }
    }
    return 0;
}

#endif
