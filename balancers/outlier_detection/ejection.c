/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of the list and who of them is ejected. */
#include "ejection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* As grpc-go counts them (gRFC A91). */
#define METRIC "grpc.lb.outlier_detection."

static const char *const method_names[OUTLIER_N_METHODS] = {
    [OUTLIER_SUCCESS_RATE] = "success_rate",
    [OUTLIER_FAILURE_PERCENTAGE] = "failure_percentage",
    [OUTLIER_FAILURES] = "consecutive_failure",
    [OUTLIER_GATEWAY_FAILURES] = "consecutive_gateway_failure",
    [OUTLIER_LOCAL_FAILURES] = "consecutive_local_origin_failure",
};

/* ---- the list ---- */

static outlier_record *known(const outlier_roster *self,
                             const muster_backend *backend)
{
    const outlier_counts *counts = backend->state;
    size_t place = counts->place;

    return place < self->n && self->records[place].id == backend->id
               ? &self->records[place]
               : NULL;
}

const outlier_record *outlier_roster_find(const outlier_roster *self,
                                          const muster_backend *backend)
{
    return known(self, backend);
}

/* It may be ejected by somebody who is gone. */
static outlier_record begin(const outlier_roster *self,
                            const muster_backend *backend)
{
    const muster_balancer_env *env = self->env;

    outlier_counts_reset(backend->state);
    if ((backend->flags & MUSTER_BACKEND_EJECTED) != 0) {
        env->host->set_ejected(env->ctx, backend->id, 0);
    }
    return (outlier_record){.id = backend->id, .counts = backend->state};
}

/* Whoever is still ejected leaves: for a parent that gives it to another child,
 * it must not stay so. An id that left the channel's list is ignored. */
static void let_go(outlier_roster *self)
{
    const muster_balancer_env *env = self->env;

    for (size_t i = 0; i < self->n; i++) {
        if (self->records[i].is_ejected) {
            env->host->set_ejected(env->ctx, self->records[i].id, 0);
        }
    }
    free(self->records);
    self->records = NULL;
    self->n = 0;
    self->n_ejected = 0;
}

/* What is known of it, which moves; else nothing. */
static outlier_record take_over(outlier_roster *self,
                                const muster_backend *backend)
{
    outlier_record *old = known(self, backend);
    outlier_record record;

    if (old == NULL) {
        return begin(self, backend);
    }
    record = *old;
    old->is_ejected = false;
    return record;
}

void outlier_roster_update(outlier_roster *self,
                           const muster_balancer_update *update)
{
    size_t n = update->n_backends;
    outlier_record *records = malloc((n + 1) * sizeof *records);
    size_t n_ejected = 0;

    if (records == NULL) {
        let_go(self);
        self->env->host->log(self->env->ctx, MUSTER_LOG_ERROR,
                             "out of memory: detects no outliers in this list");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        records[i] = take_over(self, backends_listed(update, i));
        n_ejected += records[i].is_ejected;
    }
    for (size_t i = 0; i < n; i++) { /* now that the old places are read */
        records[i].counts->place = (uint32_t)i;
    }
    let_go(self);
    self->records = records;
    self->n = n;
    self->n_ejected = n_ejected;
}

void outlier_roster_fini(outlier_roster *self)
{
    let_go(self);
}

/* ---- ejection ---- */

/* method: what it is ejected by; NULL: it is taken back. */
static void tell(const outlier_roster *self, const outlier_record *record,
                 const char *method)
{
    const muster_balancer_env *env = self->env;
    char text[128];

    if (method == NULL) {
        (void)snprintf(text, sizeof text, "takes endpoint %" PRIu64 " back",
                       record->id);
    } else {
        (void)snprintf(text, sizeof text,
                       "ejects endpoint %" PRIu64 ": %s, time %u", record->id,
                       method, (unsigned)record->multiplier);
    }
    env->host->log(env->ctx, MUSTER_LOG_INFO, text);
}

/* reason is why it is not ejected; NULL: it is. */
static void count(const outlier_roster *self, outlier_method method,
                  const char *reason)
{
    const muster_balancer_env *env = self->env;
    const muster_attribute labels[] = {
        {METRIC "detection_method", method_names[method]},
        {METRIC "unenforced_reason", reason}};

    env->host->count(env->ctx,
                     reason == NULL ? METRIC "ejections_enforced"
                                    : METRIC "ejections_unenforced",
                     labels, reason == NULL ? 1 : 2, 1);
}

/* At least one may always be ejected. */
static bool are_too_many_ejected(const outlier_roster *self)
{
    return self->n_ejected > 0 &&
           (uint64_t)self->n_ejected * 100 >=
               (uint64_t)self->settings->max_ejection_percent * self->n;
}

static bool is_enforced(const outlier_roster *self, outlier_method method)
{
    uint64_t bits = self->env->host->random(self->env->ctx) >> 32;

    return bits * 100 >> 32 <
           self->settings->rules[method].enforcement_percentage;
}

static void eject(outlier_roster *self, outlier_record *record, uint64_t now_ns)
{
    record->is_ejected = true;
    record->ejected_at_ns = now_ns;
    record->multiplier += record->multiplier < UINT32_MAX;
    self->n_ejected++;
    self->env->host->set_ejected(self->env->ctx, record->id, 1);
}

void outlier_roster_found(outlier_roster *self, outlier_record *record,
                          outlier_method method, uint64_t now_ns)
{
    if (record->is_ejected) {
        return;
    }
    if (are_too_many_ejected(self)) {
        count(self, method, "max_ejection_overflow");
    } else if (!is_enforced(self, method)) {
        count(self, method, "enforcement_percentage");
    } else {
        eject(self, record, now_ns);
        count(self, method, NULL);
        tell(self, record, method_names[method]);
    }
}

/* As Envoy: whether it is ejected or not, a row begins anew. */
static void eject_one_found(outlier_roster *self, outlier_record *record,
                            uint64_t now_ns)
{
    uint32_t found = atomic_exchange_explicit(&record->counts->found, 0,
                                              memory_order_relaxed);

    for (int i = OUTLIER_FIRST_IN_A_ROW; i < OUTLIER_N_METHODS; i++) {
        outlier_method method = (outlier_method)i;

        if ((found >> i & 1u) != 0 && !record->is_ejected) {
            if (self->n >= self->settings->rules[i].minimum_hosts) {
                outlier_roster_found(self, record, method, now_ns);
            }
            outlier_counts_reset_in_a_row(record->counts, method);
        }
    }
}

void outlier_roster_eject_found(outlier_roster *self)
{
    uint64_t now_ns = self->env->host->now_ns(self->env->ctx);

    for (size_t i = 0; i < self->n; i++) {
        if (atomic_load_explicit(&self->records[i].counts->found,
                                 memory_order_relaxed) != 0) {
            eject_one_found(self, &self->records[i], now_ns);
        }
    }
}

/* ---- the way back ---- */

static uint64_t ejection_ns(const outlier_settings *settings,
                            uint32_t multiplier)
{
    uint64_t base_ns = settings->base_ejection_ns;
    uint64_t max_ns = settings->max_ejection_ns;

    return base_ns != 0 && multiplier > max_ns / base_ns ? max_ns
                                                         : base_ns * multiplier;
}

/* Rows begin anew, as with Envoy: calls of before the ejection may have brought
 * it close to a limit, or to it. */
static void uneject(outlier_roster *self, outlier_record *record)
{
    record->is_ejected = false;
    self->n_ejected--;
    atomic_store_explicit(&record->counts->found, 0, memory_order_relaxed);
    for (int i = OUTLIER_FIRST_IN_A_ROW; i < OUTLIER_N_METHODS; i++) {
        outlier_counts_reset_in_a_row(record->counts, (outlier_method)i);
    }
    self->env->host->set_ejected(self->env->ctx, record->id, 0);
    tell(self, record, NULL);
}

void outlier_roster_relax(outlier_roster *self, outlier_record *record,
                          uint64_t now_ns)
{
    if (!record->is_ejected) {
        record->multiplier -= record->multiplier > 0;
    } else if (now_ns - record->ejected_at_ns >
               ejection_ns(self->settings, record->multiplier)) {
        uneject(self, record);
    }
}
