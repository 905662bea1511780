/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to services to addresses: asks what is due, and sees what is
 * known. Nothing here waits: each answer makes the instance look again. */
#include "instance.h"

#include <stdlib.h>
#include <string.h>

#include "extras.h"
#include "hosts.h"

#define CONFIG_LABEL "_grpc_config"
#define HOSTS_LOOK_MS UINT64_C(5000)

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
static bool is_on(const muster__dns_instance *self, muster__dns_choice choice)
{
    return choice == MUSTER__DNS_BY_SERVER ? self->n_places == 0
                                           : choice == MUSTER__DNS_ON;
}

static bool asks_services(const muster__dns_instance *self)
{
    return self->options.kind == MUSTER__DNS_KIND_SRV ||
           (self->options.kind == MUSTER__DNS_KIND_AUTO &&
            self->name.is_service);
}

static unsigned wanted(const muster__dns_instance *self)
{
    if (asks_services(self)) {
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
                    is_on(self, self->options.search);
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
        &candidate->entry, follower, candidate->name, wanted(self));

    if (status != MUSTER_OK || !self->options.has_service_config ||
        !muster__dns_name_join(CONFIG_LABEL,
                               muster__dns_name_skip_labels(candidate->name),
                               text)) {
        return status;
    }
    return muster__dns_entry_init(&candidate->config, follower, text,
                                  MUSTER__DNS_WANT_TXT);
}

static muster_status make_candidates(muster__dns_instance *self,
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

static muster_status make_targets(muster__dns_instance *self,
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
    (void)muster__dns_answer_ref(services);
    muster__dns_answer_unref(self->services);
    self->services = services;
    return MUSTER_OK;
}

/* ---- whom to ask ---- */

/* Other servers, or other search domains. What was known of the former stays
 * until the others have answered. */
static muster_status change_servers(muster__dns_instance *self,
                                    muster__dns_group *group,
                                    const muster__dns_system *system)
{
    muster__dns_group *former = self->group;
    muster_status status;

    self->group = group;
    status = make_candidates(self, system, former);
    if (status == MUSTER_OK && self->services != NULL) {
        status = make_targets(self, self->services, former);
    }
    if (status != MUSTER_OK) {
        self->group = former;
        muster__dns_group_unref(group);
        return status;
    }
    muster__dns_group_unref(former);
    return MUSTER_OK;
}

static muster_status use_places(muster__dns_instance *self,
                                const muster__dns_place *places, size_t n,
                                const muster__dns_system *system)
{
    const muster__dns_manner manner = {
        .timeout_ms = self->options.timeout_ms,
        .tries = self->options.tries,
        .asks_all = self->options.nxdomain_all == MUSTER__DNS_BY_SERVER
                        ? self->n_places > 0
                        : self->options.nxdomain_all == MUSTER__DNS_ON,
    };
    muster__dns_group *group =
        muster__dns_group_get(self->scope, places, n, &manner);

    return group == NULL ? MUSTER_NOMEM : change_servers(self, group, system);
}

static muster_status heed_system(muster__dns_instance *self, muster_error *err)
{
    muster__dns_system *system = NULL;
    muster_status status = muster__dns_system_get(
        self->scope, self->options.resolv_conf, &system, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (system == self->system) {
        muster__dns_system_unref(system);
        return MUSTER_OK;
    }
    status = use_places(self, system->places, system->n_places, system);
    if (status != MUSTER_OK) {
        muster__dns_system_unref(system);
        return muster_error_set(err, status, "out of memory");
    }
    muster__dns_system_unref(self->system);
    self->system = system;
    return MUSTER_OK;
}

static muster_status choose_servers(muster__dns_instance *self,
                                    muster_error *err)
{
    if (self->n_places == 0) {
        return heed_system(self, err);
    }
    if (self->group != NULL) {
        return MUSTER_OK;
    }
    if (use_places(self, self->places, self->n_places, NULL) != MUSTER_OK) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return MUSTER_OK;
}

/* ---- /etc/hosts ---- */

static muster_status look_into_hosts(muster__dns_instance *self)
{
    uint64_t now_ms = muster__dns_now_ms(self->scope);
    muster__dns_address *hosts = NULL;
    size_t n = 0;
    muster_status status;

    if (asks_services(self) || !is_on(self, self->options.hosts) ||
        (self->hosts_due_ms != 0 && now_ms < self->hosts_due_ms)) {
        return MUSTER_OK;
    }
    status = muster__dns_hosts_find(self->name.text, &hosts, &n);
    if (status == MUSTER_OK) {
        free(self->hosts);
        self->hosts = hosts;
        self->n_hosts = n;
        self->hosts_due_ms = now_ms + HOSTS_LOOK_MS;
        self->has_news = self->has_news || n > 0;
    }
    return status;
}

/* ---- what is known ---- */

/* Asks what is due of entry, and adds what there is to say of it to view. */
static void see(const muster__dns_instance *self,
                const muster__dns_entry *entry, muster__dns_view *view)
{
    uint64_t due_ms;

    muster__dns_entry_ask(entry, &self->pace, muster__dns_now_ms(self->scope));
    if (muster__dns_entry_is_asking(entry)) {
        view->is_asking = true;
        view->is_incomplete =
            view->is_incomplete || muster__dns_entry_is_incomplete(entry);
    }
    due_ms = muster__dns_entry_due_ms(entry, &self->pace);
    view->due_ms = due_ms < view->due_ms ? due_ms : view->due_ms;
}

static void see_trouble(const muster__dns_entry *entry, muster__dns_view *view)
{
    if (view->trouble == NULL) {
        view->trouble = muster__dns_entry_trouble(entry);
    }
}

/* The first name that has records; those before it must be denied. */
static const muster__dns_candidate *
walk_candidates(const muster__dns_instance *self, muster__dns_view *view)
{
    for (size_t i = 0; i < self->n_candidates; i++) {
        const muster__dns_candidate *candidate = &self->candidates[i];

        see(self, &candidate->entry, view);
        see_trouble(&candidate->entry, view);
        view->outcome = muster__dns_entry_outcome(&candidate->entry);
        if (view->outcome == MUSTER__DNS_ANSWER) {
            view->chosen = &candidate->entry;
            return candidate;
        }
        if (view->outcome == MUSTER__DNS_UNKNOWN) {
            break;
        }
    }
    return NULL;
}

/* RFC 2782: a target of "." means that the service is decidedly not there. */
static bool is_declined(const muster__dns_answer *services)
{
    return services->n == 1 && *services->services[0].target == '\0';
}

/* What the services' targets come to together. */
static void see_targets(const muster__dns_instance *self,
                        muster__dns_view *view)
{
    bool has_addresses = false;
    bool is_unknown = false;

    for (size_t i = 0; i < self->n_targets; i++) {
        const muster__dns_entry *target = &self->targets[i];
        muster__dns_outcome outcome;
        size_t n_extras = 0;

        see(self, target, view);
        see_trouble(target, view);
        outcome = muster__dns_entry_outcome(target);
        (void)muster__dns_extras_find(
            self->services, self->services->services[i].target, &n_extras);
        has_addresses =
            has_addresses || outcome == MUSTER__DNS_ANSWER || n_extras > 0;
        is_unknown = is_unknown || outcome == MUSTER__DNS_UNKNOWN;
    }
    if (!has_addresses) {
        view->outcome =
            is_unknown ? MUSTER__DNS_UNKNOWN : MUSTER__DNS_NO_SUCH_NAME;
    }
}

static muster_status go_to_targets(muster__dns_instance *self,
                                   muster__dns_view *view)
{
    muster__dns_answer *services =
        muster__dns_question_known(view->chosen->follows[0].question)->answer;
    muster_status status = MUSTER_OK;

    if (is_declined(services)) {
        view->outcome = MUSTER__DNS_NO_SUCH_NAME;
        view->is_decided = true;
        return MUSTER_OK;
    }
    if (services != self->services) {
        status = make_targets(self, services, NULL);
    }
    if (status == MUSTER_OK) {
        see_targets(self, view);
    }
    return status;
}

muster_status muster__dns_lookup(muster__dns_instance *self,
                                 muster__dns_view *ret_view, muster_error *err)
{
    muster__dns_view view = {.outcome = MUSTER__DNS_UNKNOWN,
                             .due_ms = UINT64_MAX};
    const muster__dns_candidate *chosen;
    muster_status status = look_into_hosts(self);

    if (status == MUSTER_OK && self->n_hosts > 0) {
        view.outcome = MUSTER__DNS_ANSWER;
        view.due_ms = self->hosts_due_ms;
        *ret_view = view;
        return MUSTER_OK;
    }
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "out of memory");
    }
    status = choose_servers(self, err);
    if (status != MUSTER_OK) {
        return status;
    }
    chosen = walk_candidates(self, &view);
    if (chosen != NULL) {
        see(self, &chosen->config, &view);
        view.config = &chosen->config;
    }
    if (chosen != NULL && asks_services(self)) {
        status = go_to_targets(self, &view);
    }
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "out of memory");
    }
    *ret_view = view;
    return MUSTER_OK;
}

void muster__dns_lookup_end(muster__dns_instance *self)
{
    free_targets(self->targets, self->n_targets);
    self->targets = NULL;
    self->n_targets = 0;
    muster__dns_answer_unref(self->services);
    self->services = NULL;
    free_candidates(self->candidates, self->n_candidates);
    self->candidates = NULL;
    self->n_candidates = 0;
    muster__dns_group_unref(self->group);
    self->group = NULL;
    muster__dns_system_unref(self->system);
    self->system = NULL;
    free(self->hosts);
    self->hosts = NULL;
    self->n_hosts = 0;
}
