/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a dns_server's rules. Its caller has the lock. */
#ifndef MUSTER_TESTS_DNS_RULES_H
#define MUSTER_TESTS_DNS_RULES_H

#include "dns_server.h"

/* The oldest first; zeroed is empty. */
typedef struct dns_rules {
    dns_rule *rules;
    size_t n;
    size_t capacity;
} dns_rules;

void dns_rules_fini(dns_rules *self);

/* Copies the rule. */
void dns_rules_put(dns_rules *self, const dns_rule *rule);
void dns_rules_remove(dns_rules *self, const char *name, uint16_t type,
                      dns_transport transport);

/* The newest that matches; NULL when there is none. Valid until the table is
 * changed. */
const dns_rule *dns_rules_find(const dns_rules *self, const char *name,
                               uint16_t type, dns_transport transport);

/* The rule, which find() returned, was followed once. */
void dns_rules_spend(dns_rules *self, const dns_rule *rule);

/* Whether two names are the same but for case and a last dot. */
bool dns_names_are_equal(const char *a, const char *b);

#endif
