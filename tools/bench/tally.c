/* SPDX-License-Identifier: Apache-2.0 */
/* Counts calls by status and by endpoint. */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

#include "../call/request.h"

void tally_init(tally *self)
{
    memset(self, 0, sizeof *self);
    self->places = json_object();
    self->is_out_of_memory = self->places == NULL;
}

void tally_release(tally *self)
{
    for (size_t i = 0; i < self->n_endpoints; i++) {
        free(self->endpoints[i]->address);
        free(self->endpoints[i]);
    }
    for (size_t i = 0; i < MUSTER__N_STATUS_CODES; i++) {
        free(self->statuses[i].example);
    }
    free(self->endpoints);
    json_decref(self->places);
}

/* ---- endpoints ---- */

static bool make_room(tally *self)
{
    tally_endpoint **grown;

    if ((self->n_endpoints & (self->n_endpoints - 1)) != 0) {
        return true; /* there is room up to the next power of two */
    }
    grown = realloc(self->endpoints,
                    (self->n_endpoints * 2 + 1) * sizeof(tally_endpoint *));
    if (grown == NULL) {
        return false;
    }
    self->endpoints = grown;
    return true;
}

static tally_endpoint *create_endpoint(const char *address)
{
    tally_endpoint *endpoint = calloc(1, sizeof *endpoint);

    if (endpoint == NULL || address == NULL) {
        return endpoint;
    }
    endpoint->address = strdup(address);
    if (endpoint->address == NULL) {
        free(endpoint);
        return NULL;
    }
    return endpoint;
}

/* No address has the key "". NULL: out of memory. */
static tally_endpoint *find_endpoint(tally *self, const char *address)
{
    const char *key = address == NULL ? "" : address;
    const json_t *place = json_object_get(self->places, key);
    tally_endpoint *endpoint;

    if (place != NULL) {
        return self->endpoints[json_integer_value(place)];
    }
    endpoint = make_room(self) ? create_endpoint(address) : NULL;
    if (endpoint == NULL ||
        json_object_set_new_nocheck(
            self->places, key, json_integer((json_int_t)self->n_endpoints)) !=
            0) {
        self->is_out_of_memory = true;
        free(endpoint == NULL ? NULL : endpoint->address);
        free(endpoint);
        return NULL;
    }
    self->endpoints[self->n_endpoints++] = endpoint;
    return endpoint;
}

/* ---- statuses ---- */

static tally_status *find_status(tally *self, int code)
{
    return &self->statuses[code >= 0 && code < MUSTER__N_STATUS_CODES
                               ? code
                               : GRPC_STATUS_UNKNOWN];
}

static void keep_example(tally *self, tally_status *status, const char *message)
{
    if (status->example == NULL && message != NULL) {
        status->example = strdup(message);
        self->is_out_of_memory |= status->example == NULL;
    }
}

/* ---- calls ---- */

void tally_add(tally *self, const char *target, const char *peer,
               const muster_call_result *result, uint64_t duration_ns)
{
    const bool is_ok = result->status == GRPC_STATUS_OK;
    tally_status *status = find_status(self, (int)result->status);
    tally_endpoint *endpoint = find_endpoint(self, peer);

    self->n_calls++;
    self->n_attempts += result->n_attempts;
    status->n_calls++;
    if (endpoint != NULL) {
        endpoint->n_calls++;
        endpoint->n_errors += is_ok ? 0 : 1;
    }
    if (!is_ok) {
        keep_example(self, status, request_reason(target, result));
        return;
    }
    self->n_ok++;
    latency_add(&self->latency, duration_ns);
    if (endpoint != NULL) {
        latency_add(&endpoint->latency, duration_ns);
    }
}

static void merge_endpoint(tally *self, const tally_endpoint *other)
{
    tally_endpoint *endpoint = find_endpoint(self, other->address);

    if (endpoint != NULL) {
        endpoint->n_calls += other->n_calls;
        endpoint->n_errors += other->n_errors;
        latency_merge(&endpoint->latency, &other->latency);
    }
}

void tally_merge(tally *self, const tally *other)
{
    self->n_calls += other->n_calls;
    self->n_ok += other->n_ok;
    self->n_attempts += other->n_attempts;
    self->is_out_of_memory |= other->is_out_of_memory;
    latency_merge(&self->latency, &other->latency);
    for (size_t i = 0; i < MUSTER__N_STATUS_CODES; i++) {
        self->statuses[i].n_calls += other->statuses[i].n_calls;
        keep_example(self, &self->statuses[i], other->statuses[i].example);
    }
    for (size_t i = 0; i < other->n_endpoints; i++) {
        merge_endpoint(self, other->endpoints[i]);
    }
}

static int compare(const void *left, const void *right)
{
    const char *a = (*(tally_endpoint *const *)left)->address;
    const char *b = (*(tally_endpoint *const *)right)->address;

    if (a == NULL || b == NULL) {
        return (a == NULL) - (b == NULL);
    }
    return strcmp(a, b);
}

void tally_sort(tally *self)
{
    if (self->n_endpoints > 0) {
        qsort(self->endpoints, self->n_endpoints, sizeof *self->endpoints,
              compare);
    }
    (void)json_object_clear(self->places); /* the indexes are of before */
}
