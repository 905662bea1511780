/* SPDX-License-Identifier: Apache-2.0 */
/* muster-echo-server as a child process, for tests. */
#ifndef MUSTER_TESTS_BACKEND_H
#define MUSTER_TESTS_BACKEND_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct backend {
    pid_t pid;         /* 0: none */
    int input;         /* its stdin: closing it ends it */
    FILE *output;      /* its stdout */
    int port;          /* 0 with --unix */
    char address[128]; /* as an endpoint's: "127.0.0.1:4711" */
} backend;

/* Starts a server with flags (NULL-terminated, without argv[0]; may be NULL)
 * and waits until it listens. False when it does not. */
bool backend_start(backend *ret_backend, const char *const *flags);

/* The same on a given port, which must be free. */
bool backend_start_on(backend *ret_backend, int port);

/* Waits until a call has come to a server with --tell-calls. False when it has
 * ended. */
bool backend_await_call(backend *server);

/* SIGTERM: finishes what it does, and ends. Waits for that. */
void backend_stop(backend *server);

/* SIGKILL: connections are reset. Waits until it is gone. */
void backend_kill(backend *server);

#endif
