/* SPDX-License-Identifier: Apache-2.0 */
/* muster-echo-server as a child process, for tests. */
#ifndef MUSTER_TESTS_BACKEND_H
#define MUSTER_TESTS_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
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
 * and waits until it listens. False when it does not. The flags are in
 * echo/README.md and in the server's --help. */
bool backend_start(backend *ret_backend, const char *const *flags);

/* The same on a given port. When somebody else has it, waits until it is free.
 */
bool backend_start_on(backend *ret_backend, int port);

/* Waits until a call has come to a server with --tell-calls. False when it has
 * ended. */
bool backend_await_call(backend *server);

/* Gives the server a command, which echo/README.md has, and waits until it has
 * been carried out. False when it is refused. What the server told of calls
 * before is dropped. The server must not have been ended. */
bool backend_tell(backend *server, const char *command);

/* What the server has counted under that name; UINT64_MAX when it does not know
 * the name. Drops as backend_tell() does. */
uint64_t backend_count(backend *server, const char *name);

/* Waits until it is that much. False: not within 30 s. */
bool backend_await_count(backend *server, const char *name, uint64_t expected);

/* SIGSTOP, and waits until it took effect; SIGCONT. In between the kernel goes
 * on accepting what comes, and the server does not answer. Give the server the
 * flag --end-with-parent: a test that crashes would leave it frozen. */
void backend_freeze(backend *server);
void backend_thaw(backend *server);

/* SIGTERM: finishes what it does, and ends. Waits for that. */
void backend_stop(backend *server);

/* SIGKILL: connections are reset. Waits until it is gone. */
void backend_kill(backend *server);

#endif
