/* SPDX-License-Identifier: Apache-2.0 */
/* What all consul targets of a process share. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_CONSUL_SCOPE_H
#define MUSTER_RESOLVERS_CONSUL_SCOPE_H

#include <muster/plugin.h>

#include <stdbool.h>
#include <stdint.h>

struct muster__consul_agent;

typedef struct muster__consul_scope {
    const muster_plugin_host *host;
    void *ctx;                           /* first argument of every host call */
    struct muster__consul_agent *agents; /* all there are */
    bool has_told_unverified; /* that a certificate is not looked at */
} muster__consul_scope;

static inline uint64_t muster__consul_now_ms(const muster__consul_scope *scope)
{
    return scope->host->now_ms(scope->ctx);
}

#endif
