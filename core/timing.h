/* SPDX-License-Identifier: Apache-2.0 */
/* The core's fixed times, and the knobs that scale them down in tests. */
#ifndef MUSTER_CORE_TIMING_H
#define MUSTER_CORE_TIMING_H

#include <stdint.h>

/* A plugin call on the control thread over this is logged. */
#define MUSTER__SLOW_CALL_MS 100u
/* A plugin call on the control thread over this has got stuck. */
#define MUSTER__STUCK_CALL_MS 5000u
/* How often the watchdog looks. */
#define MUSTER__WATCHDOG_PERIOD_MS 1000u

/* How often what readers held up is looked at again. */
#define MUSTER__RECLAIM_PERIOD_MS 1u
/* How often a closing thread looks whether the control thread is stuck. */
#define MUSTER__CLOSE_CHECK_MS 100u

/* Waits: nothing is wrong when they are over. */

/* Who could not be told the list, for want of memory, is told it so long after.
 */
#define MUSTER__GREET_AGAIN_MS 1000u

/* A name looked up for a plugin that has no answer by then has none. */
#define MUSTER__NAME_LOOKUP_MS 30000u
/* Endpoints of a priority that a better one made idle stay connected for it
 * (gRFC A56). */
#define MUSTER__PRIORITY_IDLE_MS 900000u

/* A table whose view lacks nothing but a few endpoints more begins to be built
 * so long after the one before, when nobody waits for it: with the doublings on
 * the way to 1 000 endpoints, fewer than 20 in the first second. */
#define MUSTER__BUILD_SPACING_MS 100u

/* ms as it applies now: itself, but in a scaled test. At least 1. The second is
 * for waits. Thread: any. */
uint64_t muster__timing_ms(uint64_t ms);
uint64_t muster__timing_wait_ms(uint64_t ms);

/* Divides all of the above from now on; 1 undoes it. For tests only, before
 * the loop starts. Thread: any. */
void muster__timing_scale_for_test(uint32_t divisor);

/* Divides the waits alone: a test that shortens minutes to a blink must not
 * find fault with a machine that was busy for as long. */
void muster__timing_scale_waits_for_test(uint32_t divisor);

/* MUSTER__BUILD_SPACING_MS as it applies now; not scaled. Thread: any. */
uint64_t muster__timing_build_spacing_ms(void);

/* Another spacing from now on: a test that waits for a build that should not
 * wait finds out, and one that waits for time to pass need not. */
void muster__timing_space_builds_for_test(uint64_t ms);

#endif
