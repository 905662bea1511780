/* SPDX-License-Identifier: Apache-2.0 */
/* What resolv.conf(5) says, read again when the file changes. Thread: control.
 */
#ifndef MUSTER_RESOLVERS_DNS_SYSTEM_H
#define MUSTER_RESOLVERS_DNS_SYSTEM_H

#include <muster/status.h>

#include <stddef.h>
#include <stdint.h>

#include "file_state.h"
#include "group.h"

/* Never changes; a file that did makes another one. */
typedef struct muster__dns_system {
    struct muster__dns_system *next; /* the scope's, while it is the newest */
    uint32_t n_references;
    size_t n_places;
    muster__dns_place places[MUSTER__DNS_SERVERS_MAX];
    int n_dots;     /* a name with so many dots is asked as it is first */
    char **domains; /* n_domains of them */
    size_t n_domains;
    muster__dns_file_state state;
    uint64_t looked_ms;
    char path[]; /* of the file */
} muster__dns_system;

/* What the file at path says now: a reference, which is the caller's. Looks at
 * the file once a second at most. A file that is missing reads as an empty one
 * (the server is 127.0.0.1); one that cannot be read any more changes nothing.
 * MUSTER_NOMEM, MUSTER_UNAVAILABLE: it could never be read. */
muster_status muster__dns_system_get(struct muster__dns_scope *scope,
                                     const char *path,
                                     muster__dns_system **ret_system,
                                     muster_error *err);

/* NULL is ignored. */
void muster__dns_system_unref(muster__dns_system *system);

/* At the end of the process scope: what was read last. */
void muster__dns_systems_forget(struct muster__dns_scope *scope);

#endif
