/* SPDX-License-Identifier: Apache-2.0 */
/* A real Consul agent, as a child process. Each has a folder, ports and a node
 * name of its own; an agent that the machine may run is not touched. The binary
 * is what fetch-consul put into build/consul, or $MUSTER_CONSUL.
 *
 * What fails says why on stderr. Thread: any, one at a time for each; the
 * kernel kills the agent when the thread that started it ends. */
#ifndef MUSTER_TESTS_CONSUL_H
#define MUSTER_TESTS_CONSUL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "loopback_port.h"

enum { CONSUL_N_PORTS = 4 };

typedef struct consul_options {
    bool has_data; /* a server that keeps its data when it is restarted;
                      else it forgets all of it, as agent -dev does */
    const struct consul *leader; /* a server with data that this one joins, as
                                    one more server; NULL: it is alone */
    const char *config; /* further members of the configuration, such as
                           "\"limits\": {...}"; NULL: none */
    const char *token;  /* that the fixture itself sends; NULL: none */
    const char *ca;     /* the agent speaks https, and this file is its CA:
                           config names its certificate; NULL: http */
    const char *cert;   /* what the fixture itself shows; NULL: nothing */
    const char *key;
    bool has_socket; /* it listens on the folder's "http.sock" as well */
} consul_options;

typedef struct consul {
    pid_t pid; /* 0: none runs */
    consul_options options;
    loopback_port ports[CONSUL_N_PORTS]; /* HTTP, and those between servers */
    char address[64];                    /* "127.0.0.1:4711" */
    char folder[64];
    char node[40]; /* its name, this one's only */
    unsigned n_starts;
} consul;

/* Starts an agent, and waits until it has a leader and knows itself, which
 * takes about 1 s. options may be NULL; they are copied, their texts stay.
 * Until consul_fini(), whatever happened to the agent in between. */
bool consul_start(consul *ret_consul, const consul_options *options);

/* Sends a request, as "PUT", "/v1/agent/..."; body may be NULL. The answer is
 * written to ret_answer, cut, unless that is NULL. False unless it is a 200. */
bool consul_request(const consul *self, const char *method, const char *path,
                    const char *body, char *ret_answer, size_t size);

/* Registers an instance of service, with a check that the test sets: passing to
 * begin with. more are further members, such as "\"Tags\": [...],"; may be
 * NULL. */
bool consul_register(const consul *self, const char *id, const char *service,
                     const char *address, int port, const char *more);

/* The same in the catalog only, on a node of its own and without a check: takes
 * 1 ms however many there are. */
bool consul_put_catalog(const consul *self, const char *service,
                        const char *address, int port);
bool consul_deregister(const consul *self, const char *id);

/* status is "pass", "warn" or "fail". */
bool consul_set_check(const consul *self, const char *id, const char *status);

/* SIGKILL. Waits until it is gone: its ports refuse then, and are kept. Does
 * nothing when none runs. */
void consul_kill(consul *self);

/* Starts it again on the same ports. It must not run. */
bool consul_restart(consul *self);

/* SIGSTOP, and waits until it took effect; SIGCONT. */
void consul_freeze(consul *self);
void consul_thaw(consul *self);

/* Kills the agent and removes its folder. Does nothing after a failed start,
 * nor twice. */
void consul_fini(consul *self);

#endif
