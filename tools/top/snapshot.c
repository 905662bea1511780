/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what the admin socket answers. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "../clean.h"

/* ---- members ---- */

/* A copy, fit for a terminal; NULL when the member is no string or there is no
 * memory, and then *failed is set for the latter. */
static char *text_of(const json_t *object, const char *key, bool *failed)
{
    const char *text = json_string_value(json_object_get(object, key));
    char *copy = text == NULL ? NULL : strdup(text);

    if (copy != NULL) {
        clean_text(copy);
    } else if (text != NULL) {
        *failed = true;
    }
    return copy;
}

/* 0 when there is none. None is negative, so that differences fit. */
static int64_t number_of(const json_t *object, const char *key)
{
    const int64_t number = json_integer_value(json_object_get(object, key));

    return number > 0 ? number : 0;
}

/* One of which sums fit, whatever the other side says. */
static int64_t small_number_of(const json_t *object, const char *key)
{
    const int64_t number = number_of(object, key);

    return number < UINT32_MAX ? number : UINT32_MAX;
}

static bool flag_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* ---- endpoints ---- */

/* What matters of its state in one word. */
static char *endpoint_state(const json_t *json, bool *failed)
{
    const char *word = NULL;
    char *copy;

    if (json_is_false(json_object_get(json, "listed")) &&
        !flag_of(json, "held")) {
        word = "DRAINING";
    } else if (flag_of(json, "ejected")) {
        word = "EJECTED";
    }
    if (word == NULL) {
        return text_of(json, "state", failed);
    }
    copy = strdup(word);
    *failed = *failed || copy == NULL;
    return copy;
}

/* One that is not UTF-8 is told as null. */
static char *endpoint_address(const json_t *json, bool *failed)
{
    char *address = text_of(json, "address", failed);

    if (address == NULL && !*failed) {
        address = strdup("?");
        *failed = address == NULL;
    }
    return address;
}

static void read_endpoint(const json_t *json, top_endpoint *self, bool *failed)
{
    *self =
        (top_endpoint){.id = number_of(json, "id"),
                       .address = endpoint_address(json, failed),
                       .state = endpoint_state(json, failed),
                       .reason = text_of(json, "last_failure", failed),
                       .weight = number_of(json, "weight"),
                       .in_flight = small_number_of(json, "in_flight"),
                       .calls = number_of(json, "calls"),
                       .backoff_left_ms = number_of(json, "backoff_left_ms"),
                       .rate = TOP_NO_RATE,
                       .share = TOP_NO_RATE};
}

static void endpoint_fini(top_endpoint *self)
{
    free(self->address);
    free(self->state);
    free(self->reason);
}

/* ---- targets ---- */

static void target_fini(top_target *self)
{
    for (size_t i = 0; i < self->n_endpoints; i++) {
        endpoint_fini(&self->endpoints[i]);
    }
    free(self->endpoints);
    free(self->name);
    free(self->state);
    free(self->policy);
    free(self->failure);
}

static void count_in(top_target *self, const top_endpoint *endpoint)
{
    self->n_ready += strcmp(endpoint->state, "READY") == 0;
    self->n_listed += strcmp(endpoint->state, "DRAINING") != 0;
    self->in_flight += endpoint->in_flight;
}

static muster_status out_of_memory(muster_error *err)
{
    return muster_error_set(err, MUSTER_NOMEM, "out of memory");
}

static muster_status read_endpoints(const json_t *list, top_target *self,
                                    muster_error *err)
{
    size_t index;
    json_t *json;
    bool failed = false;

    self->endpoints =
        calloc(json_array_size(list) + 1, sizeof *self->endpoints);
    if (self->endpoints == NULL) {
        return out_of_memory(err);
    }
    json_array_foreach(list, index, json)
    {
        top_endpoint *endpoint = &self->endpoints[self->n_endpoints++];

        read_endpoint(json, endpoint, &failed);
        if (failed) {
            return out_of_memory(err);
        }
        if (endpoint->state == NULL) {
            return muster_error_set(err, MUSTER_PROTOCOL,
                                    "endpoint %zu of %s has no state",
                                    index + 1, self->name);
        }
        count_in(self, endpoint);
    }
    return MUSTER_OK;
}

static void read_list(const json_t *list, top_target *self, bool *failed)
{
    self->has_list = json_is_object(list);
    self->is_stale = flag_of(list, "stale");
    self->is_held = flag_of(list, "held");
    self->age_ms = number_of(list, "age_ms");
    self->failure = text_of(list, "failure", failed);
}

static muster_status read_target(const json_t *json, top_target *self,
                                 muster_error *err)
{
    bool failed = false;

    self->id = number_of(json, "id");
    self->name = text_of(json, "target", &failed);
    self->state = text_of(json, "state", &failed);
    self->policy = text_of(json, "policy", &failed);
    self->rate = TOP_NO_RATE;
    read_list(json_object_get(json, "list"), self, &failed);
    if (failed) {
        return out_of_memory(err);
    }
    if (self->name == NULL || self->state == NULL) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "a channel has no target or no state");
    }
    return read_endpoints(json_object_get(json, "endpoints"), self, err);
}

/* ---- all of it ---- */

static muster_status read_targets(const json_t *channels, top_snapshot *self,
                                  muster_error *err)
{
    size_t index;
    json_t *json;

    self->targets =
        calloc(json_array_size(channels) + 1, sizeof *self->targets);
    if (self->targets == NULL) {
        return out_of_memory(err);
    }
    json_array_foreach(channels, index, json)
    {
        top_target *target = &self->targets[self->n_targets++];
        muster_status status = read_target(json, target, err);

        if (status != MUSTER_OK) {
            return status;
        }
        self->n_endpoints += target->n_endpoints;
        self->n_ready += target->n_ready;
        self->n_listed += target->n_listed;
        self->in_flight += target->in_flight;
    }
    return MUSTER_OK;
}

/* Whether it is an answer at all, and one that we know how to read. */
static muster_status check_answer(const json_t *answer, muster_error *err)
{
    const char *error = json_string_value(json_object_get(answer, "error"));

    if (error != NULL) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "%s", error);
    }
    if (number_of(answer, "schema_version") != 1) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "the answer has no schema_version 1");
    }
    if (!json_is_array(json_object_get(answer, "channels"))) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "the answer has no channels");
    }
    return MUSTER_OK;
}

static muster_status read_answer(const json_t *answer, top_snapshot *self,
                                 muster_error *err)
{
    bool failed = false;

    self->pid = number_of(answer, "pid");
    self->time_ms = number_of(answer, "time_ms");
    self->program = text_of(answer, "program", &failed);
    self->version = text_of(answer, "muster", &failed);
    self->rate = TOP_NO_RATE;
    if (failed) {
        return out_of_memory(err);
    }
    return read_targets(json_object_get(answer, "channels"), self, err);
}

muster_status top_snapshot_parse(const json_t *answer, top_snapshot **ret,
                                 muster_error *err)
{
    muster_status status = check_answer(answer, err);
    top_snapshot *self;

    if (status != MUSTER_OK) {
        return status;
    }
    self = calloc(1, sizeof *self);
    if (self == NULL) {
        return out_of_memory(err);
    }
    status = read_answer(answer, self, err);
    if (status != MUSTER_OK) {
        top_snapshot_destroy(self);
        return status;
    }
    *ret = self;
    return MUSTER_OK;
}

void top_snapshot_destroy(top_snapshot *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->n_targets; i++) {
        target_fini(&self->targets[i]);
    }
    free(self->targets);
    free(self->program);
    free(self->version);
    free(self);
}
