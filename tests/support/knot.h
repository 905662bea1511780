/* SPDX-License-Identifier: Apache-2.0 */
/* A real DNS server, knotd, as a child process that serves one zone, which the
 * test changes. Each has a folder, a port and a control socket of its own; a
 * knotd that the machine may run is not touched.
 *
 * What fails says why on stderr. Thread: any, one at a time for each knot; the
 * kernel kills the server when the thread that started it ends, so that it
 * cannot outlive the test. */
#ifndef MUSTER_TESTS_KNOT_H
#define MUSTER_TESTS_KNOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dns_writer.h"
#include "loopback_port.h"

typedef struct knot_options {
    bool is_ipv6;          /* on ::1 instead of 127.0.0.1 */
    uint32_t negative_ttl; /* the SOA record's TTL and minimum; 0: 1 s */
} knot_options;

typedef struct knot {
    pid_t pid; /* 0: none runs */
    loopback_port port;
    char address[64];             /* "127.0.0.1:4711" or "[::1]:4711" */
    char zone[DNS_NAME_SIZE + 1]; /* with its last dot */
    char folder[64];
    char token[33]; /* the text of "knot-token" in the zone, this one's only */
    bool has_begun; /* between knot_begin() and knot_commit() */
} knot;

/* Starts a server for zone and waits until it serves it. records is the rest
 * of the zone file, in its syntax, after a SOA and an NS record and a $TTL of
 * 1 s; it may be NULL. options may be NULL. Takes about 0.1 s. Until
 * knot_fini(), whatever happened to the server in between. */
bool knot_start(knot *ret_knot, const char *zone, const char *records,
                const knot_options *options);

/* Replaces the records of owner ("www", "@", "www.example.test.") and type
 * ("A", "SRV") with n of the data given, as in a zone file: "127.0.0.1",
 * "1 5 80 target". The server serves them when this returns, which takes about
 * 10 ms, nearly all for the commit, and 0.1 ms more for each record. Between
 * knot_begin() and knot_commit() it serves them when that returns. False, and
 * nothing changed, when the server refuses. */
bool knot_set_records(knot *self, const char *owner, const char *type,
                      uint32_t ttl, const char *const *data, size_t n);

/* Removes the records of a type, or all of the owner's with NULL. It is no
 * error when there are none. */
bool knot_remove_records(knot *self, const char *owner, const char *type);

/* What is set and removed between these comes about at once. */
bool knot_begin(knot *self);
bool knot_commit(knot *self);

/* SIGTERM and SIGKILL. Wait until the server is gone; its port refuses then,
 * and is kept for it. Do nothing when none runs. */
void knot_stop(knot *self);
void knot_kill(knot *self);

/* Starts it again on the same port, with the zone as it was last committed.
 * It must not run. Waits some seconds for the port, should somebody else have
 * it. */
bool knot_restart(knot *self);

/* SIGSTOP, and waits until it took effect; SIGCONT. In between the server is
 * there and does not answer: what comes is answered later. */
void knot_freeze(knot *self);
void knot_thaw(knot *self);

/* Kills the server and removes its folder. Does nothing after a failed start,
 * nor twice. */
void knot_fini(knot *self);

#endif
