/* SPDX-License-Identifier: Apache-2.0 */
/* The core's own option of a target: what to do with an empty list. */
#include "target_internal.h"

#include <string.h>

#include "text.h"

static const uint64_t HOLD_MAX_MS = 24 * 3600 * UINT64_C(1000);

struct unit {
    const char *name;
    uint64_t ms;
};

/* A whole number with its unit; 0 when it is none, or over HOLD_MAX_MS. */
static uint64_t parse_time_ms(const char *text)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
    uint64_t number = 0;

    while (*text >= '0' && *text <= '9' && number <= HOLD_MAX_MS) {
        number = number * 10 + (uint64_t)(*text++ - '0');
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text, units[i].name) == 0) {
            return number <= HOLD_MAX_MS / units[i].ms ? number * units[i].ms
                                                       : 0;
        }
    }
    return 0;
}

muster_status muster__empty_parse(const char *text, muster__empty *ret_empty,
                                  uint64_t *ret_hold_ms, muster_error *err)
{
    muster__empty empty = MUSTER__EMPTY_ACCEPT;
    uint64_t hold_ms = 0;

    if (strcmp(text, "keep") == 0) {
        empty = MUSTER__EMPTY_KEEP;
    } else if (strncmp(text, "hold:", 5) == 0) {
        empty = MUSTER__EMPTY_HOLD;
        hold_ms = parse_time_ms(text + 5);
        if (hold_ms == 0) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "option empty: time %s is not from 1ms to "
                                    "24h, as in 500ms, 30s, 5m or 1h",
                                    muster__quote(text + 5).text);
        }
    } else if (strcmp(text, "accept") != 0) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option empty: %s is not accept, keep or "
                                "hold:TIME",
                                muster__quote(text).text);
    }
    *ret_empty = empty;
    *ret_hold_ms = hold_ms;
    return MUSTER_OK;
}
