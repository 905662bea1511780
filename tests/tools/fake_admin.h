/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the program of fake_admin.c. */
#ifndef MUSTER_TESTS_FAKE_ADMIN_H
#define MUSTER_TESTS_FAKE_ADMIN_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct fake_admin {
    char folder[64];
    char path[96]; /* of the socket */
    int input;     /* its life */
    pid_t pid;
} fake_admin;

/* Answers are those of the file, which is told what by its name in this folder,
 * or by a whole path. False, and perror(), when that fails. */
bool fake_admin_start(fake_admin *self, const char *answers);

/* It is as if the process had gone. */
void fake_admin_end(fake_admin *self);

#endif
