/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves the target, and hands its addresses on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>

#include "../listener.h"
#include "doctor.h"
#include "endpoint.h"

/* ---- the plugin ---- */

typedef struct plugin_search {
    char class_name[64]; /* "resolver:dns" */
    char found[512];     /* empty: not yet */
} plugin_search;

/* Whether words, separated by blanks, have word among them. */
static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        const size_t n = strcspn(at, " ");

        if (n == length && strncmp(at, word, n) == 0) {
            return true;
        }
        at += n;
    }
    return false;
}

static void look_at_plugin(void *arg, const muster_plugin_info *info)
{
    plugin_search *self = arg;

    if (self->found[0] == '\0' && info->refusal == NULL &&
        has_word(info->classes, self->class_name)) {
        (void)snprintf(self->found, sizeof self->found, "%s%s%s", info->name,
                       info->path[0] == '\0' ? ", compiled in" : ", ",
                       info->path);
    }
}

static void find_plugin(const char *target, plugin_search *self)
{
    memset(self, 0, sizeof *self);
    (void)snprintf(self->class_name, sizeof self->class_name, "resolver:%.*s",
                   (int)strcspn(target, ":"), target);
    (void)muster_plugin_list(look_at_plugin, self);
}

/* ---- the name ---- */

static void cut_port(char *name)
{
    char *colon = strrchr(name, ':');

    if (name[0] == '[') { /* "[::1]:50051" */
        memmove(name, name + 1, strlen(name));
        name[strcspn(name, "]")] = '\0';
    } else if (colon != NULL && strchr(name, ':') == colon) {
        *colon = '\0';
    }
}

/* What follows the authority in "SCHEME://AUTHORITY/NAME?OPTIONS". */
static void name_of_target(const char *target, char *name, size_t size)
{
    const char *at = target + strcspn(target, ":");

    at += *at == ':' ? 1 : 0;
    if (strncmp(at, "//", 2) == 0) {
        at += 2 + strcspn(at + 2, "/");
        at += *at == '/' ? 1 : 0;
    }
    (void)snprintf(name, size, "%.*s", (int)strcspn(at, "?"), at);
    if (name[0] != '\0' && name[strlen(name) - 1] == '.') {
        name[strlen(name) - 1] = '\0';
    }
    cut_port(name);
}

/* As muster_grpc_tls_options has it: the endpoint's host name, the option, the
 * target's own name, of which only dns: and consul: have one, the address. */
static void choose_name(const doctor_settings *settings, const json_t *endpoint,
                        endpoint_address *address)
{
    const char *hostname =
        json_string_value(json_object_get(endpoint, "hostname"));
    const char *target = settings->target;
    const char *given = hostname != NULL ? hostname : settings->tls.authority;

    if (given != NULL) {
        (void)snprintf(address->name, sizeof address->name, "%s", given);
        cut_port(address->name);
    } else if (strncmp(target, "dns", 3) == 0 ||
               strncmp(target, "consul", 6) == 0) {
        name_of_target(target, address->name, sizeof address->name);
    } else if (strncmp(address->text, "unix:", 5) == 0) {
        (void)snprintf(address->name, sizeof address->name, "localhost");
    } else {
        (void)snprintf(address->name, sizeof address->name, "%s",
                       address->text);
        cut_port(address->name);
    }
}

/* ---- the addresses ---- */

typedef struct address_list {
    endpoint_address *of;
    size_t n;
    size_t n_max;
} address_list;

static void add_address(const doctor_settings *settings, address_list *list,
                        const json_t *endpoint, const json_t *text)
{
    if (list->n < list->n_max) {
        endpoint_address *address = &list->of[list->n];

        address->text = json_string_value(text);
        choose_name(settings, endpoint, address);
    }
    list->n++;
}

static void collect(const doctor_settings *settings, const json_t *endpoints,
                    address_list *list)
{
    size_t index;
    json_t *endpoint;

    json_array_foreach(endpoints, index, endpoint)
    {
        size_t next;
        json_t *text;

        add_address(settings, list, endpoint,
                    json_object_get(endpoint, "address"));
        json_array_foreach(json_object_get(endpoint, "more_addresses"), next,
                           text)
        {
            add_address(settings, list, endpoint, text);
        }
    }
}

static void check_addresses(doctor *self, const json_t *endpoints)
{
    const size_t n_max = self->settings->max_endpoints;
    address_list list = {.of = calloc(n_max, sizeof *list.of), .n_max = n_max};

    if (list.of == NULL) {
        self->is_out_of_memory = true;
        return;
    }
    collect(self->settings, endpoints, &list);
    endpoint_check_all(self, list.of, list.n < n_max ? list.n : n_max);
    if (list.n > n_max) {
        doctor_report(self, VERDICT_OK, "connect", NULL, NULL,
                      "%zu of %zu addresses were looked at; --max-endpoints "
                      "says how many",
                      n_max, list.n);
    }
    free(list.of);
}

/* ---- the resolver ---- */

/* Of a target that cannot even be asked for. */
static const char *hint_of_refusal(muster_status status)
{
    switch (status) {
    case MUSTER_NOTFOUND:
    case MUSTER_ABI:
    case MUSTER_PERMISSION:
        return "\"muster plugins\" shows what there is; -P or "
               "MUSTER_PLUGIN_PATH names folders of more";
    case MUSTER_INVAL:
        return "core/TARGETS.md has the grammar of targets";
    default:
        return NULL;
    }
}

static const char *hint_of(muster_status status)
{
    switch (status) {
    case MUSTER_NOTFOUND:
        return "is the name spelt right, and known where it is asked for?";
    case MUSTER_TIMEOUT:
        return "raise --max-time, or see whether the source answers at all";
    case MUSTER_UNAVAILABLE:
    case MUSTER_REFUSED:
        return "see whether the source runs, and can be reached from here";
    case MUSTER_PERMISSION:
        return "see who may ask, and the token";
    case MUSTER_INVAL:
    case MUSTER_PROTOCOL:
        return "correct what it answers";
    default:
        return NULL;
    }
}

static void report_failure(doctor *self, muster_status status,
                           const char *message)
{
    doctor_report(self, VERDICT_FAILURE, "resolve", self->settings->target,
                  hint_of(status), "%s",
                  message == NULL ? muster_status_text(status) : message);
}

static void report_answer(doctor *self, const answer *found, uint64_t took_ms)
{
    const size_t n = json_array_size(found->endpoints);
    plugin_search search;

    if (found->type == MUSTER_WATCH_ERROR) {
        report_failure(self, found->status, json_string_value(found->message));
        return;
    }
    find_plugin(self->settings->target, &search);
    if (n == 0) {
        doctor_report(self, VERDICT_FAILURE, "resolve", self->settings->target,
                      "no call can succeed: are the instances healthy?",
                      "the source answers, and lists no endpoint (%s)",
                      search.found);
        return;
    }
    doctor_report(self, VERDICT_OK, "resolve", self->settings->target, NULL,
                  "%zu endpoint%s in %llu ms (%s)", n, n == 1 ? "" : "s",
                  (unsigned long long)took_ms, search.found);
    check_addresses(self, found->endpoints);
}

void doctor_check_target(doctor *self)
{
    const uint64_t begin_ms = listener_now_ms();
    listener *source = NULL;
    answer *found = NULL;
    muster_error err;
    muster_status status =
        listener_create(self->settings->target, &source, &err);

    if (status != MUSTER_OK) {
        doctor_report(self, VERDICT_FAILURE, "resolve", self->settings->target,
                      hint_of_refusal(status), "%s", err.message);
        return;
    }
    status =
        listener_next(source, begin_ms + self->settings->timeout_ms, &found);
    if (status != MUSTER_OK) {
        report_failure(self, status, NULL);
    } else {
        report_answer(self, found, listener_now_ms() - begin_ms);
    }
    answer_destroy(found);
    listener_destroy(source);
}
