/* SPDX-License-Identifier: Apache-2.0 */
/* Knows whether this process is a fork child of the one that started muster. */
#ifndef MUSTER_CORE_FORK_H
#define MUSTER_CORE_FORK_H

#include <stdbool.h>

/* Installs the pthread_atfork handler, once. Thread: any. */
void muster__fork_init(void);

/* True in a child. One relaxed load. Thread: any. */
bool muster__is_forked(void);

/* As socket(2) and accept4(2). The descriptor is nothing for a child, which
 * closes its copy, whenever it was forked: a socket that a child holds on to
 * looks as if somebody answered on it, also when the parent has gone. At most
 * 16; further ones are not heeded. accept() of a socket that does not block.
 * Thread: any. */
int muster__fork_private_socket(int domain, int type);
int muster__fork_private_accept(int fd, int flags);

/* Closes fd, which need not be one of them. Thread: any. */
void muster__fork_private_close(int fd);

#endif
