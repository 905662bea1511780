/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody who is connected to the admin socket: asks in lines, and is answered
 * in lines. Thread: control, all of it. */
#ifndef MUSTER_CORE_ADMIN_CLIENT_H
#define MUSTER_CORE_ADMIN_CLIENT_H

#include <muster/status.h>

typedef struct muster__admin_client muster__admin_client;

/* Takes fd over on MUSTER_OK, and writes itself to *place; when the client has
 * gone, or was dropped, *place is NULL again. MUSTER_NOMEM, MUSTER_INVAL. */
muster_status muster__admin_client_create(int fd, muster__admin_client **place);

/* Cuts it off. NULL is ignored. */
void muster__admin_client_destroy(muster__admin_client *client);

#endif
