/* SPDX-License-Identifier: Apache-2.0 */
/* Reads durations. */
#include "duration.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double ms;
} units[] = {
    {"", 1e3}, {"ms", 1.0}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3},
};

static const double longest_ms = 366.0 * 24.0 * 3600e3;

bool duration_parse(const char *text, uint64_t *ret_ms)
{
    char *unit = NULL;
    double number;

    if (strspn(text, "0123456789") == 0) {
        return false; /* strtod() would take signs, spaces, "inf" and "nan" */
    }
    number = strtod(text, &unit);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].name) == 0 &&
            number * units[i].ms <= longest_ms) {
            *ret_ms = (uint64_t)(number * units[i].ms);
            return true;
        }
    }
    return false;
}
