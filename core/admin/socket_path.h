/* SPDX-License-Identifier: Apache-2.0 */
/* Where an admin socket is to be. */
#ifndef MUSTER_CORE_ADMIN_SOCKET_PATH_H
#define MUSTER_CORE_ADMIN_SOCKET_PATH_H

#include <muster/status.h>

/* A socket's path has at most 107 bytes, and is made under a longer name. */
enum { MUSTER__SOCKET_PATH_MAX = 98 };

typedef struct muster__socket_path {
    char text[MUSTER__SOCKET_PATH_MAX + 1];
} muster__socket_path;

/* Reads "unix:PATH". Thread: any. MUSTER_INVAL. */
muster_status muster__socket_path_read(const char *address,
                                       muster__socket_path *ret_path,
                                       muster_error *err);

#endif
