/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps copies of rules and finds the one for a query. */
#include "dns_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns_memory.h"

enum { MAX_RULES = 4096 };

static size_t length_of(const char *name)
{
    const size_t n = strlen(name);

    return n > 0 && name[n - 1] == '.' ? n - 1 : n;
}

bool dns_names_are_equal(const char *a, const char *b)
{
    const size_t n = length_of(a);

    return n == length_of(b) && strncasecmp(a, b, n) == 0;
}

/* ---- copies ---- */

static void *copy_bytes(const void *bytes, size_t n)
{
    void *copy;

    if (bytes == NULL) {
        return NULL;
    }
    copy = dns_allocate(n);
    memcpy(copy, bytes, n);
    return copy;
}

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : copy_bytes(text, strlen(text) + 1);
}

static dns_record *copy_records(const dns_record *records, size_t n)
{
    dns_record *copies = dns_allocate(n * sizeof *copies);

    for (size_t i = 0; i < n; i++) {
        copies[i] = records[i];
        copies[i].owner = copy_text(records[i].owner);
        copies[i].text = copy_text(records[i].text);
        copies[i].raw = copy_bytes(records[i].raw, records[i].raw_size);
    }
    return copies;
}

static dns_rule copy_rule(const dns_rule *rule)
{
    dns_rule copy = *rule;

    copy.name = copy_text(rule->name);
    copy.records = copy_records(rule->records, rule->n_records);
    copy.bytes = copy_bytes(rule->bytes, rule->n_bytes);
    return copy;
}

/* A copy's memory is ours, whatever its fields say. */
static void free_const(const void *memory)
{
    free((void *)(size_t)memory);
}

static void free_rule(dns_rule *rule)
{
    for (size_t i = 0; i < rule->n_records; i++) {
        free_const(rule->records[i].owner);
        free_const(rule->records[i].text);
        free_const(rule->records[i].raw);
    }
    free_const(rule->name);
    free_const(rule->records);
    free_const(rule->bytes);
}

/* ---- the table ---- */

void dns_rules_fini(dns_rules *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free_rule(&self->rules[i]);
    }
    free(self->rules);
    memset(self, 0, sizeof *self);
}

static void remove_at(dns_rules *self, size_t index)
{
    free_rule(&self->rules[index]);
    self->n--;
    memmove(&self->rules[index], &self->rules[index + 1],
            (self->n - index) * sizeof *self->rules);
}

static bool has_key(const dns_rule *rule, const char *name, uint16_t type,
                    dns_transport transport)
{
    if (rule->type != type || rule->transport != transport) {
        return false;
    }
    if (rule->name == NULL || name == NULL) {
        return rule->name == name;
    }
    return dns_names_are_equal(rule->name, name);
}

/* Where a rule goes: what it replaces is gone, and those with times that were
 * put over that stay over it. */
static size_t make_place(dns_rules *self, const dns_rule *rule)
{
    size_t place = self->n;

    while (rule->times == 0 && place > 0 && self->rules[place - 1].times > 0 &&
           has_key(&self->rules[place - 1], rule->name, rule->type,
                   rule->transport)) {
        place--;
    }
    for (size_t i = place; rule->times == 0 && i-- > 0;) {
        if (self->rules[i].times == 0 &&
            has_key(&self->rules[i], rule->name, rule->type, rule->transport)) {
            remove_at(self, i);
            place--;
        }
    }
    return place;
}

void dns_rules_put(dns_rules *self, const dns_rule *rule)
{
    const dns_rule copy = copy_rule(rule);
    const size_t place = make_place(self, rule);

    if (self->n == MAX_RULES) {
        (void)fprintf(stderr, "dns_server: over %d rules\n", MAX_RULES);
        abort();
    }
    self->rules =
        dns_grow(self->rules, self->n, &self->capacity, sizeof *self->rules);
    memmove(&self->rules[place + 1], &self->rules[place],
            (self->n - place) * sizeof *self->rules);
    self->rules[place] = copy;
    self->n++;
}

void dns_rules_remove(dns_rules *self, const char *name, uint16_t type,
                      dns_transport transport)
{
    for (size_t i = self->n; i-- > 0;) {
        if (has_key(&self->rules[i], name, type, transport)) {
            remove_at(self, i);
        }
    }
}

static bool matches(const dns_rule *rule, const char *name, uint16_t type,
                    dns_transport transport)
{
    return (rule->name == NULL || dns_names_are_equal(rule->name, name)) &&
           (rule->type == 0 || rule->type == type) &&
           (rule->transport == DNS_ANY_TRANSPORT ||
            rule->transport == transport);
}

const dns_rule *dns_rules_find(const dns_rules *self, const char *name,
                               uint16_t type, dns_transport transport)
{
    for (size_t i = self->n; i-- > 0;) {
        if (matches(&self->rules[i], name, type, transport)) {
            return &self->rules[i];
        }
    }
    return NULL;
}

void dns_rules_spend(dns_rules *self, const dns_rule *rule)
{
    const size_t index = (size_t)(rule - self->rules);

    if (rule->times > 0 && --self->rules[index].times == 0) {
        remove_at(self, index);
    }
}
