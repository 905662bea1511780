/* SPDX-License-Identifier: Apache-2.0 */
/* How a hostile plugin hangs: until the test closes the other end of a pipe. */
#ifndef MUSTER_TESTS_HANG_H
#define MUSTER_TESTS_HANG_H

#include <stdlib.h>
#include <unistd.h>

#define HANG_VARIABLE "MUSTER_TEST_HANG_FD"

static inline void hang(void)
{
    const char *fd = getenv(HANG_VARIABLE);
    char byte;

    while (fd != NULL && read(atoi(fd), &byte, 1) > 0) {
    }
}

#endif
