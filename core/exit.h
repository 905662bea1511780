/* SPDX-License-Identifier: Apache-2.0 */
/* exit() while muster's threads run. */
#ifndef MUSTER_CORE_EXIT_H
#define MUSTER_CORE_EXIT_H

/* Has what exit() would free under those threads stay. Thread: any. */
void muster__exit_prepare(void);

#endif
