/* SPDX-License-Identifier: Apache-2.0 */
/* Watches that plugins do not hold up the control thread. What they are asked
 * about, muster__loop_enter_plugin() and the like, is in loop.h. */
#ifndef MUSTER_CORE_WATCHDOG_H
#define MUSTER_CORE_WATCHDOG_H

#include <muster/status.h>

/* Starts and ends the watching thread. Thread: the one that starts or stops
 * the loop. MUSTER_NOMEM, MUSTER_UNAVAILABLE. */
muster_status muster__watchdog_start(void);
void muster__watchdog_stop(void);

#endif
