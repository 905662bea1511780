/* SPDX-License-Identifier: Apache-2.0 */
/* Periods of time for people. */
#include "period.h"

#include <inttypes.h>
#include <stdio.h>

period period_of_ms(uint64_t ms)
{
    const uint64_t s = ms / 1000;
    const uint64_t m = s / 60;
    const uint64_t h = m / 60;
    period self;
    const size_t size = sizeof self.text;

    if (ms < 1000) {
        (void)snprintf(self.text, size, "%" PRIu64 "ms", ms);
    } else if (m == 0) {
        (void)snprintf(self.text, size, "%" PRIu64 ".%" PRIu64 "s", s,
                       ms % 1000 / 100);
    } else if (h == 0) {
        (void)snprintf(self.text, size, "%" PRIu64 "m%02" PRIu64 "s", m,
                       s % 60);
    } else if (h < 24) {
        (void)snprintf(self.text, size, "%" PRIu64 "h%02" PRIu64 "m", h,
                       m % 60);
    } else {
        (void)snprintf(self.text, size, "%" PRIu64 "d%02" PRIu64 "h", h / 24,
                       h % 24);
    }
    return self;
}
