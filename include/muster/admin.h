/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_ADMIN_H
#define MUSTER_ADMIN_H

#include <muster/export.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The admin socket: a process that runs answers, to `muster channels`, `muster
 * explain` and whoever asks, what its channels do now. Off unless it is asked
 * for, here or by the environment variable MUSTER_ADMIN, which has an address
 * as below and is read when the control thread starts (with the first channel
 * or watch); when that fails it is logged, and everything else goes on.
 *
 * The socket has mode 0600 from its first moment, and only processes of the
 * same user, and root's, are answered. They can look, and change nothing. What
 * they see are targets, addresses, states and counts. The protocol is in
 * core/README.md. In a fork child nobody answers. */

/* Answers at address from now on: "unix:PATH", with PATH absolute and at most
 * 98 bytes long. In it %p stands for the number of the process, and %% for a %.
 * A socket that a process which is gone has left there is replaced; one that
 * somebody answers on, and a file of another kind, are not.
 *
 * One a process. It ends, and the file goes, with muster_admin_close(),
 * muster_shutdown() or exit(). It is no user of muster for muster_shutdown().
 *
 * address is copied. Thread: any; it waits for the control thread, which it
 * starts when need be. MUSTER_INVAL (the address), MUSTER_BUSY (this process
 * has one already, also by MUSTER_ADMIN; or another answers there),
 * MUSTER_PERMISSION (the folder, or the file that is there), MUSTER_UNAVAILABLE
 * (no such folder, no descriptors), MUSTER_NOMEM, MUSTER_FORKED; err (may be
 * NULL) says why. */
MUSTER_API muster_status muster_admin_listen(const char *address,
                                             muster_error *err);

/* Ends that, also what MUSTER_ADMIN began. Who is connected is cut off. Nothing
 * when there is none. Thread: any; it waits for the control thread. */
MUSTER_API void muster_admin_close(void);

#ifdef __cplusplus
}
#endif

#endif
