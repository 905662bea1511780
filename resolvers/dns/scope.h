/* SPDX-License-Identifier: Apache-2.0 */
/* What all dns targets of a process share. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_DNS_SCOPE_H
#define MUSTER_RESOLVERS_DNS_SCOPE_H

#include <muster/plugin.h>

#include <stdint.h>

struct muster__dns_server;
struct muster__dns_group;
struct muster__dns_system;

typedef struct muster__dns_scope {
    const muster_plugin_host *host;
    void *ctx;                          /* first argument of every host call */
    struct muster__dns_server *servers; /* all that are referred to */
    struct muster__dns_group *groups;
    struct muster__dns_system *systems; /* a resolv.conf each */
    void *questions;                    /* a tree, of tsearch(3) */
    uint64_t n_events; /* ends of questions, and hints: which came first */
} muster__dns_scope;

static inline uint64_t muster__dns_now_ms(const muster__dns_scope *scope)
{
    return scope->host->now_ms(scope->ctx);
}

#endif
