/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the list of what is known. */
#include "instance.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extras.h"
#include "shares.h"

/* "[ADDRESS]:PORT" */
enum { TEXT_SIZE = INET6_ADDRSTRLEN + 8 };

/* A reply of 64 KiB may have 3 000 services at one name, which has 4 000
 * addresses: nobody means that. */
enum { ENDPOINTS_MAX = 65536 };

struct muster__dns_endpoint_text {
    char text[TEXT_SIZE];
};

typedef struct muster__dns_endpoint_text endpoint_text;

/* Addresses on their way into a list. */
typedef struct builder {
    muster__dns_endpoints list;
    size_t size;
    size_t n_texts;
    size_t n_more;
} builder;

static muster_status init_builder(builder *made, size_t size)
{
    if (size > ENDPOINTS_MAX) {
        return MUSTER_EXHAUSTED;
    }
    *made = (builder){.size = size};
    made->list.items = calloc(size + 1, sizeof *made->list.items);
    made->list.texts = calloc(size + 1, sizeof *made->list.texts);
    made->list.more = calloc(size + 1, sizeof *made->list.more);
    if (made->list.items == NULL || made->list.texts == NULL ||
        made->list.more == NULL) {
        muster__dns_endpoints_free(&made->list);
        return MUSTER_NOMEM;
    }
    return MUSTER_OK;
}

static const char *write_text(builder *made, const muster__dns_address *address,
                              const char *port)
{
    endpoint_text *text = &made->list.texts[made->n_texts++];
    bool is_ipv4 = address->size == 4;
    char digits[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->bytes, digits,
                    sizeof digits);
    (void)snprintf(text->text, sizeof text->text, is_ipv4 ? "%s:%s" : "[%s]:%s",
                   digits, port);
    return text->text;
}

static void add(builder *made, const muster__dns_address *address,
                const char *port)
{
    made->list.items[made->list.n++] =
        (muster_endpoint){.address = write_text(made, address, port)};
}

/* ---- a name: each address is an endpoint ---- */

static muster_status make_of_hosts(const muster__dns_instance *self,
                                   muster__dns_endpoints *ret)
{
    builder made;
    muster_status status = init_builder(&made, self->n_hosts);

    for (size_t i = 0; status == MUSTER_OK && i < self->n_hosts; i++) {
        add(&made, &self->hosts[i], self->name.port);
    }
    if (status == MUSTER_OK) {
        *ret = made.list;
    }
    return status;
}

static size_t count_of(const muster__dns_entry *entry)
{
    size_t n = 0;

    for (size_t i = 0; i < entry->n; i++) {
        const muster__dns_answer *answer = muster__dns_entry_answer(entry, i);

        n += answer != NULL ? answer->n : 0;
    }
    return n;
}

static void add_entry(builder *made, const muster__dns_entry *entry,
                      const char *port)
{
    for (size_t i = 0; i < entry->n; i++) {
        const muster__dns_answer *answer = muster__dns_entry_answer(entry, i);

        for (size_t k = 0; answer != NULL && k < answer->n; k++) {
            add(made, &answer->addresses[k], port);
        }
    }
}

static muster_status make_of_name(const muster__dns_instance *self,
                                  const muster__dns_entry *entry,
                                  muster__dns_endpoints *ret)
{
    builder made;
    muster_status status = init_builder(&made, count_of(entry));

    if (status == MUSTER_OK) {
        add_entry(&made, entry, self->name.port);
        *ret = made.list;
    }
    return status;
}

/* ---- services ---- */

static int compare(const void *left, const void *right)
{
    const muster_endpoint *a = left;
    const muster_endpoint *b = right;
    int order = strcmp(a->address, b->address);

    if (order != 0) {
        return order;
    }
    if (a->priority != b->priority) {
        return a->priority < b->priority ? -1 : 1;
    }
    return (a->weight > b->weight) - (a->weight < b->weight);
}

/* Calls fn with the addresses that came along with service i; and with those
 * that did formerly, of a family whose question was not answered yet. */
static void each_extra(const muster__dns_instance *self, size_t i,
                       void (*fn)(void *arg, const muster__dns_extra *extra),
                       void *arg)
{
    const muster__dns_entry *target = &self->targets[i];
    const char *name = self->services->services[i].target;
    size_t n = 0;
    const muster__dns_extra *extras =
        muster__dns_extras_find(self->services, name, &n);

    for (size_t k = 0; k < n; k++) {
        fn(arg, &extras[k]);
    }
    if (self->former == NULL) {
        return;
    }
    extras = muster__dns_extras_find(self->former, name, &n);
    for (size_t k = 0; k < n; k++) {
        if (muster__dns_entry_lacks(target, extras[k].address.size == 4
                                                ? MUSTER__DNS_A
                                                : MUSTER__DNS_AAAA)) {
            fn(arg, &extras[k]);
        }
    }
}

static void count_one(void *arg, const muster__dns_extra *extra)
{
    (void)extra;
    ++*(size_t *)arg;
}

size_t muster__dns_extras_count(const muster__dns_instance *self, size_t i)
{
    size_t n = 0;

    each_extra(self, i, count_one, &n);
    return n;
}

static size_t count_services(const muster__dns_instance *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->n_targets; i++) {
        n += muster__dns_extras_count(self, i) + count_of(&self->targets[i]);
    }
    return n;
}

/* A server may say an address twice (knot does, of a target that two services
 * have), and shares are counted by addresses. */
static void drop_repeats(builder *made, size_t first)
{
    muster_endpoint *items = &made->list.items[first];
    size_t n = made->list.n - first;
    size_t kept = 0;

    qsort(items, n, sizeof *items, compare);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(items[i].address, items[i - 1].address) != 0) {
            items[kept++] = items[i];
        }
    }
    made->list.n = first + kept;
}

/* One address of each family: a dual-stack host, which is one endpoint with two
 * addresses (gRFC A61). IPv6 is tried first (RFC 6724 section 2.1, RFC 8305).
 */
static void merge_pair(builder *made, size_t first)
{
    muster_endpoint *items = &made->list.items[first];
    bool is_reversed;

    if (made->list.n - first != 2 ||
        (items[0].address[0] == '[') == (items[1].address[0] == '[')) {
        return;
    }
    is_reversed = items[0].address[0] != '[';
    made->list.more[made->n_more] = items[is_reversed ? 0 : 1].address;
    items[0].address = items[is_reversed ? 1 : 0].address;
    items[0].more_addresses = &made->list.more[made->n_more++];
    items[0].n_more_addresses = 1;
    made->list.n--;
}

typedef struct adding {
    builder *made;
    const char *port;
} adding;

static void add_extra(void *arg, const muster__dns_extra *extra)
{
    const adding *to = arg;

    add(to->made, &extra->address, to->port);
}

static void add_service(const muster__dns_instance *self, size_t i,
                        builder *made)
{
    const muster__dns_service *service = &self->services->services[i];
    char port[MUSTER__DNS_PORT_SIZE];
    size_t first = made->list.n;
    adding extra = {.made = made, .port = port};

    (void)snprintf(port, sizeof port, "%u", (unsigned)service->port);
    each_extra(self, i, add_extra, &extra);
    add_entry(made, &self->targets[i], port);
    drop_repeats(made, first);
    merge_pair(made, first);
}

static void set_weights(const muster__dns_instance *self,
                        muster__dns_share *shares, builder *made)
{
    size_t at = 0;

    muster__dns_shares_set(shares, self->n_targets);
    for (size_t i = 0; i < self->n_targets; i++) {
        for (uint32_t k = 0; k < shares[i].n; k++, at++) {
            made->list.items[at].weight = shares[i].ret_each;
            made->list.items[at].priority = shares[i].priority;
        }
    }
}

static muster_status make_of_services(const muster__dns_instance *self,
                                      muster__dns_endpoints *ret)
{
    muster__dns_share *shares = calloc(self->n_targets + 1, sizeof *shares);
    builder made;
    muster_status status = shares == NULL
                               ? MUSTER_NOMEM
                               : init_builder(&made, count_services(self));

    for (size_t i = 0; status == MUSTER_OK && i < self->n_targets; i++) {
        size_t before = made.list.n;

        add_service(self, i, &made);
        shares[i].priority = self->services->services[i].priority;
        shares[i].weight = self->services->services[i].weight;
        shares[i].n = (uint32_t)(made.list.n - before);
    }
    if (status == MUSTER_OK) {
        set_weights(self, shares, &made);
        *ret = made.list;
    }
    free(shares);
    return status;
}

/* ---- either ---- */

muster_status muster__dns_endpoints_make(const muster__dns_instance *self,
                                         const muster__dns_view *view,
                                         muster__dns_endpoints *ret)
{
    muster__dns_endpoints list = {.n = 0};
    muster_status status;

    if (view->outcome != MUSTER__DNS_ANSWER) {
        *ret = list;
        return MUSTER_OK;
    }
    if (view->chosen == NULL) {
        status = make_of_hosts(self, &list);
    } else if (self->n_targets > 0) {
        status = make_of_services(self, &list);
    } else {
        status = make_of_name(self, view->chosen, &list);
    }
    if (status == MUSTER_OK) {
        qsort(list.items, list.n, sizeof *list.items, compare);
        *ret = list;
    }
    return status;
}

void muster__dns_endpoints_free(muster__dns_endpoints *endpoints)
{
    free(endpoints->items);
    free(endpoints->texts);
    free(endpoints->more);
    *endpoints = (muster__dns_endpoints){.n = 0};
}
