/* SPDX-License-Identifier: Apache-2.0 */
/* What a dns_server was asked. Its caller has the lock. */
#ifndef MUSTER_TESTS_DNS_JOURNAL_H
#define MUSTER_TESTS_DNS_JOURNAL_H

#include "dns_server.h"

/* Zeroed is empty. */
typedef struct dns_journal {
    dns_query *queries;
    size_t n;
    size_t capacity;
} dns_journal;

void dns_journal_fini(dns_journal *self);

/* With the time that it is. */
void dns_journal_add(dns_journal *self, const dns_question *question,
                     dns_transport transport);

size_t dns_journal_count(const dns_journal *self, const char *name,
                         uint16_t type, dns_transport transport);

/* NULL when there is none. */
const dns_query *dns_journal_find(const dns_journal *self, const char *name,
                                  uint16_t type, size_t index);

#endif
