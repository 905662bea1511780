/* SPDX-License-Identifier: Apache-2.0 */
/* One target: what it asks, and what it has said. Thread: control, all of it.
 *
 *   dns.c       the class: reads the target, starts and stops
 *   asked.c     what there is to ask
 *   lookup.c    asks what is due, and goes from name to service to addresses
 *   endpoints.c makes the list of what is known
 *   outcome.c   says it: a list, a failure, or nothing yet */
#ifndef MUSTER_RESOLVERS_DNS_INSTANCE_H
#define MUSTER_RESOLVERS_DNS_INSTANCE_H

#include <muster/resolver.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entry.h"
#include "file_state.h"
#include "group.h"
#include "name.h"
#include "options.h"
#include "scope.h"
#include "system.h"

/* A name with its questions. */
typedef struct muster__dns_candidate {
    muster__dns_entry entry;
    muster__dns_entry config; /* TXT; n is 0: is not asked for */
    char name[MUSTER__DNS_NAME_SIZE];
} muster__dns_candidate;

/* What has been said to the core. */
typedef struct muster__dns_said {
    bool has_list;
    bool is_failing;        /* a failure was the last thing */
    bool is_refused;        /* the core could not take it */
    size_t n_endpoints;     /* of the list */
    uint64_t digest;        /* of the list and the service config */
    uint64_t gone_since_ms; /* "no such name" is being held back; 0: no */
    muster_error failure;
} muster__dns_said;

typedef struct muster__dns_instance {
    const muster_resolver_env *env;
    muster__dns_scope *scope;
    muster__dns_name name;
    muster__dns_options options;
    muster__dns_pace pace;

    /* whom it asks */
    muster__dns_place places[MUSTER__DNS_SERVERS_MAX];
    size_t n_places;            /* of the URI; 0: those of resolv.conf */
    muster__dns_system *system; /* NULL: the URI names the servers */
    muster__dns_group *group;   /* NULL: not known yet */

    /* what it asks */
    muster__dns_address *hosts; /* found in /etc/hosts: no question is asked */
    size_t n_hosts;
    uint64_t hosts_due_ms; /* when to look there again */
    muster__dns_file_state hosts_state;
    muster__dns_candidate *candidates; /* the name in each search domain */
    size_t n_candidates;
    muster__dns_entry *targets; /* of SRV: one for each service */
    size_t n_targets;
    muster__dns_answer *services; /* that targets belong to; or NULL */
    muster__dns_answer *former; /* the last ones that addresses came along with;
                                   or NULL */

    /* service config of the last TXT answer */
    muster__dns_answer *config_answer;
    char *service_config; /* or NULL */
    unsigned percentile;
    char hostname[65]; /* of this machine: HOST_NAME_MAX and a NUL */

    /* when */
    uint64_t timer; /* 0: none */
    uint64_t timer_due_ms;
    uint64_t window_ms; /* until then further answers are waited for; 0: no */
    bool has_news;
    bool is_posted;
    bool is_stopped;

    muster__dns_said said;
} muster__dns_instance;

/* What is known now. */
typedef struct muster__dns_view {
    muster__dns_outcome outcome;
    bool is_decided;    /* NO_SUCH_NAME: the service itself says so ("." as a
                           target): nothing to hold back */
    bool is_asking;     /* some question is under way */
    bool is_incomplete; /* one that has no answer yet is among them */
    const muster__dns_entry *chosen;  /* of ANSWER; NULL: hosts */
    const muster__dns_entry *config;  /* of chosen; NULL: none */
    const muster__dns_known *trouble; /* or NULL */
    uint64_t due_ms;                  /* when something is to be asked again */
} muster__dns_view;

/* ---- asked.c ---- */

/* What choice comes to with the servers that are asked. */
bool muster__dns_is_on(const muster__dns_instance *self,
                       muster__dns_choice choice);

/* SRV records. */
bool muster__dns_asks_services(const muster__dns_instance *self);

/* Of the name: a set of MUSTER__DNS_WANT_... */
unsigned muster__dns_wanted(const muster__dns_instance *self);

/* Follows the name in the search domains of system (NULL: there are none), with
 * the servers of self->group. former: see muster__dns_follow_start().
 * MUSTER_NOMEM: what there was stays. */
muster_status muster__dns_candidates_make(muster__dns_instance *self,
                                          const muster__dns_system *system,
                                          const muster__dns_group *former);

/* The same for what services are at. */
muster_status muster__dns_targets_make(muster__dns_instance *self,
                                       muster__dns_answer *services,
                                       const muster__dns_group *former);

/* Follows nothing any more. */
void muster__dns_asked_end(muster__dns_instance *self);

/* ---- lookup.c ---- */

/* Asks what is due, and sees what is known. MUSTER_NOMEM, MUSTER_UNAVAILABLE:
 * err says why. */
muster_status muster__dns_lookup(muster__dns_instance *self,
                                 muster__dns_view *ret_view, muster_error *err);

/* Follows nothing any more, and lets go of the servers. */
void muster__dns_lookup_end(muster__dns_instance *self);

/* ---- endpoints.c ---- */

/* How many addresses came along with service i, or stand in for such. */
size_t muster__dns_extras_count(const muster__dns_instance *self, size_t i);

typedef struct muster__dns_endpoints {
    muster_endpoint *items;
    size_t n;
    struct muster__dns_endpoint_text *texts; /* what items point to */
    const char **more;                       /* further addresses of items */
} muster__dns_endpoints;

/* The list of what is known, sorted. *ret is to be freed by
 * muster__dns_endpoints_free(). MUSTER_NOMEM, MUSTER_EXHAUSTED (more than
 * 65 536). */
muster_status muster__dns_endpoints_make(const muster__dns_instance *self,
                                         const muster__dns_view *view,
                                         muster__dns_endpoints *ret);
void muster__dns_endpoints_free(muster__dns_endpoints *endpoints);

/* ---- outcome.c ---- */

/* Says what is known to the core; when that did not change, that it is still
 * so. Answers when there is something further to say; UINT64_MAX: never. */
uint64_t muster__dns_say(muster__dns_instance *self,
                         const muster__dns_view *view);

/* Says that it cannot even ask. */
void muster__dns_say_failure(muster__dns_instance *self, muster_status status,
                             const char *message);

/* ---- dns.c ---- */

/* A question of self's was answered: looks again soon. */
void muster__dns_instance_nudge(muster__dns_instance *self);

#endif
