/* SPDX-License-Identifier: Apache-2.0 */
/* The core's own option of a target: what to do with an empty list. */
#include "target_internal.h"

#include <string.h>

#include "duration.h"
#include "text.h"

muster_status muster__empty_parse(const char *text, muster__empty *ret_empty,
                                  uint64_t *ret_hold_ms, muster_error *err)
{
    muster__empty empty = MUSTER__EMPTY_ACCEPT;
    uint64_t hold_ms = 0;

    if (strcmp(text, "keep") == 0) {
        empty = MUSTER__EMPTY_KEEP;
    } else if (strncmp(text, "hold:", 5) == 0) {
        empty = MUSTER__EMPTY_HOLD;
        hold_ms = muster__duration_ms(text + 5);
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
