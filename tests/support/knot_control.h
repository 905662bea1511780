/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to knotd over its control socket, as knotc sends them. (A knotc
 * takes about 50 ms to start, a command over the socket 0.1 ms.) */
#ifndef MUSTER_TESTS_KNOT_CONTROL_H
#define MUSTER_TESTS_KNOT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct knot_control {
    int socket; /* -1: none */
    size_t read;
    size_t filled;
    uint8_t input[1024];
    char error[256]; /* why the last command failed */
} knot_control;

/* What a command names; NULL for what it does not. */
typedef struct knot_command {
    const char *name; /* "zone-set" */
    const char *zone;
    const char *owner;
    const char *ttl;
    const char *type;
    const char *data;
} knot_command;

/* False when nobody listens at path. The server serves one connection at a
 * time: close it soon. */
bool knot_control_open(knot_control *control, const char *path);

/* Waits until the command is done. False when it failed, with control->error
 * set. */
bool knot_control_run(knot_control *control, const knot_command *command);

void knot_control_close(knot_control *control);

#endif
