/* SPDX-License-Identifier: Apache-2.0 */
/* Counts accepted connections, of which C core tells nobody: it calls accept4()
 * through the dynamic linker, which finds this one first. By itself: in
 * <sys/socket.h> it takes a union that ISO C does not know. */
#include <sys/syscall.h>
#include <unistd.h>

#include "counts.h"

struct sockaddr;

__attribute__((visibility("default"))) int
accept4(int fd, struct sockaddr *address, unsigned *length, int flags);

int accept4(int fd, struct sockaddr *address, unsigned *length, int flags)
{
    const long accepted = syscall(SYS_accept4, fd, address, length, flags);

    if (accepted >= 0) {
        counts_add(COUNT_ACCEPTED);
    }
    return (int)accepted;
}
