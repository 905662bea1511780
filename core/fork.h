/* SPDX-License-Identifier: Apache-2.0 */
/* Knows whether this process is a fork child of the one that started muster. */
#ifndef MUSTER_CORE_FORK_H
#define MUSTER_CORE_FORK_H

#include <stdbool.h>

/* Installs the pthread_atfork handler, once. Thread: any. */
void muster__fork_init(void);

/* True in a child. One relaxed load. Thread: any. */
bool muster__is_forked(void);

#endif
