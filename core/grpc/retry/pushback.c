/* SPDX-License-Identifier: Apache-2.0 */
/* Reads grpc-retry-pushback-ms. */
#include "pushback.h"

#include <stdbool.h>

static bool is_number(const char *text, size_t length)
{
    if (length == 0 || (text[0] == '0' && length > 1)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return true;
}

muster__pushback muster__pushback_parse(const char *text, size_t length)
{
    muster__pushback pushback = {.kind = MUSTER__PUSHBACK_STOP};
    uint64_t number = 0;

    if (!is_number(text, length)) {
        return pushback;
    }
    for (size_t i = 0; i < length && number <= INT32_MAX; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (number <= INT32_MAX) {
        pushback.kind = MUSTER__PUSHBACK_DELAY;
        pushback.delay_ms = (uint32_t)number;
    }
    return pushback;
}
