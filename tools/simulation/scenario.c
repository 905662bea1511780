/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a scenario from JSON. */
#include "scenario.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"

#define MS_NS UINT64_C(1000000)
#define S_NS UINT64_C(1000000000)
#define SERVERS_MAX 100000
#define CLIENTS_MAX 1000
#define CALLS_MAX 50e6 /* each is remembered: these are gigabytes */

/* ---- servers ---- */

static void read_server(fields *from, scenario_server *server, uint32_t *ret_n)
{
    static const char *const distributions[] = {"uniform", "exponential"};
    unsigned distribution = server->distribution;
    const char *zone;

    fields_integer(from, "count", SERVERS_MAX, ret_n);
    fields_time(from, "serviceMs", MS_NS, &server->service_ns);
    fields_time(from, "extraMs", MS_NS, &server->extra_ns);
    fields_number(from, "spread", 0, 1, &server->spread);
    fields_number(from, "speed", 1e-6, 1e6, &server->speed);
    fields_number(from, "errors", 0, 1, &server->errors);
    fields_choice(from, "distribution", distributions, 2, &distribution);
    fields_integer(from, "slots", UINT32_MAX, &server->slots);
    fields_integer(from, "weight", UINT32_MAX, &server->weight);
    fields_integer(from, "priority", UINT32_MAX, &server->priority);
    fields_bool(from, "listed", &server->is_listed);
    server->distribution = (scenario_distribution)distribution;
    zone = fields_text(from, "zone");
    if (zone != NULL && strlen(zone) >= sizeof server->zone) {
        fields_refuse(from, "zone", "shorter");
    } else if (zone != NULL) {
        strcpy(server->zone, zone);
    }
}

/* Adds n copies of one. */
static void add_servers(scenario *self, mistake *first,
                        const scenario_server *server, uint32_t n)
{
    scenario_server *more;

    if (first->status != MUSTER_OK || n == 0) {
        return;
    }
    if (self->n_servers + n > SERVERS_MAX) {
        first->status =
            muster_error_set(first->err, MUSTER_INVAL,
                             "$.endpoints: must be at most %d", SERVERS_MAX);
        return;
    }
    more = realloc(self->servers, (self->n_servers + n) * sizeof *more);
    if (more == NULL) {
        first->status = MUSTER_NOMEM;
        return;
    }
    self->servers = more;
    for (uint32_t i = 0; i < n; i++) {
        self->servers[self->n_servers++] = *server;
    }
}

static void read_servers(scenario *self, fields *root)
{
    static const scenario_server usual = {
        .service_ns = MS_NS, .speed = 1, .is_listed = true};
    const json_t *array = fields_get(root, "endpoints");

    if (!json_is_array(array) || json_array_size(array) == 0) {
        fields_refuse(root, "endpoints", "an array, not empty");
        return;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        fields from = fields_open(root->mistake, json_array_get(array, i), "$",
                                  "endpoints", (int)i);
        scenario_server server = usual;
        uint32_t n = 1;

        read_server(&from, &server, &n);
        fields_close(&from);
        add_servers(self, root->mistake, &server, n);
    }
    if (self->n_servers == 0) {
        fields_refuse(root, "endpoints", "at least 1, all counts together");
    }
}

/* ---- changes ---- */

static void read_change(const scenario *self, fields *from,
                        scenario_change *change)
{
    static const char *const states[] = {"same", "up",     "down",
                                         "hung", "listed", "gone"};
    unsigned state = SCENARIO_SAME;

    fields_time(from, "atS", S_NS, &change->at_ns);
    fields_time(from, "everyS", S_NS, &change->every_ns);
    fields_time(from, "rampS", S_NS, &change->ramp_ns);
    fields_time(from, "extraMs", MS_NS, &change->extra_ns);
    fields_number(from, "speed", 1e-6, 1e6, &change->speed);
    fields_number(from, "errors", 0, 1, &change->errors);
    fields_choice(from, "state", states, sizeof states / sizeof *states,
                  &state);
    fields_integer(from, "first", (uint32_t)(self->n_servers - 1),
                   &change->first);
    fields_integer(from, "count", (uint32_t)self->n_servers, &change->n);
    change->state = (scenario_state)state;
    if (change->n > self->n_servers - change->first) {
        fields_refuse(from, "count", "no more than the endpoints there are");
    }
    if (change->every_ns < MS_NS &&
        json_number_value(json_object_get(from->object, "everyS")) > 0) {
        fields_refuse(from, "everyS", "at least 0.001, or 0: once");
    }
}

static void read_changes(scenario *self, fields *root)
{
    const json_t *array = fields_get(root, "changes");
    size_t n = json_array_size(array);

    if (array != NULL && !json_is_array(array)) {
        fields_refuse(root, "changes", "an array");
    }
    if (root->mistake->status != MUSTER_OK || n == 0) {
        return;
    }
    self->changes = calloc(n, sizeof *self->changes);
    if (self->changes == NULL) {
        root->mistake->status = MUSTER_NOMEM;
        return;
    }
    for (; self->n_changes < n; self->n_changes++) {
        scenario_change *change = &self->changes[self->n_changes];
        fields from =
            fields_open(root->mistake, json_array_get(array, self->n_changes),
                        "$", "changes", (int)self->n_changes);

        *change =
            (scenario_change){.n = 1, .extra_ns = SCENARIO_NEVER, .errors = -1};
        read_change(self, &from, change);
        fields_close(&from);
    }
}

/* ---- rates ---- */

static void read_rate(fields *root, const json_t *value, int i,
                      scenario_rate *rate)
{
    fields from = fields_open(root->mistake, value, "$", "rate", i);

    fields_time(&from, "atS", S_NS, &rate->at_ns);
    fields_number(&from, "perSecond", 0, 1e9, &rate->per_s);
    fields_close(&from);
    if (i > 0 && rate->at_ns < rate[-1].at_ns) {
        fields_refuse(&from, "atS", "later than the one before");
    }
}

/* A number, or an array of numbers with times. */
static void read_rates(scenario *self, fields *root)
{
    const json_t *value = fields_get(root, "rate");
    size_t n = json_is_array(value) ? json_array_size(value) : 1;

    self->rates = calloc(n + 1, sizeof *self->rates);
    if (self->rates == NULL) {
        root->mistake->status = MUSTER_NOMEM;
        return;
    }
    self->n_rates = n == 0 ? 1 : n;
    if (json_is_array(value)) {
        for (size_t i = 0; i < n; i++) {
            read_rate(root, json_array_get(value, i), (int)i, &self->rates[i]);
        }
        return;
    }
    fields_number(root, "rate", 0, 1e9, &self->rates[0].per_s);
    if (value == NULL) {
        fields_refuse(root, "rate", "there: calls a second");
    }
}

/* How many calls are to be expected. */
static double count_calls(const scenario *self)
{
    double n = 0;

    for (size_t i = 0; i < self->n_rates; i++) {
        uint64_t begin_ns = self->rates[i].at_ns;
        uint64_t end_ns = self->duration_ns;

        if (i + 1 < self->n_rates && self->rates[i + 1].at_ns < end_ns) {
            end_ns = self->rates[i + 1].at_ns;
        }
        if (begin_ns < end_ns) {
            n += self->rates[i].per_s * (double)(end_ns - begin_ns) / 1e9;
        }
    }
    return n;
}

/* ---- all of it ---- */

static void read_policies(scenario *self, fields *root)
{
    const json_t *value = fields_get(root, "policies");

    if (value != NULL && !json_is_array(value)) {
        fields_refuse(root, "policies", "an array");
    } else if (value != NULL) {
        self->policies = json_deep_copy(value);
    }
}

static void read_about(scenario *self, fields *root)
{
    const char *about = fields_text(root, "about");

    self->about = strdup(about == NULL ? "" : about);
    if (self->about == NULL) {
        root->mistake->status = MUSTER_NOMEM;
    }
}

static void read_all(scenario *self, fields *root)
{
    uint32_t seed = 1;

    read_about(self, root);
    fields_integer(root, "seed", UINT32_MAX, &seed);
    self->seed = seed;
    fields_integer(root, "clients", CLIENTS_MAX, &self->n_clients);
    fields_integer(root, "keys", UINT32_MAX, &self->n_keys);
    fields_time(root, "durationS", S_NS, &self->duration_ns);
    fields_time(root, "deadlineMs", MS_NS, &self->deadline_ns);
    fields_time(root, "connectMs", MS_NS, &self->connect_ns);
    read_servers(self, root);
    read_changes(self, root);
    read_rates(self, root);
    read_policies(self, root);
    fields_close(root);
    if (self->n_clients == 0) {
        fields_refuse(root, "clients", "at least 1");
    }
    if (self->duration_ns == 0) {
        fields_refuse(root, "durationS", "more than 0");
    }
    if (count_calls(self) > CALLS_MAX) {
        fields_refuse(root, "rate",
                      "less: no more than 50 million calls within durationS");
    }
}

muster_status scenario_parse(const char *text, size_t size,
                             scenario *ret_scenario, muster_error *err)
{
    scenario self = {.n_clients = 1,
                     .duration_ns = 60 * S_NS,
                     .deadline_ns = SCENARIO_NEVER,
                     .connect_ns = MS_NS};
    mistake first = {.status = MUSTER_OK, .err = err};
    json_error_t where;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    fields root;

    if (value == NULL) {
        return muster_error_set(err, MUSTER_INVAL, "line %d, column %d: %s",
                                where.line, where.column, where.text);
    }
    root = fields_open(&first, value, "$", NULL, -1);
    read_all(&self, &root);
    json_decref(value);
    if (first.status != MUSTER_OK) {
        scenario_release(&self);
        return first.status == MUSTER_NOMEM
                   ? muster_error_set(err, MUSTER_NOMEM, "out of memory")
                   : first.status;
    }
    *ret_scenario = self;
    return MUSTER_OK;
}

void scenario_release(scenario *self)
{
    free(self->about);
    free(self->servers);
    free(self->changes);
    free(self->rates);
    json_decref(self->policies);
}
