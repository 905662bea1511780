/* SPDX-License-Identifier: Apache-2.0 */
/* Knows whether this process is a fork child of the one that started muster. */
#ifndef MUSTER_CORE_FORK_H
#define MUSTER_CORE_FORK_H

#include <stdbool.h>

/* Installs the pthread_atfork handler, once. Thread: any. */
void muster__fork_init(void);

/* True in a child. One relaxed load. Thread: any. */
bool muster__is_forked(void);

/* fd is nothing for a child, which closes its copy: a socket that a child holds
 * on to looks as if somebody answered on it, also when the parent has gone. At
 * most 16; further ones are not heeded. Thread: any. */
void muster__fork_private_add(int fd);

/* Closes fd, which need not have been added. Thread: any. */
void muster__fork_private_close(int fd);

#endif
