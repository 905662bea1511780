/* SPDX-License-Identifier: Apache-2.0 */
/* Lets clients of the admin socket in. Thread: control, all of it. */
#ifndef MUSTER_CORE_ADMIN_SERVER_H
#define MUSTER_CORE_ADMIN_SERVER_H

#include <muster/status.h>

/* Takes over fd, which listens and does not block, on MUSTER_OK. There is none
 * yet. MUSTER_NOMEM, MUSTER_INVAL. */
muster_status muster__admin_server_start(int fd);

/* Cuts everybody off and closes the socket. */
void muster__admin_server_stop(void);

#endif
