/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program with membarrier(2) refused: refused PROGRAM ARGUMENT... */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "refuse.h"

int main(int argc, char **argv)
{
    if (argc < 2 || !refuse_membarrier()) {
        perror("refused: seccomp");
        return EXIT_FAILURE;
    }
    (void)execv(argv[1], argv + 1);
    perror("refused: exec");
    return EXIT_FAILURE;
}
