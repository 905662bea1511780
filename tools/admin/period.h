/* SPDX-License-Identifier: Apache-2.0 */
/* Periods of time for people. */
#ifndef MUSTER_TOOLS_PERIOD_H
#define MUSTER_TOOLS_PERIOD_H

#include <stdint.h>

typedef struct period {
    char text[24];
} period;

/* "350ms", "1.5s", "2m05s", "3h10m", "4d02h". */
period period_of_ms(uint64_t ms);

#endif
