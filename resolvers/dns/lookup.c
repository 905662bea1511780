/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to services to addresses: asks what is due, and sees what is
 * known. Nothing here waits: each answer makes the instance look again. */
#include "instance.h"

#include <stdlib.h>

#include "hosts.h"

#define HOSTS_FILE "/etc/hosts"
#define HOSTS_LOOK_MS UINT64_C(5000)

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
    status = muster__dns_candidates_make(self, system, former);
    if (status == MUSTER_OK && self->services != NULL) {
        status = muster__dns_targets_make(self, self->services, former);
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

/* Those of the families that are asked for: a name that has only others there
 * is asked of the servers. */
static size_t keep_wanted(const muster__dns_instance *self,
                          muster__dns_address *hosts, size_t n)
{
    unsigned wants = muster__dns_wanted(self);
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if ((wants & (hosts[i].size == 4 ? MUSTER__DNS_WANT_A
                                         : MUSTER__DNS_WANT_AAAA)) != 0) {
            hosts[kept++] = hosts[i];
        }
    }
    return kept;
}

static muster_status read_hosts(muster__dns_instance *self)
{
    muster__dns_address *hosts = NULL;
    size_t n = 0;
    muster_status status = muster__dns_hosts_find(self->name.text, &hosts, &n);

    if (status == MUSTER_OK) {
        free(self->hosts);
        self->hosts = hosts;
        self->n_hosts = keep_wanted(self, hosts, n);
    }
    return status;
}

static muster_status look_into_hosts(muster__dns_instance *self)
{
    uint64_t now_ms = muster__dns_now_ms(self->scope);
    muster__dns_file_state state;
    muster_status status = MUSTER_OK;

    if (muster__dns_asks_services(self) ||
        !muster__dns_is_on(self, self->options.hosts) ||
        (self->hosts_due_ms != 0 && now_ms < self->hosts_due_ms)) {
        return MUSTER_OK;
    }
    state = muster__dns_file_look(HOSTS_FILE);
    if (!muster__dns_file_is_same(&state, &self->hosts_state)) {
        status = read_hosts(self);
    }
    if (status == MUSTER_OK) {
        self->hosts_state = state;
        self->hosts_due_ms = now_ms + HOSTS_LOOK_MS;
        self->has_news = self->has_news || self->n_hosts > 0;
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
        size_t n_extras;

        see(self, target, view);
        see_trouble(target, view);
        outcome = muster__dns_entry_outcome(target);
        n_extras = muster__dns_extras_count(self, i);
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
        status = muster__dns_targets_make(self, services, NULL);
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
    if (chosen != NULL && muster__dns_asks_services(self)) {
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
    muster__dns_asked_end(self);
    muster__dns_group_unref(self->group);
    self->group = NULL;
    muster__dns_system_unref(self->system);
    self->system = NULL;
    free(self->hosts);
    self->hosts = NULL;
    self->n_hosts = 0;
}
