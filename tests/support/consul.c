/* SPDX-License-Identifier: Apache-2.0 */
/* Runs Consul agents and speaks to them. */
#include "consul.h"

#include <curl/curl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "consul_process.h"

enum {
    PORT_HTTP,
    PORT_SERF,
    PORT_SERF_WAN,
    PORT_SERVER,
    MAX_ATTEMPTS = 4,
    WAIT_S = 30,
    POLL_MS = 10,
    REQUEST_MS = 10000,
    CATALOG_TRIES = 10,
    CATALOG_PAUSE_MS = 200,
    PATH_SIZE = 128,
    URL_SIZE = 512,
    BODY_SIZE = 2048,
    ANSWER_SIZE = 65536
};

/* ---- requests ---- */

typedef struct answer {
    char *text;
    size_t size;
    size_t length;
} answer;

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    answer *to = arg;
    size_t room = to->size > to->length ? to->size - to->length - 1 : 0;
    size_t taken = n < room ? n : room;

    (void)size;
    if (to->size > 0) {
        memcpy(to->text + to->length, data, taken);
        to->length += taken;
        to->text[to->length] = '\0';
    }
    return n;
}

static void set_up(const consul *self, CURL *easy, const char *method,
                   const char *path, const char *body)
{
    char url[URL_SIZE];

    (void)snprintf(url, sizeof url, "%s://%s%s",
                   self->options.ca != NULL ? "https" : "http", self->address,
                   path);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
    /* Another client than what is tested: an agent counts connections by
     * address, and lets each have 200. */
    (void)curl_easy_setopt(easy, CURLOPT_INTERFACE, "host!127.0.0.2");
    if (body != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    }
    if (self->options.ca != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, self->options.ca);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, self->options.cert);
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, self->options.key);
    }
}

bool consul_request(const consul *self, const char *method, const char *path,
                    const char *body, char *ret_answer, size_t size)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = NULL;
    answer received = {ret_answer, ret_answer != NULL ? size : 0, 0};
    char token[PATH_SIZE];
    long status = 0;

    if (easy == NULL) {
        return false;
    }
    set_up(self, easy, method, path, body);
    if (self->options.token != NULL) {
        (void)snprintf(token, sizeof token, "X-Consul-Token: %s",
                       self->options.token);
        headers = curl_slist_append(NULL, token);
        (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    }
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &received);
    if (curl_easy_perform(easy) == CURLE_OK) {
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return status == 200;
}

bool consul_register(const consul *self, const char *id, const char *service,
                     const char *address, int port, const char *more)
{
    char body[BODY_SIZE];

    (void)snprintf(body, sizeof body,
                   "{\"ID\": \"%s\", \"Name\": \"%s\", \"Address\": \"%s\", "
                   "\"Port\": %d, %s \"Check\": {\"CheckID\": \"check:%s\", "
                   "\"TTL\": \"1h\", \"Status\": \"passing\"}}",
                   id, service, address, port, more != NULL ? more : "", id);
    return consul_request(self, "PUT", "/v1/agent/service/register", body, NULL,
                          0);
}

bool consul_put_catalog(const consul *self, const char *service,
                        const char *address, int port)
{
    char body[BODY_SIZE];

    (void)snprintf(body, sizeof body,
                   "{\"Node\": \"outside\", \"Address\": \"10.9.9.9\", "
                   "\"SkipNodeUpdate\": true, \"Service\": {\"Service\": "
                   "\"%s\", \"Address\": \"%s\", \"Port\": %d}}",
                   service, address, port);
    /* An agent that is busy may be without a leader for a moment; to write the
     * same again changes nothing. */
    for (int i = 0; i < CATALOG_TRIES; i++) {
        if (consul_request(self, "PUT", "/v1/catalog/register", body, NULL,
                           0)) {
            return true;
        }
        (void)fprintf(stderr, "consul: %s could not be written\n", service);
        (void)poll(NULL, 0, CATALOG_PAUSE_MS);
    }
    return false;
}

bool consul_deregister(const consul *self, const char *id)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "/v1/agent/service/deregister/%s", id);
    return consul_request(self, "PUT", path, NULL, NULL, 0);
}

bool consul_set_check(const consul *self, const char *id, const char *status)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "/v1/agent/check/%s/check:%s", status,
                   id);
    return consul_request(self, "PUT", path, NULL, NULL, 0);
}

/* ---- starting ---- */

/* One that joins has a vote soon, not after 10 s. */
static void write_server(const consul *self, FILE *file)
{
    const consul *leader = self->options.leader;

    (void)fprintf(file,
                  "\"data_dir\": \"%s/data\", \"server\": true,\n"
                  "\"autopilot\": {\"server_stabilization_time\": \"200ms\"},\n"
                  "\"performance\": {\"raft_multiplier\": 1},\n",
                  self->folder);
    if (leader == NULL) {
        (void)fprintf(file, "\"bootstrap_expect\": 1,\n");
    } else {
        (void)fprintf(file, "\"retry_join\": [\"127.0.0.1:%d\"],\n",
                      leader->ports[PORT_SERF].number);
    }
}

static bool write_config(const consul *self)
{
    char path[PATH_SIZE];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/config.json", self->folder);
    file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return false;
    }
    (void)fprintf(
        file,
        "{\"node_name\": \"%s\", \"bind_addr\": \"127.0.0.1\",\n"
        "\"ports\": {\"http\": %d, \"https\": %d, \"dns\": -1, \"grpc\": -1,\n"
        "\"serf_lan\": %d, \"serf_wan\": %d, \"server\": %d},\n",
        self->node,
        self->options.ca == NULL ? self->ports[PORT_HTTP].number : -1,
        self->options.ca != NULL ? self->ports[PORT_HTTP].number : -1,
        self->ports[PORT_SERF].number, self->ports[PORT_SERF_WAN].number,
        self->ports[PORT_SERVER].number);
    if (self->options.has_socket) {
        (void)fprintf(file,
                      "\"addresses\": {\"http\": \"127.0.0.1 "
                      "unix://%s/http.sock\"},\n",
                      self->folder);
    }
    if (self->options.has_data) {
        write_server(self, file);
    }
    (void)fprintf(file,
                  "%s%s\"disable_update_check\": true, "
                  "\"leave_on_terminate\": false}\n",
                  self->options.config != NULL ? self->options.config : "",
                  self->options.config != NULL ? ",\n" : "");
    return fclose(file) == 0;
}

static time_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* A server begins with the ACLs of before 1.4, and has policies when it has
 * seen that all servers know them. */
static bool has_policies(const consul *self)
{
    return self->options.token == NULL ||
           consul_request(self, "GET", "/v1/acl/policies", NULL, NULL, 0);
}

/* It is in its own catalog: there is a leader, and it is this very agent. */
static bool serves(const consul *self)
{
    char *text = calloc(1, ANSWER_SIZE);
    char quoted[sizeof self->node + 2];
    bool is_there;

    (void)snprintf(quoted, sizeof quoted, "\"%s\"", self->node);
    is_there = text != NULL &&
               consul_request(self, "GET", "/v1/agent/self", NULL, text,
                              ANSWER_SIZE) &&
               strstr(text, quoted) != NULL &&
               consul_request(self, "GET", "/v1/catalog/nodes", NULL, text,
                              ANSWER_SIZE) &&
               strstr(text, quoted) != NULL && has_policies(self);
    free(text);
    return is_there;
}

static bool run(consul *self)
{
    const time_t end = now_s() + WAIT_S;

    self->pid = consul_process_spawn(self);
    self->n_starts++;
    while (self->pid != 0 && now_s() <= end) {
        if (serves(self)) {
            return true;
        }
        if (consul_process_has_ended(self)) {
            return false;
        }
        (void)poll(NULL, 0, POLL_MS);
    }
    consul_kill(self);
    return false;
}

static void release_ports(consul *self)
{
    for (size_t i = 0; i < CONSUL_N_PORTS; i++) {
        loopback_port_release(&self->ports[i]);
    }
}

static bool take_ports(consul *self)
{
    for (size_t i = 0; i < CONSUL_N_PORTS; i++) {
        if (!loopback_port_take(&self->ports[i], AF_INET)) {
            release_ports(self);
            return false;
        }
    }
    (void)snprintf(self->address, sizeof self->address, "127.0.0.1:%d",
                   self->ports[PORT_HTTP].number);
    return true;
}

/* With other ports again when somebody else has one of them. */
static bool try_ports(consul *self)
{
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (!take_ports(self)) {
            return false;
        }
        if (write_config(self) && run(self)) {
            return true;
        }
        release_ports(self);
    }
    consul_process_show_log(self);
    return false;
}

bool consul_start(consul *ret_consul, const consul_options *options)
{
    const char *base = getenv("TMPDIR");
    uint64_t random = 0;

    memset(ret_consul, 0, sizeof *ret_consul);
    if (options != NULL) {
        ret_consul->options = *options;
    }
    (void)snprintf(ret_consul->folder, sizeof ret_consul->folder,
                   "%s/muster-consul-XXXXXX", base != NULL ? base : "/tmp");
    if (getrandom(&random, sizeof random, 0) < 0 ||
        mkdtemp(ret_consul->folder) == NULL) {
        perror(ret_consul->folder);
        ret_consul->folder[0] = '\0';
        return false;
    }
    (void)snprintf(ret_consul->node, sizeof ret_consul->node,
                   "muster-%016" PRIx64, random);
    if (!try_ports(ret_consul)) {
        consul_fini(ret_consul);
        return false;
    }
    return true;
}

bool consul_restart(consul *self)
{
    if (!run(self)) {
        consul_process_show_log(self);
        return false;
    }
    return true;
}

/* ---- ending ---- */

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

void consul_fini(consul *self)
{
    consul_kill(self);
    release_ports(self);
    if (self->folder[0] != '\0') {
        (void)nftw(self->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        self->folder[0] = '\0';
    }
}
