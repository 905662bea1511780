/* SPDX-License-Identifier: Apache-2.0 */
/* One target: what it asks, and what it has said. Thread: control, all of it.
 *
 *   consul.c   the classes: read the target, start and stop
 *   query.c    the query, from the options
 *   watch.c    asks again and again, and makes something of the answers
 *   outcome.c  says it: a list, or a failure
 *   store.c    keeps the last list in a file */
#ifndef MUSTER_RESOLVERS_CONSUL_INSTANCE_H
#define MUSTER_RESOLVERS_CONSUL_INSTANCE_H

#include <muster/resolver.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "entries.h"
#include "environment.h"
#include "options.h"
#include "pace.h"
#include "request.h"
#include "scope.h"
#include "token.h"

/* What has been said to the core. */
typedef struct muster__consul_said {
    bool is_failing; /* a failure was the last thing */
    bool has_told_empty;
    size_t n_endpoints; /* of the list */
    uint64_t sequence;  /* of the list, for the core */
    size_t n_bad;       /* entries that were left out */
    muster_error failure;
} muster__consul_said;

/* Its cache file. */
typedef struct muster__consul_store {
    char *path; /* NULL: there is none */
    char *key;  /* what the file is about */
    bool is_begun;
    bool has_failed;
    uint64_t written_ms;
    uint64_t digest; /* of what was written, or is pending */
    char *pending;   /* to be written when timer fires; or NULL */
    size_t pending_size;
    uint64_t timer;
} muster__consul_store;

typedef struct muster__consul_instance {
    const muster_resolver_env *env;
    muster__consul_scope *scope;
    muster__consul_options options;
    muster__consul_environment environment;
    muster__consul_agent *agent;
    muster__consul_token token;
    const char *service; /* the env's */
    char *query;         /* all that is the same in each request */

    muster__consul_request request;
    char *asked;         /* the query of it */
    uint64_t index;      /* to block on; 0: do not block */
    uint64_t seen_index; /* of the last answer */
    bool has_lost_agent; /* since its last list that was not empty */
    bool is_confirming;  /* asks whether the list is really empty */
    muster__consul_bucket bucket;
    muster__consul_backoff backoff;
    uint64_t timer; /* until it asks again; 0: none */
    bool is_stopped;
    uint64_t seed; /* of the choice that a limit makes */

    muster__consul_said said;
    muster__consul_store store;
} muster__consul_instance;

/* ---- query.c ---- */

/* The part of the query that does not change. NULL: out of memory. */
char *muster__consul_query_base(const muster__consul_instance *self);

/* The whole of it, but for the wait. NULL: out of memory. */
char *muster__consul_query(const muster__consul_instance *self);

/* ---- watch.c ---- */

/* Asks, unless it is doing so or about to. */
void muster__consul_watch_go(muster__consul_instance *self);

/* Asks no more. Twice does nothing. */
void muster__consul_watch_end(muster__consul_instance *self);

/* The core took the list with that number, or refused it. */
void muster__consul_watch_applied(muster__consul_instance *self,
                                  uint64_t sequence, muster_status status);

/* Leaves as many as the target wants at most. */
void muster__consul_watch_cut(const muster__consul_instance *self,
                              muster__consul_entries *entries);

/* ---- outcome.c ---- */

/* Says a list. False: the core could not take it now. */
bool muster__consul_say_list(muster__consul_instance *self,
                             const muster__consul_entries *entries,
                             bool is_empty_final);

/* Says a failure, unless it was the last thing that was said. */
void muster__consul_say_failure(muster__consul_instance *self,
                                const muster_error *failure);

/* ---- store.c ---- */

/* The agent and the query are known. MUSTER_NOMEM. */
muster_status muster__consul_store_init(muster__consul_instance *self);

/* Says the list that is in the file. */
void muster__consul_store_load(muster__consul_instance *self);

/* Writes the body of a good list, now or soon. */
void muster__consul_store_save(muster__consul_instance *self, const char *body,
                               size_t size);

/* Writes what is pending. Twice does nothing. */
void muster__consul_store_fini(muster__consul_instance *self);

#endif
