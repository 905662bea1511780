/* SPDX-License-Identifier: Apache-2.0 */
/* What resolv.conf(5) says, as c-ares reads it. */
#include "system.h"

#include <ares.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <text.h>

#include "scope.h"

enum { LOOK_MS = 1000, PORT_DEFAULT = 53 };

/* ---- reading ---- */

static void take_places(muster__dns_system *system,
                        const struct ares_addr_port_node *node)
{
    for (; node != NULL && system->n_places < MUSTER__DNS_SERVERS_MAX;
         node = node->next) {
        muster__dns_place *place = &system->places[system->n_places++];

        place->address.size = node->family == AF_INET ? 4 : 16;
        memcpy(place->address.bytes, &node->addr, place->address.size);
        place->port =
            (uint16_t)(node->udp_port != 0 ? node->udp_port : PORT_DEFAULT);
    }
}

static bool take_domains(muster__dns_system *system,
                         const struct ares_options *options)
{
    size_t n = options->ndomains > 0 ? (size_t)options->ndomains : 0;

    system->n_dots = options->ndots;
    system->domains = calloc(n + 1, sizeof *system->domains);
    if (system->domains == NULL) {
        return false;
    }
    for (; system->n_domains < n; system->n_domains++) {
        char *copy = strdup(options->domains[system->n_domains]);

        if (copy == NULL) {
            return false;
        }
        system->domains[system->n_domains] = copy;
    }
    return true;
}

/* A channel that is made of the file, to ask what it has read. */
static int read_file(const char *path, ares_channel *ret_channel)
{
    char copy[4096];
    char lookups[] = "b"; /* given, so that no further file is read */
    struct ares_options options = {.resolvconf_path = copy, .lookups = lookups};

    if (strlen(path) >= sizeof copy) {
        return ARES_EFILE;
    }
    memcpy(copy, path, strlen(path) + 1);
    return ares_init_options(ret_channel, &options,
                             ARES_OPT_RESOLVCONF | ARES_OPT_LOOKUPS);
}

/* c-ares reads a file that it cannot open, for want of descriptors perhaps, as
 * an empty one. That goes for a missing one only. */
static muster_status check_file(const char *path, muster_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[128];

    if (fd < 0 && errno != ENOENT) {
        return muster_error_set(
            err, MUSTER_UNAVAILABLE, "%s cannot be read: %s",
            muster__quote(path).text, strerror_r(errno, text, sizeof text));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return MUSTER_OK;
}

static int fill(muster__dns_system *system)
{
    struct ares_addr_port_node *servers = NULL;
    struct ares_options options = {.ndots = 1};
    ares_channel channel = NULL;
    int mask = 0;
    int status = read_file(system->path, &channel);

    if (status != ARES_SUCCESS) {
        return status;
    }
    status = ares_get_servers_ports(channel, &servers);
    if (status == ARES_SUCCESS) {
        take_places(system, servers);
        ares_free_data(servers);
        status = ares_save_options(channel, &options, &mask);
    }
    if (status == ARES_SUCCESS && !take_domains(system, &options)) {
        status = ARES_ENOMEM;
    }
    ares_destroy_options(&options);
    ares_destroy(channel);
    return status;
}

static muster__dns_system *make(const char *path)
{
    size_t length = strlen(path);
    muster__dns_system *system = calloc(1, sizeof *system + length + 1);

    if (system != NULL) {
        system->n_references = 1;
        memcpy(system->path, path, length + 1);
    }
    return system;
}

static muster_status read_system(const char *path,
                                 muster__dns_system **ret_system,
                                 muster_error *err)
{
    muster__dns_system *system;
    int status;

    if (check_file(path, err) != MUSTER_OK) {
        return MUSTER_UNAVAILABLE;
    }
    system = make(path);
    if (system == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    system->state =
        muster__dns_file_look(path); /* before: a later change is then seen */
    status = fill(system);
    if (status == ARES_SUCCESS && system->n_places > 0) {
        *ret_system = system;
        return MUSTER_OK;
    }
    muster__dns_system_unref(system);
    if (status == ARES_ENOMEM) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return muster_error_set(err, MUSTER_UNAVAILABLE, "%s cannot be read: %s",
                            muster__quote(path).text, ares_strerror(status));
}

/* ---- the newest ---- */

static muster__dns_system **find(muster__dns_scope *scope, const char *path)
{
    muster__dns_system **at = &scope->systems;

    while (*at != NULL && strcmp((*at)->path, path) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static bool is_current(muster__dns_system *system, uint64_t now_ms)
{
    muster__dns_file_state state;

    if (now_ms - system->looked_ms < LOOK_MS) {
        return true;
    }
    system->looked_ms = now_ms;
    state = muster__dns_file_look(system->path);
    return muster__dns_file_is_same(&state, &system->state);
}

/* other takes the place of the one at at, if any. */
static void replace(muster__dns_system **at, muster__dns_system *other,
                    uint64_t now_ms)
{
    muster__dns_system *former = *at;

    other->looked_ms = now_ms;
    other->next = former != NULL ? former->next : NULL;
    *at = other;
    muster__dns_system_unref(former);
}

muster_status muster__dns_system_get(muster__dns_scope *scope, const char *path,
                                     muster__dns_system **ret_system,
                                     muster_error *err)
{
    muster__dns_system **at = find(scope, path);
    muster__dns_system *system = *at;
    uint64_t now_ms = muster__dns_now_ms(scope);

    if (system == NULL || !is_current(system, now_ms)) {
        muster__dns_system *other = NULL;
        muster_status status = read_system(path, &other, err);

        if (status == MUSTER_OK) {
            replace(at, other, now_ms);
            system = other;
        } else if (system == NULL) {
            return status;
        } else { /* the servers of before are better than none */
            scope->host->log(scope->ctx, MUSTER_LOG_WARNING, err->message);
        }
    }
    system->n_references++;
    *ret_system = system;
    return MUSTER_OK;
}

void muster__dns_system_unref(muster__dns_system *system)
{
    if (system == NULL || --system->n_references > 0) {
        return;
    }
    for (size_t i = 0; i < system->n_domains; i++) {
        free(system->domains[i]);
    }
    free(system->domains);
    free(system);
}

void muster__dns_systems_forget(muster__dns_scope *scope)
{
    while (scope->systems != NULL) {
        muster__dns_system *system = scope->systems;

        scope->systems = system->next;
        muster__dns_system_unref(system);
    }
}
