/* SPDX-License-Identifier: Apache-2.0 */
/* Takes membarrier(2) away from this process, as a sandbox does. */
#ifndef MUSTER_TESTS_REFUSE_H
#define MUSTER_TESTS_REFUSE_H

#include <stdbool.h>

/* All threads of the process, those to come too. False: seccomp is not there.
 */
bool refuse_membarrier(void);

#endif
