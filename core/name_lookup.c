/* SPDX-License-Identifier: Apache-2.0 */
/* A host name looked up for a plugin. */
#include "name_lookup.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "endpoint_record.h"
#include "log_internal.h"
#include "loop.h"
#include "resolution.h"
#include "target_internal.h"
#include "timing.h"

#define NAMES_SCHEME "dns"

struct muster__name_lookup {
    muster__subscriber subscriber; /* first: the subscriber is the lookup */
    muster__name_lookup *next;
    muster__name_lookup **list; /* that has it; NULL: it is over */
    const char *who;
    muster__name_lookup_fn fn;
    void *arg;
    muster__timer *timer; /* NULL: it is over */
    char *text;           /* the answer of a numeric one, else the target's */
    bool is_numeric;

    bool is_parsing; /* then a worker has text and the three below */
    muster__target *target;
    muster_status status;
    muster_error error;
};

static size_t n_lookups;

bool muster__name_lookup_is_any(void)
{
    return n_lookups > 0;
}

static void destroy(muster__name_lookup *lookup)
{
    muster__target_destroy(lookup->target);
    muster__timer_destroy(lookup->timer);
    free(lookup->text);
    free(lookup);
    n_lookups--;
}

/* ---- the end ---- */

static void unlink_from_list(muster__name_lookup *lookup)
{
    muster__name_lookup **at = lookup->list;

    while (*at != lookup) {
        at = &(*at)->next;
    }
    *at = lookup->next;
    lookup->list = NULL;
}

/* Its fn is not called any more. The memory stays while the worker or the
 * resolution has it. */
static void end(muster__name_lookup *lookup)
{
    unlink_from_list(lookup);
    muster__timer_destroy(lookup->timer);
    lookup->timer = NULL;
    if (lookup->is_parsing) {
        return;
    }
    if (lookup->subscriber.resolution != NULL) {
        muster__resolution_unsubscribe(&lookup->subscriber);
    } else {
        destroy(lookup);
    }
}

/* It ends before fn is called, which may end the plugin's scope. */
static void finish(muster__name_lookup *lookup, muster_status status,
                   const char *const *addresses, size_t n)
{
    muster__name_lookup_fn fn = lookup->fn;
    void *arg = lookup->arg;
    const char *who = lookup->who;

    end(lookup);
    muster__loop_enter_plugin(who, "a name lookup of the plugin");
    fn(arg, status, addresses, n);
    muster__loop_leave_plugin();
}

/* fn has no place for words. */
static void fail(muster__name_lookup *lookup, muster_status status,
                 const char *message)
{
    muster__log(MUSTER_LOG_DEBUG, "plugin %s: looking up %s: %s", lookup->who,
                lookup->text, message);
    finish(lookup, status, NULL, 0);
}

void muster__name_lookup_cancel_all(muster__name_lookup **list)
{
    while (*list != NULL) {
        end(*list);
    }
}

/* ---- the answer ---- */

/* The numeric host in address; NULL: it has none. */
static const char *host_of(const char *address, size_t *ret_length)
{
    if (strncmp(address, "unix", 4) == 0) {
        return NULL;
    }
    if (*address == '[') {
        *ret_length = strcspn(address + 1, "]");
        return address + 1;
    }
    *ret_length = strcspn(address, ":");
    return address;
}

/* The hosts of an endpoint, from *at on; returns where the next text goes. */
static char *put_hosts(const muster_endpoint *endpoint, const char ***at,
                       char *text)
{
    for (uint32_t i = 0; i <= endpoint->n_more_addresses; i++) {
        size_t length = 0;
        const char *host =
            host_of(muster__endpoint_address(endpoint, i), &length);

        if (host != NULL) {
            memcpy(text, host, length);
            text[length] = '\0';
            *(*at)++ = text;
            text += length + 1;
        }
    }
    return text;
}

/* All hosts of all endpoints, with their texts in one piece of memory: the
 * caller's. NULL: out of memory. */
static const char **list_hosts(const muster_endpoint *endpoints, size_t n,
                               size_t *ret_n)
{
    size_t n_addresses = 0;
    size_t size = 1; /* never none */
    const char **hosts;
    const char **at;
    char *text;

    for (size_t i = 0; i < n; i++) {
        n_addresses += 1 + endpoints[i].n_more_addresses;
        for (uint32_t k = 0; k <= endpoints[i].n_more_addresses; k++) {
            size += strlen(muster__endpoint_address(&endpoints[i], k)) + 1;
        }
    }
    hosts = malloc(n_addresses * sizeof *hosts + size);
    if (hosts == NULL) {
        return NULL;
    }
    at = hosts;
    text = (char *)(hosts + n_addresses);
    for (size_t i = 0; i < n; i++) {
        text = put_hosts(&endpoints[i], &at, text);
    }
    *ret_n = (size_t)(at - hosts);
    return hosts;
}

static void on_changed(muster__subscriber *self, const muster__changes *changes)
{
    muster__name_lookup *lookup = (muster__name_lookup *)self;
    const muster_endpoint *endpoints = NULL;
    const char **hosts = NULL;
    size_t n = 0;

    (void)changes;
    if (muster__resolution_list(self->resolution, &endpoints, &n) ==
        MUSTER_OK) {
        hosts = list_hosts(endpoints, n, &n);
    }
    if (hosts == NULL) {
        fail(lookup, MUSTER_NOMEM, muster_status_text(MUSTER_NOMEM));
    } else if (n == 0) {
        fail(lookup, MUSTER_NOTFOUND, "it has no address");
    } else {
        finish(lookup, MUSTER_OK, hosts, n);
    }
    free(hosts);
}

static void on_failed(muster__subscriber *self, muster_status status,
                      const char *message)
{
    fail((muster__name_lookup *)self, status, message);
}

static void on_ended(muster__subscriber *self, muster_status status)
{
    (void)status; /* a leaked instance is told of in the log */
    destroy((muster__name_lookup *)self);
}

static void on_timer(void *arg)
{
    muster__name_lookup *lookup = arg;

    if (lookup->is_numeric) {
        char *text = lookup->text;
        const char *const address = text;

        lookup->text = NULL; /* outlives the lookup */
        finish(lookup, MUSTER_OK, &address, 1);
        free(text);
    } else if (lookup->is_parsing) { /* its text is the worker's */
        finish(lookup, MUSTER_TIMEOUT, NULL, 0);
    } else {
        fail(lookup, MUSTER_TIMEOUT, muster_status_text(MUSTER_TIMEOUT));
    }
}

/* ---- the target ---- */

static void subscribe(muster__name_lookup *lookup)
{
    muster__target *target = lookup->target;
    muster_status status;

    lookup->target = NULL;
    lookup->subscriber.changed = on_changed;
    lookup->subscriber.failed = on_failed;
    lookup->subscriber.ended = on_ended;
    status = muster__resolution_subscribe(target, NULL, &lookup->subscriber,
                                          &lookup->error);
    if (status != MUSTER_OK) {
        fail(lookup, status, lookup->error.message);
    }
}

/* On a worker: reading a target may load the plugin of its scheme, and asking
 * whether there is one reads folders. The control thread must not wait for
 * files, and still less for a stranger's constructor, which may itself wait for
 * the control thread; muster_plugin_load() refuses to run there for that
 * reason. The worker may: nobody waits for it, and the lookup's time ends
 * without it. */
static void parse(void *arg)
{
    muster__name_lookup *lookup = arg;

    lookup->status =
        muster__target_parse(lookup->text, &lookup->target, &lookup->error);
}

static void on_parsed(void *arg)
{
    muster__name_lookup *lookup = arg;

    lookup->is_parsing = false;
    if (lookup->list == NULL) {
        destroy(lookup);
    } else if (lookup->status == MUSTER_OK) {
        subscribe(lookup);
    } else { /* no such scheme: the plugin host's word for it */
        fail(lookup,
             lookup->status == MUSTER_NOTFOUND ? MUSTER_UNSUPPORTED
                                               : lookup->status,
             lookup->error.message);
    }
}

/* ---- the beginning ---- */

/* Whether name, which is length bytes long, is an address already. */
static bool is_numeric(const char *name, size_t length)
{
    const char *zone = memchr(name, '%', length);
    size_t digits = zone != NULL ? (size_t)(zone - name) : length;
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr binary; /* has room for the other kind, too */

    if (digits >= sizeof copy) {
        return false;
    }
    memcpy(copy, name, digits);
    copy[digits] = '\0';
    if (zone != NULL) {
        return inet_pton(AF_INET6, copy, &binary) == 1 &&
               muster__address_is_zone(zone + 1, length - digits - 1);
    }
    return inet_pton(AF_INET, copy, &binary) == 1 ||
           inet_pton(AF_INET6, copy, &binary) == 1;
}

/* The answer, when name is numeric, or the target to ask. */
static char *make_text(const char *name, bool *ret_is_numeric)
{
    char none[] = "";
    const muster__uri uri = {.authority = none, .canonical_authority = none};
    size_t length = strlen(name);

    if (length > 2 && name[0] == '[' && name[length - 1] == ']' &&
        strchr(name, ':') != NULL) {
        name++;
        length -= 2;
    }
    *ret_is_numeric = is_numeric(name, length);
    return *ret_is_numeric
               ? strndup(name, length)
               : muster__uri_canonical(NAMES_SCHEME, name, false, &uri);
}

static muster_status create(const char *name, muster__name_lookup **ret_lookup)
{
    muster__name_lookup *lookup = calloc(1, sizeof *lookup);
    muster_status status = MUSTER_NOMEM;

    if (lookup == NULL) {
        return MUSTER_NOMEM;
    }
    n_lookups++;
    lookup->text = make_text(name, &lookup->is_numeric);
    if (lookup->text != NULL) {
        status = muster__timer_create(on_timer, lookup, &lookup->timer);
    }
    if (status == MUSTER_OK && !lookup->is_numeric) {
        status = muster__loop_work(parse, on_parsed, lookup);
        lookup->is_parsing = true;
    }
    if (status != MUSTER_OK) {
        destroy(lookup);
        return status;
    }
    *ret_lookup = lookup;
    return MUSTER_OK;
}

muster_status muster__name_lookup_start(muster__name_lookup **list,
                                        const char *who, const char *name,
                                        muster__name_lookup_fn fn, void *arg)
{
    muster__name_lookup *lookup = NULL;
    muster_status status = create(name, &lookup);

    if (status != MUSTER_OK) {
        return status;
    }
    lookup->who = who;
    lookup->fn = fn;
    lookup->arg = arg;
    lookup->list = list;
    lookup->next = *list;
    *list = lookup;
    muster__timer_start(lookup->timer,
                        lookup->is_numeric
                            ? 0
                            : muster__timing_wait_ms(MUSTER__NAME_LOOKUP_MS));
    return MUSTER_OK;
}
