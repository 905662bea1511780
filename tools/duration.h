/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as people write them: "5s", "250ms", "1.5m", "2h"; a number alone
 * is in seconds. */
#ifndef MUSTER_TOOLS_DURATION_H
#define MUSTER_TOOLS_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* False, with *ret_ms untouched, when text is no duration of at most a year. */
bool duration_parse(const char *text, uint64_t *ret_ms);

#endif
