/* SPDX-License-Identifier: Apache-2.0 */
/* What a target asks: its name in each search domain, and what services are at.
 */
#include "instance.h"

#include <stdlib.h>

#include "extras.h"

#define CONFIG_LABEL "_grpc_config"

static void on_answered(muster__dns_follow *follow)
{
    muster__dns_instance_nudge(follow->owner);
}

static muster__dns_follower follower_of(muster__dns_instance *self,
                                        const muster__dns_group *former)
{
    return (muster__dns_follower){.owner = self,
                                  .answered = on_answered,
                                  .group = self->group,
                                  .former = former};
}

/* What fits the servers of resolv.conf need not fit others: its search domains
 * and the hosts of this machine go with those. */
bool muster__dns_is_on(const muster__dns_instance *self,
                       muster__dns_choice choice)
{
    return choice == MUSTER__DNS_BY_SERVER ? self->n_places == 0
                                           : choice == MUSTER__DNS_ON;
}

bool muster__dns_asks_services(const muster__dns_instance *self)
{
    return self->options.kind == MUSTER__DNS_KIND_SRV ||
           (self->options.kind == MUSTER__DNS_KIND_AUTO &&
            self->name.is_service);
}

unsigned muster__dns_wanted(const muster__dns_instance *self)
{
    if (muster__dns_asks_services(self)) {
        return MUSTER__DNS_WANT_SRV;
    }
    switch (self->options.kind) {
    case MUSTER__DNS_KIND_A:
        return MUSTER__DNS_WANT_A;
    case MUSTER__DNS_KIND_AAAA:
        return MUSTER__DNS_WANT_AAAA;
    default:
        return MUSTER__DNS_WANT_A | MUSTER__DNS_WANT_AAAA;
    }
}

/* ---- candidates: the name, in search domains ---- */

static void free_candidates(muster__dns_candidate *candidates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        muster__dns_entry_fini(&candidates[i].entry);
        muster__dns_entry_fini(&candidates[i].config);
    }
    free(candidates);
}

static int count_dots(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '.';
    }
    return n;
}

/* Writes the names to ask for, in their order (resolv.conf(5), ndots). */
static size_t list_names(const muster__dns_instance *self,
                         const muster__dns_system *system,
                         muster__dns_candidate *candidates)
{
    const char *name = self->name.text;
    bool searches = system != NULL && !self->name.is_absolute &&
                    muster__dns_is_on(self, self->options.search);
    bool is_first = searches && count_dots(name) >= system->n_dots;
    size_t n = 0;

    if (!searches || is_first) {
        (void)muster__dns_name_join(name, "", candidates[n++].name);
    }
    for (size_t i = 0; searches && i < system->n_domains; i++) {
        n +=
            muster__dns_name_join(name, system->domains[i], candidates[n].name);
    }
    if (searches && !is_first) {
        (void)muster__dns_name_join(name, "", candidates[n++].name);
    }
    return n;
}

/* gRFC A2: the config of web.prod is at _grpc_config.web.prod. A name that is
 * too long for that has none. */
static muster_status init_candidate(const muster__dns_instance *self,
                                    const muster__dns_follower *follower,
                                    muster__dns_candidate *candidate)
{
    char text[MUSTER__DNS_NAME_SIZE];
    muster_status status = muster__dns_entry_init(
        &candidate->entry, follower, candidate->name, muster__dns_wanted(self));

    if (status != MUSTER_OK || !self->options.has_service_config ||
        !muster__dns_name_join(CONFIG_LABEL,
                               muster__dns_name_skip_labels(candidate->name),
                               text)) {
        return status;
    }
    return muster__dns_entry_init(&candidate->config, follower, text,
                                  MUSTER__DNS_WANT_TXT);
}

muster_status muster__dns_candidates_make(muster__dns_instance *self,
                                          const muster__dns_system *system,
                                          const muster__dns_group *former)
{
    const muster__dns_follower follower = follower_of(self, former);
    size_t size = (system != NULL ? system->n_domains : 0) + 1;
    muster__dns_candidate *candidates = calloc(size, sizeof *candidates);
    muster_status status = MUSTER_OK;
    size_t n;

    if (candidates == NULL) {
        return MUSTER_NOMEM;
    }
    n = list_names(self, system, candidates);
    for (size_t i = 0; i < n && status == MUSTER_OK; i++) {
        status = init_candidate(self, &follower, &candidates[i]);
    }
    if (status != MUSTER_OK) {
        free_candidates(candidates, n);
        return status;
    }
    free_candidates(self->candidates, self->n_candidates);
    self->candidates = candidates;
    self->n_candidates = n;
    return MUSTER_OK;
}

/* ---- targets: one for each service ---- */

static void free_targets(muster__dns_entry *targets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        muster__dns_entry_fini(&targets[i]);
    }
    free(targets);
}

/* The families that did not come along with the service. */
static unsigned wanted_of(const muster__dns_answer *services,
                          const char *target)
{
    size_t n = 0;
    const muster__dns_extra *extras =
        muster__dns_extras_find(services, target, &n);
    unsigned wants = MUSTER__DNS_WANT_A | MUSTER__DNS_WANT_AAAA;

    if (n > 0 && extras[0].address.size == 4) {
        wants &= ~(unsigned)MUSTER__DNS_WANT_A;
    }
    if (n > 0 && extras[n - 1].address.size == 16) {
        wants &= ~(unsigned)MUSTER__DNS_WANT_AAAA;
    }
    return muster__dns_name_is_valid(target) ? wants : 0;
}

/* A server need not send addresses along each time. They stand in until the
 * questions that are then asked have an answer. */
static void keep_extras(muster__dns_instance *self,
                        const muster__dns_answer *services)
{
    if (self->services != NULL && self->services != services &&
        self->services->n_extras > 0) {
        muster__dns_answer_unref(self->former);
        self->former = muster__dns_answer_ref(self->services);
    }
}

muster_status muster__dns_targets_make(muster__dns_instance *self,
                                       muster__dns_answer *services,
                                       const muster__dns_group *former)
{
    const muster__dns_follower follower = follower_of(self, former);
    muster__dns_entry *targets = calloc(services->n + 1, sizeof *targets);
    muster_status status = targets == NULL ? MUSTER_NOMEM : MUSTER_OK;

    for (size_t i = 0; status == MUSTER_OK && i < services->n; i++) {
        const char *target = services->services[i].target;

        status = muster__dns_entry_init(&targets[i], &follower, target,
                                        wanted_of(services, target));
    }
    if (status != MUSTER_OK) {
        free_targets(targets, targets != NULL ? services->n : 0);
        return status;
    }
    free_targets(self->targets, self->n_targets);
    self->targets = targets;
    self->n_targets = services->n;
    keep_extras(self, services);
    (void)muster__dns_answer_ref(services);
    muster__dns_answer_unref(self->services);
    self->services = services;
    return MUSTER_OK;
}

void muster__dns_asked_end(muster__dns_instance *self)
{
    free_targets(self->targets, self->n_targets);
    self->targets = NULL;
    self->n_targets = 0;
    muster__dns_answer_unref(self->services);
    self->services = NULL;
    muster__dns_answer_unref(self->former);
    self->former = NULL;
    free_candidates(self->candidates, self->n_candidates);
    self->candidates = NULL;
    self->n_candidates = 0;
}
