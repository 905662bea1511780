/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one allocation of the process fail, on whichever thread it falls.
 * Linked in, it takes the place of malloc and its kin. */
#ifndef MUSTER_TESTS_FAILING_MALLOC_H
#define MUSTER_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* The countdown-th allocation from now on fails, and n - 1 after it. */
void failing_malloc_arm(uint64_t countdown, uint64_t n);

/* None fails any more. True when one did since it was armed. */
bool failing_malloc_disarm(void);

#endif
