/* SPDX-License-Identifier: Apache-2.0 */
/* A fault to be caught: linked with --wrap=syscall, membarrier(2) says yes and
 * does nothing. */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    if (number == __NR_membarrier) {
        return 0;
    }
    errno = ENOSYS;
    return -1;
}
