/* SPDX-License-Identifier: Apache-2.0 */
/* Connects to endpoints, and asks for their health. */
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef MUSTER_TOOLS_GRPC
#include "../call/probe.h"
#endif

typedef struct endpoint_check {
    const doctor_settings *settings;
    const endpoint_address *address;
    pthread_t thread;
    bool is_started;
    int error; /* of connecting; 0: none */
    double connect_ms;
    certificate_peer peer; /* with TLS, when connected */
#ifdef MUSTER_TOOLS_GRPC
    probe_result health; /* when connected */
#endif
} endpoint_check;

/* ---- connecting ---- */

/* "10.0.0.1:50051" or "[::1]:50051". False: it is neither. */
static bool read_inet(const char *text, struct sockaddr_storage *ret_address,
                      socklen_t *ret_length)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(text, ':');
    const bool has_brackets = text[0] == '[';
    char host[64];
    struct addrinfo *found = NULL;

    if (colon == NULL ||
        (has_brackets && (colon == text || colon[-1] != ']')) ||
        (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    (void)snprintf(host, sizeof host, "%.*s",
                   (int)(colon - text) - (has_brackets ? 2 : 0),
                   text + (has_brackets ? 1 : 0));
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        return false;
    }
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    *ret_length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool read_address(const char *text, struct sockaddr_storage *ret_address,
                         socklen_t *ret_length)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    memset(ret_address, 0, sizeof *ret_address);
    if (strncmp(text, "unix:", 5) != 0) {
        return read_inet(text, ret_address, ret_length);
    }
    if (strlen(text + 5) >= sizeof local.sun_path) {
        return false;
    }
    memcpy(local.sun_path, text + 5, strlen(text + 5));
    memcpy(ret_address, &local, sizeof local);
    *ret_length = (socklen_t)sizeof local;
    return true;
}

/* 0, or why it did not connect. */
static int wait_for_connection(int fd, uint64_t timeout_ms)
{
    struct pollfd socket = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    const int n = poll(&socket, 1, (int)timeout_ms);

    if (n == 0) {
        return ETIMEDOUT;
    }
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        return errno;
    }
    return error;
}

/* A connected socket, or -1 with errno. */
static int connect_to(const char *text, uint64_t timeout_ms)
{
    struct sockaddr_storage address;
    socklen_t length;
    int error = 0;
    int fd;

    if (!read_address(text, &address, &length)) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, length) != 0) {
        error =
            errno == EINPROGRESS ? wait_for_connection(fd, timeout_ms) : errno;
    }
    if (error != 0) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* ---- the thread ---- */

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void *look(void *arg)
{
    endpoint_check *self = arg;
    const doctor_settings *settings = self->settings;
    const double begin_ms = now_ms();
    const int fd = connect_to(self->address->text, settings->timeout_ms);

    self->connect_ms = now_ms() - begin_ms;
    if (fd < 0) {
        self->error = errno;
        return NULL;
    }
    if (settings->tls.is_used) {
        certificate_shake(fd, self->address->name, &settings->tls,
                          settings->timeout_ms, &self->peer);
    }
    (void)close(fd);
#ifdef MUSTER_TOOLS_GRPC
    probe_health(self->address->text, self->address->name, &settings->tls,
                 settings->timeout_ms, &self->health);
#endif
    return NULL;
}

/* OpenSSL writes to sockets that the other side may have closed: of its threads
 * none is to end the process for that. */
static void start(endpoint_check *self)
{
    sigset_t pipe;
    sigset_t before;

    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before);
    self->is_started = pthread_create(&self->thread, NULL, look, self) == 0;
    if (!self->is_started) {
        self->error = EAGAIN;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- reports ---- */

static const char *hint_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "nothing listens there: does the server run, on this port?";
    case ETIMEDOUT:
        return "a firewall may drop it, or the host is down";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "there is no route to it from here";
    case ENOENT:
        return "the server has not made its socket";
    case EACCES:
        return "this user may not write to the socket";
    default:
        return NULL;
    }
}

static void report_names(doctor *self, const endpoint_check *check)
{
    const certificate_peer *peer = &check->peer;

    if (!peer->is_named) {
        doctor_report(self, VERDICT_FAILURE, "tls", check->address->text,
                      "give the name with --authority, or the server a "
                      "certificate that has it",
                      "its certificate is not for %s, but for %s",
                      check->address->name, peer->names);
    }
    if (!peer->speaks_h2) {
        doctor_report(self, VERDICT_FAILURE, "tls", check->address->text,
                      "is it a gRPC server?",
                      "it does not agree to HTTP/2 (ALPN h2)");
    }
}

static const char *hint_of_handshake(const certificate_peer *peer)
{
    if (!peer->is_prepared) {
        return "look at the files of --cacert, --cert and --key";
    }
    if (strstr(peer->failure, "wrong version number") != NULL) {
        return "it does not speak TLS: leave the TLS options out";
    }
    return "does it speak TLS, and want a client certificate (--cert, --key)?";
}

static bool is_tls_good(const certificate_peer *peer)
{
    return peer->is_shaken && peer->is_trusted && peer->is_named &&
           peer->speaks_h2;
}

static void report_tls(doctor *self, const endpoint_check *check)
{
    const certificate_peer *peer = &check->peer;
    const char *address = check->address->text;

    if (!peer->is_shaken) {
        doctor_report(self, VERDICT_FAILURE, "tls", address,
                      hint_of_handshake(peer), "%s", peer->failure);
        return;
    }
    certificate_report(self, "tls certificate", address, &peer->life);
    if (!peer->is_trusted && !peer->life.has_expired && !peer->life.is_early) {
        doctor_report(self, VERDICT_FAILURE, "tls", address,
                      "name the authority that signed it with --cacert",
                      "its certificate is not trusted: %s", peer->failure);
    }
    report_names(self, check);
    if (is_tls_good(peer)) {
        doctor_report(self, VERDICT_OK, "tls", address, NULL, "%s, for %s",
                      peer->protocol, check->address->name);
    }
}

#ifdef MUSTER_TOOLS_GRPC
static void report_health(doctor *self, const endpoint_check *check)
{
    const probe_result *health = &check->health;
    const char *address = check->address->text;

    if (health->is_serving) {
        doctor_report(self, VERDICT_OK, "health", address, NULL,
                      "%s in %.2f ms", health->text, health->latency_ms);
    } else if (!health->is_answered) {
        doctor_report(self, VERDICT_FAILURE, "health", address,
                      check->settings->tls.is_used
                          ? "does it want a client certificate (--cert, --key)?"
                          : "does it speak gRPC, or want TLS (--tls)?",
                      "%s", health->text);
    } else if (!health->has_health) {
        doctor_report(self, VERDICT_OK, "health", address, NULL,
                      "it speaks gRPC, and has no health service");
    } else {
        doctor_report(self, VERDICT_WARNING, "health", address,
                      "it is up, and takes itself out of service", "%s",
                      health->text);
    }
}
#endif

static void report(doctor *self, const endpoint_check *check)
{
    if (check->error != 0) {
        doctor_report(self, VERDICT_FAILURE, "connect", check->address->text,
                      hint_of(check->error), "%s", strerror(check->error));
        return;
    }
    doctor_report(self, VERDICT_OK, "connect", check->address->text, NULL,
                  "in %.2f ms", check->connect_ms);
    if (self->settings->tls.is_used) {
        report_tls(self, check);
    }
#ifdef MUSTER_TOOLS_GRPC
    /* What is wrong with TLS has been said. */
    if (!self->settings->tls.is_used || is_tls_good(&check->peer) ||
        check->health.is_answered) {
        report_health(self, check);
    }
#endif
}

void endpoint_check_all(doctor *self, const endpoint_address *addresses,
                        size_t n_addresses)
{
    endpoint_check *checks = calloc(n_addresses, sizeof *checks);

    if (checks == NULL) {
        self->is_out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < n_addresses; i++) {
        checks[i].settings = self->settings;
        checks[i].address = &addresses[i];
        start(&checks[i]);
    }
    for (size_t i = 0; i < n_addresses; i++) {
        if (checks[i].is_started) {
            (void)pthread_join(checks[i].thread, NULL);
        }
        report(self, &checks[i]);
    }
    free(checks);
}
