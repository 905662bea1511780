/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP relay that counts frames of HTTP/2. */
#include "h2_relay.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2_link.h"
#include "loopback_port.h"

enum {
    BACKLOG = 256,
    PATIENCE_MS = 30000,
    FIRST_WAITED = 2,
    MAX_WAITED = FIRST_WAITED + H2_LINK_N_WAITED * H2_RELAY_MAX_CONNECTIONS
};

struct h2_relay {
    int fd;
    int server_port;
    char address[32];
    int wake[2]; /* a pipe: for the thread to look again */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the rest */
    bool is_stopping;
    bool freezes_new;
    size_t n_links;
    h2_link *links[H2_RELAY_MAX_CONNECTIONS];
};

static void accept_locked(h2_relay *relay)
{
    const int client =
        accept4(relay->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const bool is_full = relay->n_links == H2_RELAY_MAX_CONNECTIONS;
    h2_link *added = NULL;

    if (client >= 0) {
        added = h2_link_create(client, is_full ? 0 : relay->server_port);
    }
    if (added != NULL) {
        added->is_frozen = relay->freezes_new;
        relay->links[relay->n_links++] = added;
    }
}

static size_t list_waited_locked(h2_relay *relay, struct pollfd *waited)
{
    size_t n = FIRST_WAITED;

    waited[0] = (struct pollfd){.fd = relay->wake[0], .events = POLLIN};
    waited[1] = (struct pollfd){.fd = relay->fd, .events = POLLIN};
    for (size_t i = 0; i < relay->n_links; i++) {
        h2_link_wait_for(relay->links[i], &waited[n]);
        n += H2_LINK_N_WAITED;
    }
    return n;
}

static void serve_locked(h2_relay *relay)
{
    struct pollfd waited[MAX_WAITED];
    const size_t n_waited = list_waited_locked(relay, waited);
    char unused[64];

    (void)pthread_mutex_unlock(&relay->mutex);
    (void)poll(waited, n_waited, -1);
    (void)pthread_mutex_lock(&relay->mutex);
    if (waited[0].revents != 0) {
        (void)!read(relay->wake[0], unused, sizeof unused);
    }
    if (waited[1].revents != 0) {
        accept_locked(relay);
    }
    /* Those that poll() did not name have nothing to do. */
    for (size_t i = 0; i < relay->n_links; i++) {
        h2_link_advance(relay->links[i]);
    }
}

static void *run(void *arg)
{
    h2_relay *relay = arg;

    (void)pthread_mutex_lock(&relay->mutex);
    while (!relay->is_stopping) {
        serve_locked(relay);
    }
    (void)pthread_mutex_unlock(&relay->mutex);
    return NULL;
}

static void wake(h2_relay *relay)
{
    (void)!write(relay->wake[1], "", 1);
}

/* ---- What tests do ---- */

static bool open_port(h2_relay *relay)
{
    struct sockaddr_in6 address; /* the port is where IPv4 has it */
    socklen_t size = sizeof address;

    relay->fd = loopback_bind(AF_INET, SOCK_STREAM, 0);
    if (relay->fd < 0 || fcntl(relay->fd, F_SETFL, O_NONBLOCK) != 0 ||
        listen(relay->fd, BACKLOG) != 0 ||
        getsockname(relay->fd, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    (void)snprintf(relay->address, sizeof relay->address, "127.0.0.1:%d",
                   ntohs(address.sin6_port));
    return pipe2(relay->wake, O_CLOEXEC) == 0;
}

h2_relay *h2_relay_start(int server_port)
{
    h2_relay *relay = calloc(1, sizeof *relay);

    if (relay == NULL) {
        return NULL;
    }
    relay->server_port = server_port;
    (void)pthread_mutex_init(&relay->mutex, NULL);
    if (!open_port(relay) ||
        pthread_create(&relay->thread, NULL, run, relay) != 0) {
        perror("h2_relay");
        free(relay);
        return NULL;
    }
    return relay;
}

void h2_relay_stop(h2_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&relay->mutex);
    relay->is_stopping = true;
    (void)pthread_mutex_unlock(&relay->mutex);
    wake(relay);
    (void)pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < relay->n_links; i++) {
        h2_link_destroy(relay->links[i]);
    }
    (void)close(relay->wake[0]);
    (void)close(relay->wake[1]);
    (void)close(relay->fd);
    (void)pthread_mutex_destroy(&relay->mutex);
    free(relay);
}

const char *h2_relay_address(const h2_relay *relay)
{
    return relay->address;
}

size_t h2_relay_n_connections(h2_relay *relay)
{
    size_t n;

    (void)pthread_mutex_lock(&relay->mutex);
    n = relay->n_links;
    (void)pthread_mutex_unlock(&relay->mutex);
    return n;
}

bool h2_relay_look(h2_relay *relay, size_t number, h2_relay_view *ret_view)
{
    bool is_there;

    (void)pthread_mutex_lock(&relay->mutex);
    is_there = number < relay->n_links;
    if (is_there) {
        const h2_link *seen = relay->links[number];

        ret_view->is_open = seen->is_open;
        ret_view->from_client = seen->up.frames;
        ret_view->from_server = seen->down.frames;
    }
    (void)pthread_mutex_unlock(&relay->mutex);
    return is_there;
}

/* Sums what of gives for each connection. */
static uint64_t sum(h2_relay *relay, int type,
                    uint64_t (*of)(const h2_link *each, int type))
{
    uint64_t total = 0;

    (void)pthread_mutex_lock(&relay->mutex);
    for (size_t i = 0; i < relay->n_links; i++) {
        total += of(relay->links[i], type);
    }
    (void)pthread_mutex_unlock(&relay->mutex);
    return total;
}

static uint64_t openness(const h2_link *each, int type)
{
    (void)type;
    return each->is_open;
}

static uint64_t pings_up(const h2_link *each, int type)
{
    (void)type;
    return each->up.frames.n_pings;
}

static uint64_t pings_down(const h2_link *each, int type)
{
    (void)type;
    return each->down.frames.n_pings;
}

static uint64_t frames_up(const h2_link *each, int type)
{
    return each->up.frames.n_frames[type];
}

static uint64_t frames_down(const h2_link *each, int type)
{
    return each->down.frames.n_frames[type];
}

size_t h2_relay_n_open(h2_relay *relay)
{
    return (size_t)sum(relay, 0, openness);
}

uint64_t h2_relay_client_pings(h2_relay *relay)
{
    return sum(relay, 0, pings_up);
}

uint64_t h2_relay_server_pings(h2_relay *relay)
{
    return sum(relay, 0, pings_down);
}

uint64_t h2_relay_client_frames(h2_relay *relay, int type)
{
    return sum(relay, type, frames_up);
}

uint64_t h2_relay_server_frames(h2_relay *relay, int type)
{
    return sum(relay, type, frames_down);
}

uint64_t h2_relay_goaways(h2_relay *relay)
{
    return h2_relay_server_frames(relay, H2_GOAWAY);
}

bool h2_relay_await(h2_relay *relay, uint64_t (*sum_of)(h2_relay *relay),
                    uint64_t least)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (sum_of(relay) >= least) {
            return true;
        }
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static void set_frozen(h2_link *self, bool is_frozen)
{
    self->is_frozen = is_frozen;
}

static void reset(h2_link *self, bool unused)
{
    (void)unused;
    h2_link_reset(self);
}

static void apply_locked(h2_relay *relay, size_t number,
                         void (*change)(h2_link *self, bool value), bool value)
{
    for (size_t i = 0; i < relay->n_links; i++) {
        if (number == H2_RELAY_ALL || number == i) {
            change(relay->links[i], value);
        }
    }
}

static void freeze(h2_relay *relay, size_t number, bool is_frozen)
{
    (void)pthread_mutex_lock(&relay->mutex);
    if (number == H2_RELAY_ALL) {
        relay->freezes_new = is_frozen;
    }
    apply_locked(relay, number, set_frozen, is_frozen);
    (void)pthread_mutex_unlock(&relay->mutex);
    wake(relay);
}

void h2_relay_freeze(h2_relay *relay, size_t number)
{
    freeze(relay, number, true);
}

void h2_relay_thaw(h2_relay *relay, size_t number)
{
    freeze(relay, number, false);
}

void h2_relay_reset(h2_relay *relay, size_t number)
{
    (void)pthread_mutex_lock(&relay->mutex);
    apply_locked(relay, number, reset, false);
    (void)pthread_mutex_unlock(&relay->mutex);
    wake(relay);
}
