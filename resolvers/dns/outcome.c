/* SPDX-License-Identifier: Apache-2.0 */
/* Says what is known: a list, a failure, or nothing yet. */
#include "instance.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txt_config.h"

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- failures ---- */

static muster_status status_of(muster__dns_trouble trouble)
{
    switch (trouble) {
    case MUSTER__DNS_TIMEOUT:
        return MUSTER_TIMEOUT;
    case MUSTER__DNS_UNREACHABLE:
        return MUSTER_REFUSED;
    case MUSTER__DNS_MALFORMED:
        return MUSTER_PROTOCOL;
    default:
        return MUSTER_UNAVAILABLE;
    }
}

/* What was the last thing to be said is not said again. */
void muster__dns_say_failure(muster__dns_instance *self, muster_status status,
                             const char *message)
{
    muster__dns_said *said = &self->said;

    if (said->is_failing && said->failure.code == status &&
        strcmp(said->failure.message, message) == 0) {
        return;
    }
    said->is_failing = true;
    (void)muster_error_set(&said->failure, status, "%s", message);
    muster_fail(self->env, status, message);
}

/* A failure is said when it begins, and once more when it has lasted for longer
 * than its hold: it is an outage then. The addresses stay in either case. */
static uint64_t say_trouble(muster__dns_instance *self,
                            const muster__dns_known *trouble)
{
    uint64_t hold_ms =
        muster__dns_options_hold_ms(&self->options, trouble->trouble);
    uint64_t end_ms = trouble->trouble_since_ms + hold_ms;
    bool is_over = muster__dns_now_ms(self->scope) >= end_ms;
    char message[sizeof((muster_error *)NULL)->message];

    (void)snprintf(message, sizeof message, "%.380s%s%s", trouble->message,
                   is_over ? "; it has failed for longer than its hold" : "",
                   self->said.has_list ? "; the last list stays in use" : "");
    muster__dns_say_failure(self, status_of(trouble->trouble), message);
    return is_over ? UINT64_MAX : end_ms;
}

/* ---- service config ---- */

static void take_config(muster__dns_instance *self, muster__dns_answer *answer)
{
    const muster__dns_client client = {.percentile = self->percentile,
                                       .hostname = self->hostname};
    char *json = NULL;
    muster_error why;
    muster_status status = MUSTER_OK;

    if (answer->outcome == MUSTER__DNS_ANSWER) {
        status = muster__dns_txt_config((const char *const *)answer->texts,
                                        answer->n, &client, &json, &why);
    }
    if (status == MUSTER_NOMEM) {
        return; /* the next look tries again */
    }
    muster__dns_answer_unref(self->config_answer);
    self->config_answer = muster__dns_answer_ref(answer);
    if (status != MUSTER_OK) {
        char message[sizeof why.message];

        (void)snprintf(message, sizeof message,
                       "the service config in TXT is ignored: %.400s",
                       why.message);
        self->env->host->log(self->env->ctx, MUSTER_LOG_WARNING, message);
        return; /* the last valid one stays */
    }
    free(self->service_config);
    self->service_config = json;
}

static void heed_config(muster__dns_instance *self,
                        const muster__dns_view *view)
{
    muster__dns_answer *answer;

    if (view->config == NULL || view->config->n == 0) {
        return;
    }
    answer =
        muster__dns_question_known(view->config->follows[0].question)->answer;
    if (answer != NULL && answer != self->config_answer) {
        take_config(self, answer);
    }
}

/* ---- lists ---- */

static uint64_t digest_of(const muster__dns_instance *self,
                          const muster__dns_endpoints *list)
{
    XXH64_state_t state;

    (void)XXH64_reset(&state, 0);
    for (size_t i = 0; i < list->n; i++) {
        const muster_endpoint *item = &list->items[i];

        (void)XXH64_update(&state, item->address, strlen(item->address) + 1);
        (void)XXH64_update(&state, &item->weight, sizeof item->weight);
        (void)XXH64_update(&state, &item->priority, sizeof item->priority);
        if (item->n_more_addresses > 0) {
            (void)XXH64_update(&state, item->more_addresses[0],
                               strlen(item->more_addresses[0]) + 1);
        }
    }
    if (self->service_config != NULL) {
        (void)XXH64_update(&state, self->service_config,
                           strlen(self->service_config));
    }
    return XXH64_digest(&state);
}

static void report(muster__dns_instance *self,
                   const muster__dns_endpoints *list)
{
    muster__dns_said *said = &self->said;
    const muster_update update = {
        .struct_size = (uint32_t)sizeof update,
        .endpoint_size = (uint32_t)sizeof *list->items,
        .endpoints = list->items,
        .n_endpoints = list->n,
        .service_config = self->service_config,
        .flags = list->n == 0 ? MUSTER_UPDATE_EMPTY_IS_FINAL : 0,
    };
    muster_status status =
        self->env->host->report(self->env->ctx, &update, NULL);

    if (status != MUSTER_OK) {
        muster__dns_say_failure(self, status, "the list was not accepted");
        return;
    }
    said->has_list = true;
    said->is_failing = false;
    said->is_refused = false;
    said->n_endpoints = list->n;
    said->digest = digest_of(self, list);
}

/* To say a list is to say that it is fresh. So one that was said before is said
 * again only when there are new answers, and none is in trouble. */
static bool is_worth_saying(const muster__dns_instance *self,
                            const muster__dns_view *view,
                            const muster__dns_endpoints *list)
{
    const muster__dns_said *said = &self->said;

    return (self->has_news && view->trouble == NULL) || said->is_refused ||
           !said->has_list || said->digest != digest_of(self, list);
}

static uint64_t say_list(muster__dns_instance *self,
                         const muster__dns_view *view,
                         const muster__dns_endpoints *list)
{
    self->said.gone_since_ms = 0;
    if (is_worth_saying(self, view, list)) {
        report(self, list);
    }
    return view->trouble != NULL ? say_trouble(self, view->trouble)
                                 : UINT64_MAX;
}

/* ---- no such name ---- */

static uint64_t say_gone(muster__dns_instance *self,
                         const muster__dns_view *view)
{
    static const muster__dns_endpoints nothing = {.n = 0};
    muster__dns_said *said = &self->said;
    uint64_t now_ms = muster__dns_now_ms(self->scope);
    uint64_t end_ms;
    char message[MUSTER__DNS_NAME_SIZE + 128];

    if (said->gone_since_ms == 0) {
        said->gone_since_ms = now_ms;
    }
    end_ms = said->gone_since_ms + self->options.hold_nxdomain_ms;
    if (view->is_decided || !said->has_list || said->n_endpoints == 0 ||
        (now_ms >= end_ms && view->trouble == NULL)) {
        if (is_worth_saying(self, view, &nothing)) {
            report(self, &nothing);
        }
        return view->trouble != NULL ? say_trouble(self, view->trouble)
                                     : UINT64_MAX;
    }
    if (view->trouble != NULL) { /* whether it is still gone is not known */
        return say_trouble(self, view->trouble);
    }
    (void)snprintf(message, sizeof message,
                   "%s: there is no such name, or it has no addresses; the "
                   "last list is held for a while",
                   self->name.text);
    muster__dns_say_failure(self, MUSTER_NOTFOUND, message);
    return end_ms;
}

/* ---- all of it ---- */

/* Names without an address that can be used: an SRV target that has none. */
static muster__dns_outcome outcome_of(const muster__dns_view *view, size_t n)
{
    if (view->outcome != MUSTER__DNS_ANSWER || n > 0) {
        return view->outcome;
    }
    return view->trouble != NULL ? MUSTER__DNS_UNKNOWN
                                 : MUSTER__DNS_NO_SUCH_NAME;
}

uint64_t muster__dns_say(muster__dns_instance *self,
                         const muster__dns_view *view)
{
    muster__dns_endpoints list;
    uint64_t due_ms = UINT64_MAX;
    muster_status status;

    heed_config(self, view);
    status = muster__dns_endpoints_make(self, view, &list);
    if (status != MUSTER_OK) {
        muster__dns_say_failure(self, status,
                                status == MUSTER_NOMEM
                                    ? "out of memory"
                                    : "services come to over 65536 addresses");
        return view->due_ms;
    }
    switch (outcome_of(view, list.n)) {
    case MUSTER__DNS_ANSWER:
        due_ms = say_list(self, view, &list);
        break;
    case MUSTER__DNS_NO_SUCH_NAME:
        due_ms = say_gone(self, view);
        break;
    case MUSTER__DNS_UNKNOWN:
        if (view->trouble != NULL) {
            due_ms = say_trouble(self, view->trouble);
        }
        break;
    }
    muster__dns_endpoints_free(&list);
    return min_of(due_ms, view->due_ms);
}
