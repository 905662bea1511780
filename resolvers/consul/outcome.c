/* SPDX-License-Identifier: Apache-2.0 */
/* Says to the core what is known, and each failure once. */
#include <stdio.h>
#include <string.h>

#include <text.h>

#include "instance.h"

static void tell(const muster__consul_instance *self, muster_log_level level,
                 const char *message)
{
    self->env->host->log(self->env->ctx, level, message);
}

static void tell_bad(muster__consul_instance *self,
                     const muster__consul_entries *entries)
{
    char message[sizeof entries->reason.message + 160];

    if (entries->n_bad != self->said.n_bad && entries->n_bad > 0) {
        (void)snprintf(message, sizeof message,
                       "service %s: %zu of %zu entries are left out; the "
                       "first: %s",
                       muster__quote(self->service).text, entries->n_bad,
                       entries->n_bad + entries->n_endpoints,
                       entries->reason.message);
        tell(self, MUSTER_LOG_WARNING, message);
    }
    self->said.n_bad = entries->n_bad;
}

/* Without a token an agent with ACLs shows an empty list, and does not say so
 * in the versions up to 1.10. */
static void tell_empty(muster__consul_instance *self)
{
    char message[MUSTER__QUOTED_MAX + 160];

    if (self->said.has_told_empty || self->request.token != NULL) {
        return;
    }
    self->said.has_told_empty = true;
    (void)snprintf(message, sizeof message,
                   "service %s has no instances; with ACLs that is also what "
                   "is shown without a token, and none is given",
                   muster__quote(self->service).text);
    tell(self, MUSTER_LOG_WARNING, message);
}

bool muster__consul_say_list(muster__consul_instance *self,
                             const muster__consul_entries *entries,
                             bool is_empty_final)
{
    muster_update update = {.struct_size = (uint32_t)sizeof update,
                            .endpoint_size = (uint32_t)sizeof(muster_endpoint),
                            .endpoints = entries->endpoints,
                            .n_endpoints = entries->n_endpoints};

    if (is_empty_final && entries->n_endpoints == 0) {
        update.flags = MUSTER_UPDATE_EMPTY_IS_FINAL;
    }
    if (self->env->host->report(self->env->ctx, &update,
                                &self->said.sequence) != MUSTER_OK) {
        return false;
    }
    self->said.is_failing = false;
    self->said.n_endpoints = entries->n_endpoints;
    tell_bad(self, entries);
    if (entries->n_endpoints == 0) {
        tell_empty(self);
    }
    return true;
}

void muster__consul_say_failure(muster__consul_instance *self,
                                const muster_error *failure)
{
    muster__consul_said *said = &self->said;

    if (said->is_failing && said->failure.code == failure->code &&
        strcmp(said->failure.message, failure->message) == 0) {
        return;
    }
    said->is_failing = true;
    said->failure = *failure;
    muster_fail(self->env, failure->code, failure->message);
}
