/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy on a fake host counts: numbers by name and labels. */
#include "balancer.h"

#include <stdlib.h>
#include <string.h>

static bool has_label(const balancer_count *of, const muster_attribute *label)
{
    for (size_t i = 0; i < of->n_labels; i++) {
        if (strcmp(of->labels[i].key, label->key) == 0 &&
            strcmp(of->labels[i].value, label->value) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of(const balancer_count *of, const char *name,
                  const muster_attribute *labels, size_t n_labels)
{
    bool is_it = strcmp(of->name, name) == 0;

    for (size_t i = 0; is_it && i < n_labels; i++) {
        is_it = has_label(of, &labels[i]);
    }
    return is_it;
}

static balancer_count *count_create(const char *name,
                                    const muster_attribute *labels, size_t n)
{
    balancer_count *self = calloc(1, sizeof *self);

    if (self == NULL || !testkit_copies_text(name, &self->name) ||
        testkit_copies_attributes(labels, n, &self->labels) != MUSTER_OK) {
        if (self != NULL) {
            free(self->name);
        }
        free(self);
        return NULL;
    }
    self->n_labels = n;
    return self;
}

bool testkit_balancer_count(muster_testkit_balancer *kit, const char *name,
                            const muster_attribute *labels, size_t n_labels,
                            uint64_t delta)
{
    balancer_count *of = kit->counts;

    while (of != NULL &&
           !(of->n_labels == n_labels && is_of(of, name, labels, n_labels))) {
        of = of->next;
    }
    if (of == NULL) {
        of = count_create(name, labels, n_labels);
        if (of == NULL) {
            return false;
        }
        of->next = kit->counts;
        kit->counts = of;
    }
    of->value += delta;
    return true;
}

uint64_t muster_testkit_balancer_get_count(const muster_testkit_balancer *kit,
                                           const char *name,
                                           const muster_attribute *labels,
                                           size_t n_labels)
{
    uint64_t sum = 0;

    for (const balancer_count *of = kit->counts; of != NULL; of = of->next) {
        sum += is_of(of, name, labels, n_labels) ? of->value : 0;
    }
    return sum;
}

void testkit_balancer_fini_counts(muster_testkit_balancer *kit)
{
    while (kit->counts != NULL) {
        balancer_count *next = kit->counts->next;

        free(kit->counts->name);
        free(kit->counts->labels);
        free(kit->counts);
        kit->counts = next;
    }
}
