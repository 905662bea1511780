/* SPDX-License-Identifier: Apache-2.0 */
/* Real servers whose list is in the DNS. */
#include "dns_cluster.h"

#include <jansson.h>
#include <muster/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

enum { MAX_ATTEMPTS = 8, HOST_SIZE = 16 };

const muster_plugin *muster_builtin_dns(void);

/* ---- servers ---- */

static void write_host(size_t server, char host[HOST_SIZE])
{
    (void)snprintf(host, HOST_SIZE, "127.0.0.%zu", DNS_CLUSTER_FIRST + server);
}

static bool start(dns_cluster *self, size_t server, int port)
{
    char host[HOST_SIZE];
    char number[16];
    const char *const flags[] = {"--address", host,   "--id", host,
                                 "--port",    number, NULL};

    write_host(server, host);
    (void)snprintf(number, sizeof number, "%d", port);
    return backend_start(&self->servers[server], flags);
}

static void kill_all(dns_cluster *self)
{
    for (size_t i = 0; i < self->n_servers; i++) {
        backend_kill(&self->servers[i]);
    }
}

static bool start_all(dns_cluster *self)
{
    for (size_t i = 0; i < self->n_servers; i++) {
        if (!start(self, i, self->port)) {
            return false;
        }
    }
    return true;
}

/* The port is held on 127.0.0.1 only: somebody may have it on another. */
static void start_on_one_port(dns_cluster *self)
{
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (!loopback_port_take(&self->holder, AF_INET)) {
            cluster_die("no port");
        }
        self->port = self->holder.number;
        if (start_all(self)) {
            return;
        }
        kill_all(self);
        loopback_port_release(&self->holder);
    }
    cluster_die("no port for all servers");
}

/* Doing it again is no error. */
static void register_resolver(void)
{
    muster_error err;

    if (muster_plugin_register(muster_builtin_dns, &err) != MUSTER_OK) {
        cluster_die("%s", err.message);
    }
}

void dns_cluster_init(dns_cluster *self, size_t n_servers, bool has_one_port)
{
    register_resolver();
    memset(self, 0, sizeof *self);
    self->n_servers = n_servers;
    if (!knot_start(&self->knot, DNS_CLUSTER_ZONE, NULL, NULL)) {
        cluster_die("no knot");
    }
    if (has_one_port) {
        start_on_one_port(self);
    } else if (!start_all(self)) {
        cluster_die("a server did not start");
    }
}

void dns_cluster_fini(dns_cluster *self)
{
    kill_all(self);
    loopback_port_release(&self->holder);
    knot_fini(&self->knot);
}

void dns_cluster_kill(dns_cluster *self, size_t server)
{
    backend_kill(&self->servers[server]);
}

void dns_cluster_restart(dns_cluster *self, size_t server)
{
    const int port = self->servers[server].port;

    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (start(self, server, port)) {
            return;
        }
    }
    cluster_die("server %zu did not start again", server);
}

/* ---- the zone ---- */

void dns_cluster_list_on(const dns_cluster *self, knot *server, unsigned listed)
{
    char hosts[DNS_CLUSTER_MAX][HOST_SIZE];
    const char *data[DNS_CLUSTER_MAX];
    size_t n = 0;

    for (size_t i = 0; i < self->n_servers; i++) {
        if ((listed >> i & 1) != 0) {
            write_host(i, hosts[n]);
            data[n] = hosts[n];
            n++;
        }
    }
    if (!knot_set_records(server, DNS_CLUSTER_NAME ".", "A", DNS_CLUSTER_TTL_S,
                          data, n)) {
        cluster_die("the zone was not changed");
    }
}

void dns_cluster_list(dns_cluster *self, unsigned listed)
{
    dns_cluster_list_on(self, &self->knot, listed);
}

/* Each server has a name of its own: s2.example.test for 127.0.0.2. */
static void list_server_names(dns_cluster *self)
{
    for (size_t i = 0; i < self->n_servers; i++) {
        char name[64];
        char host[HOST_SIZE];
        const char *data = host;

        write_host(i, host);
        (void)snprintf(name, sizeof name, "s%zu." DNS_CLUSTER_ZONE ".",
                       DNS_CLUSTER_FIRST + i);
        if (!knot_set_records(&self->knot, name, "A", DNS_CLUSTER_TTL_S, &data,
                              1)) {
            cluster_die("the zone was not changed");
        }
    }
}

void dns_cluster_list_services(dns_cluster *self, unsigned listed,
                               const unsigned *weights, size_t n_best)
{
    char texts[DNS_CLUSTER_MAX][96];
    const char *data[DNS_CLUSTER_MAX];
    size_t n = 0;

    list_server_names(self);
    for (size_t i = 0; i < self->n_servers; i++) {
        if ((listed >> i & 1) == 0) {
            continue;
        }
        (void)snprintf(texts[n], sizeof texts[n],
                       "%d %u %d s%zu." DNS_CLUSTER_ZONE ".",
                       i < n_best ? 10 : 20, i < n_best ? weights[i] : 1,
                       self->servers[i].port, DNS_CLUSTER_FIRST + i);
        data[n] = texts[n];
        n++;
    }
    if (!knot_set_records(&self->knot, DNS_CLUSTER_SERVICE ".", "SRV",
                          DNS_CLUSTER_TTL_S, data, n)) {
        cluster_die("the zone was not changed");
    }
}

/* ---- channels ---- */

const char *dns_cluster_target(const dns_cluster *self, const char *servers,
                               const char *name, char *ret_target)
{
    const char *asked = servers == NULL ? self->knot.address : servers;

    if (self->port == 0) {
        (void)snprintf(ret_target, DNS_CLUSTER_TARGET_SIZE, "dns://%s/%s",
                       asked, name);
    } else {
        (void)snprintf(ret_target, DNS_CLUSTER_TARGET_SIZE, "dns://%s/%s:%d",
                       asked, name, self->port);
    }
    return ret_target;
}

muster_channel *dns_channel_open(const char *target,
                                 const muster_channel_options *options)
{
    muster_channel *channel = NULL;
    muster_error err;

    register_resolver();
    if (muster_grpc_channel_create(target, options, NULL, &channel, &err) !=
        MUSTER_OK) {
        cluster_die("%s", err.message);
    }
    return channel;
}

typedef struct readiness {
    muster_channel *channel;
    uint64_t n;
    uint64_t n_ready;
} readiness;

static bool is_ready(void *arg)
{
    const readiness *wanted = arg;
    muster_channel_stats stats = {.struct_size = sizeof stats};

    return muster_channel_get_stats(wanted->channel, &stats) == MUSTER_OK &&
           stats.ready == wanted->n_ready && stats.endpoints == wanted->n;
}

static json_t *dump(muster_channel *channel)
{
    char *text = NULL;
    json_t *json;

    if (muster_channel_dump_json(channel, &text) != MUSTER_OK) {
        cluster_die("no dump");
    }
    json = json_loads(text, 0, NULL);
    free(text);
    return json;
}

void dns_channel_await(muster_channel *channel, uint64_t n, uint64_t n_ready)
{
    readiness wanted = {.channel = channel, .n = n, .n_ready = n_ready};

    if (!eventually(is_ready, &wanted)) {
        json_t *json = dump(channel);

        (void)json_dumpf(json, stderr, JSON_INDENT(2));
        cluster_die("not ready");
    }
}

dns_list dns_channel_list(muster_channel *channel)
{
    json_t *json = dump(channel);
    const json_t *list = json_object_get(json, "list");
    const dns_list answer = {
        .is_stale = json_is_true(json_object_get(list, "stale")),
        .age_ms =
            (uint64_t)json_integer_value(json_object_get(list, "age_ms"))};

    json_decref(json);
    return answer;
}

bool dns_channel_has(muster_channel *channel, const char *address)
{
    json_t *json = dump(channel);
    const json_t *endpoint;
    size_t index;
    bool has = false;

    json_array_foreach(json_object_get(json, "endpoints"), index, endpoint)
    {
        const char *text =
            json_string_value(json_object_get(endpoint, "address"));

        has = has || (text != NULL && strcmp(text, address) == 0 &&
                      json_is_true(json_object_get(endpoint, "listed")));
    }
    json_decref(json);
    return has;
}
