/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the queries in the order in which they came. */
#include "dns_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dns_memory.h"
#include "dns_rules.h"

enum { MAX_QUERIES = 65536 };

void dns_journal_fini(dns_journal *self)
{
    free(self->queries);
    memset(self, 0, sizeof *self);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void dns_journal_add(dns_journal *self, const dns_question *question,
                     dns_transport transport)
{
    dns_query *query;

    if (self->n == MAX_QUERIES) {
        (void)fprintf(stderr, "dns_server: over %d queries\n", MAX_QUERIES);
        abort();
    }
    self->queries = dns_grow(self->queries, self->n, &self->capacity,
                             sizeof *self->queries);
    query = &self->queries[self->n++];
    memcpy(query->name, question->name, sizeof query->name);
    query->type = question->type;
    query->id = question->id;
    query->transport = transport;
    query->time_ns = now_ns();
}

static bool matches(const dns_query *query, const char *name, uint16_t type)
{
    return (type == 0 || query->type == type) &&
           (name == NULL || dns_names_are_equal(query->name, name));
}

size_t dns_journal_count(const dns_journal *self, const char *name,
                         uint16_t type, dns_transport transport)
{
    size_t n = 0;

    for (size_t i = 0; i < self->n; i++) {
        n += matches(&self->queries[i], name, type) &&
             (transport == DNS_ANY_TRANSPORT ||
              self->queries[i].transport == transport);
    }
    return n;
}

const dns_query *dns_journal_find(const dns_journal *self, const char *name,
                                  uint16_t type, size_t index)
{
    for (size_t i = 0; i < self->n; i++) {
        if (matches(&self->queries[i], name, type) && index-- == 0) {
            return &self->queries[i];
        }
    }
    return NULL;
}
