/* SPDX-License-Identifier: Apache-2.0 */
/* By sched_setaffinity(2). */
#include "pin.h"

#include <sched.h>
#include <stddef.h>

void pin_to(int cpu)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    (void)sched_setaffinity(0, sizeof cpus, &cpus);
}
