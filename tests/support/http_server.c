/* SPDX-License-Identifier: Apache-2.0 */
/* A small server for answers of any kind. */
#include "http_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback_port.h"

enum { MAX_CONNECTIONS = 1024, BACKLOG = 256, HEADERS_SIZE = 1024 };

typedef struct connection {
    http_server *server;
    pthread_t thread;
    int fd;
} connection;

struct http_server {
    http_answer_fn answer;
    void *arg;
    int fd;
    int port;
    int wake[2]; /* a pipe: closed at its end, the server is stopping */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the rest */
    unsigned n_requests;
    unsigned n_connections;
    connection connections[MAX_CONNECTIONS];
};

/* ---- one connection ---- */

/* Reads up to the end of a head. False: none came. */
static bool read_head(http_exchange *exchange)
{
    size_t length = 0;

    while (length < sizeof exchange->head - 1) {
        ssize_t n = recv(exchange->fd, exchange->head + length,
                         sizeof exchange->head - 1 - length, 0);

        if (n <= 0) {
            return false;
        }
        length += (size_t)n;
        exchange->head[length] = '\0';
        if (strstr(exchange->head, "\r\n\r\n") != NULL) {
            return true;
        }
    }
    return false;
}

static void count_request(http_exchange *exchange)
{
    http_server *server = exchange->server;

    (void)pthread_mutex_lock(&server->mutex);
    exchange->number = ++server->n_requests;
    (void)pthread_mutex_unlock(&server->mutex);
}

static void *serve(void *arg)
{
    connection *self = arg;
    http_server *server = self->server;
    http_exchange exchange = {.server = server, .fd = self->fd};
    bool goes_on = true;

    while (goes_on && read_head(&exchange)) {
        if (sscanf(exchange.head, "%*s %2047s", exchange.target) != 1) {
            break;
        }
        count_request(&exchange);
        goes_on = server->answer(server->arg, &exchange);
    }
    (void)shutdown(self->fd, SHUT_RDWR); /* closed when the server stops */
    return NULL;
}

bool http_send(http_exchange *exchange, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t n = send(exchange->fd, at, size, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool http_reply(http_exchange *exchange, int status, const char *headers,
                const char *body)
{
    char head[HEADERS_SIZE];

    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 %d Text\r\nContent-Length: %zu\r\n%s\r\n", status,
                   strlen(body), headers);
    return http_send(exchange, head, strlen(head)) &&
           http_send(exchange, body, strlen(body));
}

bool http_list(http_exchange *exchange, const char *index, const char *body)
{
    char header[HEADERS_SIZE / 2];

    (void)snprintf(header, sizeof header, "X-Consul-Index: %s\r\n", index);
    return http_reply(exchange, 200, header, body);
}

bool http_wait(http_exchange *exchange, int timeout_ms)
{
    struct pollfd waited[2] = {
        {.fd = exchange->server->wake[0], .events = POLLIN},
        {.fd = exchange->fd, .events = POLLRDHUP}};

    return poll(waited, 2, timeout_ms) == 0;
}

void http_reset(http_exchange *exchange)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    (void)setsockopt(exchange->fd, SOL_SOCKET, SO_LINGER, &at_once,
                     sizeof at_once);
    /* Disconnects, by a reset; the number is not free for others yet. */
    (void)connect(exchange->fd, &none, sizeof none);
}

/* ---- the server ---- */

static void accept_one(http_server *server)
{
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    connection *added;

    if (fd < 0) {
        return;
    }
    (void)pthread_mutex_lock(&server->mutex);
    if (server->n_connections < MAX_CONNECTIONS) {
        added = &server->connections[server->n_connections];
        *added = (connection){.server = server, .fd = fd};
        if (pthread_create(&added->thread, NULL, serve, added) == 0) {
            server->n_connections++;
            fd = -1;
        }
    }
    (void)pthread_mutex_unlock(&server->mutex);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void *listen_loop(void *arg)
{
    http_server *server = arg;
    struct pollfd waited[2] = {{.fd = server->wake[0], .events = POLLIN},
                               {.fd = server->fd, .events = POLLIN}};

    for (;;) {
        (void)poll(waited, 2, -1);
        if (waited[0].revents != 0) {
            return NULL;
        }
        if (waited[1].revents != 0) {
            accept_one(server);
        }
    }
}

static bool open_port(http_server *server)
{
    struct sockaddr_in6 address; /* the port is where IPv4 has it */
    socklen_t size = sizeof address;

    server->fd = loopback_bind(AF_INET, SOCK_STREAM, 0);
    if (server->fd < 0 || listen(server->fd, BACKLOG) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    server->port = ntohs(address.sin6_port);
    return pipe2(server->wake, O_CLOEXEC) == 0;
}

http_server *http_server_start(http_answer_fn answer, void *arg)
{
    http_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        return NULL;
    }
    server->answer = answer;
    server->arg = arg;
    (void)pthread_mutex_init(&server->mutex, NULL);
    if (!open_port(server) ||
        pthread_create(&server->thread, NULL, listen_loop, server) != 0) {
        perror("http_server");
        free(server);
        return NULL;
    }
    return server;
}

void http_server_stop(http_server *server)
{
    if (server == NULL) {
        return;
    }
    (void)close(server->wake[1]);
    (void)pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < server->n_connections; i++) {
        (void)shutdown(server->connections[i].fd, SHUT_RDWR);
        (void)pthread_join(server->connections[i].thread, NULL);
        (void)close(server->connections[i].fd);
    }
    (void)close(server->wake[0]);
    (void)close(server->fd);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server);
}

int http_server_port(const http_server *server)
{
    return server->port;
}

unsigned http_server_n_requests(http_server *server)
{
    unsigned n;

    (void)pthread_mutex_lock(&server->mutex);
    n = server->n_requests;
    (void)pthread_mutex_unlock(&server->mutex);
    return n;
}

unsigned http_server_n_connections(http_server *server)
{
    unsigned n;

    (void)pthread_mutex_lock(&server->mutex);
    n = server->n_connections;
    (void)pthread_mutex_unlock(&server->mutex);
    return n;
}
