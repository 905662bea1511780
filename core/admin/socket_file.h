/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the admin socket: one a process. */
#ifndef MUSTER_CORE_ADMIN_SOCKET_FILE_H
#define MUSTER_CORE_ADMIN_SOCKET_FILE_H

#include "socket_path.h"

/* Makes the socket, which listens and does not block; *ret_fd is the caller's.
 * Replaces what a process that is gone has left at path. The file is removed at
 * exit(), unless it is before. Thread: control; it does not wait for anybody.
 * MUSTER_BUSY, MUSTER_PERMISSION, MUSTER_UNAVAILABLE, MUSTER_NOMEM. */
muster_status muster__socket_file_create(const muster__socket_path *path,
                                         int *ret_fd, muster_error *err);

/* Removes the file, if it is still there and this process's. Thread: any. */
void muster__socket_file_remove(void);

#endif
