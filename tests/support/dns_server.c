/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of a dns_server and what others ask of it. */
#include "dns_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "dns_delays.h"
#include "dns_journal.h"
#include "dns_memory.h"
#include "dns_reply.h"
#include "dns_rules.h"
#include "dns_sockets.h"

enum { MAX_ATTEMPTS = 64, RETRY_MS = 10 };

struct dns_server {
    loopback_port port;
    char address[64];
    pthread_t thread;
    int wake; /* an eventfd */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the journal, or open */
    dns_rules rules;        /* by lock, as all that follow */
    dns_journal journal;
    unsigned wanted; /* the transports that are to be open */
    unsigned open;   /* those that are */
    bool is_paused;
    bool is_stopping;

    dns_sockets sockets; /* the thread's own, as all that follow */
    dns_delays delays;
    uint8_t reply[DNS_MESSAGE_SIZE];
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "dns_server: %s: %s\n", what, strerror(errno));
    abort();
}

static void lock(dns_server *server)
{
    if (pthread_mutex_lock(&server->lock) != 0) {
        die("lock");
    }
}

static void unlock(dns_server *server)
{
    if (pthread_mutex_unlock(&server->lock) != 0) {
        die("unlock");
    }
}

/* ---- the thread ---- */

typedef struct outgoing {
    size_t size; /* 0: nothing is sent */
    unsigned faults;
    uint32_t delay_ms;
} outgoing;

static outgoing refuse_locked(dns_server *server, const uint8_t *query,
                              const dns_question *question,
                              dns_transport transport)
{
    const dns_rule refusal = {.rcode = DNS_RCODE_REFUSED};

    return (outgoing){.size = dns_reply_write(&refusal, query, question,
                                              transport, server->reply)};
}

/* Writes what the rules say to server->reply. */
static outgoing decide_locked(dns_server *server, const uint8_t *query,
                              const dns_question *question,
                              dns_transport transport)
{
    const dns_rule *rule;
    outgoing decided;

    if (server->is_paused) {
        return (outgoing){0};
    }
    rule = dns_rules_find(&server->rules, question->name, question->type,
                          transport);
    if (rule == NULL) {
        return refuse_locked(server, query, question, transport);
    }
    decided = (outgoing){.size = dns_reply_write(rule, query, question,
                                                 transport, server->reply),
                         .faults = rule->faults,
                         .delay_ms = rule->delay_ms};
    dns_rules_spend(&server->rules, rule);
    return decided;
}

static void send_reply(dns_server *server, const dns_peer *peer,
                       const outgoing *reply)
{
    if (reply->delay_ms > 0) {
        dns_delays_add(&server->delays, peer, server->reply, reply->size,
                       reply->faults, reply->delay_ms);
    } else {
        dns_sockets_send(&server->sockets, peer, server->reply, reply->size,
                         reply->faults);
    }
}

static void on_query(void *context, const uint8_t *query, size_t size,
                     const dns_peer *peer)
{
    dns_server *server = context;
    dns_question question;
    outgoing reply;

    if (!dns_read_question(query, size, &question)) {
        return;
    }
    lock(server);
    dns_journal_add(&server->journal, &question, peer->transport);
    reply = decide_locked(server, query, &question, peer->transport);
    (void)pthread_cond_broadcast(&server->changed);
    unlock(server);
    if (reply.size == 0) {
        return;
    }
    send_reply(server, peer, &reply);
    if ((reply.faults & DNS_TWICE) != 0) {
        send_reply(server, peer, &reply);
    }
}

/* Opens and closes what is wanted. Returns how long to poll at most, when it
 * could not: somebody else may have the port for a moment. */
static int open_sockets(dns_server *server)
{
    int timeout = -1;

    lock(server);
    if (server->open != server->wanted) {
        if (dns_sockets_open(&server->sockets, &server->port, server->wanted)) {
            server->open = server->wanted;
            (void)pthread_cond_broadcast(&server->changed);
        } else {
            timeout = RETRY_MS;
        }
    }
    unlock(server);
    return timeout;
}

static void wait_for_work(const dns_server *server, int timeout)
{
    struct pollfd polled[DNS_MAX_POLLED + 1];
    const int delay = dns_delays_timeout(&server->delays);
    uint64_t wakes;
    nfds_t n = dns_sockets_poll(&server->sockets, polled);

    if (timeout < 0 || (delay >= 0 && delay < timeout)) {
        timeout = delay;
    }
    polled[n++] = (struct pollfd){.fd = server->wake, .events = POLLIN};
    (void)poll(polled, n, timeout);
    (void)!read(server->wake, &wakes, sizeof wakes);
}

static bool is_paused(dns_server *server)
{
    bool is;

    lock(server);
    is = server->is_paused;
    unlock(server);
    return is;
}

static bool is_stopping(dns_server *server)
{
    bool is;

    lock(server);
    is = server->is_stopping;
    unlock(server);
    return is;
}

static void *serve(void *arg)
{
    dns_server *server = arg;

    while (!is_stopping(server)) {
        wait_for_work(server, open_sockets(server));
        dns_sockets_read(&server->sockets, on_query, server);
        dns_delays_send(&server->delays,
                        is_paused(server) ? NULL : &server->sockets);
    }
    return NULL;
}

/* ---- starting and stopping ---- */

static void wake(dns_server *server)
{
    const uint64_t one = 1;

    (void)!write(server->wake, &one, sizeof one);
}

static void open_some_port(dns_server *server, int family)
{
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (!loopback_port_take(&server->port, family)) {
            die("no port");
        }
        if (dns_sockets_open(&server->sockets, &server->port,
                             DNS_UDP | DNS_TCP)) {
            server->wanted = DNS_UDP | DNS_TCP;
            server->open = server->wanted;
            return;
        }
        (void)dns_sockets_open(&server->sockets, &server->port, 0);
        loopback_port_release(&server->port);
    }
    die("cannot bind");
}

static void init_lock(dns_server *server)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0 ||
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&server->changed, &attributes) != 0 ||
        pthread_mutex_init(&server->lock, NULL) != 0) {
        die("lock");
    }
    (void)pthread_condattr_destroy(&attributes);
}

dns_server *dns_server_start(bool is_ipv6)
{
    dns_server *server = dns_allocate(sizeof *server);

    init_lock(server);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake < 0 ||
        !dns_sockets_init(&server->sockets, is_ipv6 ? AF_INET6 : AF_INET)) {
        die("sockets");
    }
    open_some_port(server, is_ipv6 ? AF_INET6 : AF_INET);
    (void)snprintf(server->address, sizeof server->address,
                   is_ipv6 ? "[::1]:%d" : "127.0.0.1:%d", server->port.number);
    if (pthread_create(&server->thread, NULL, serve, server) != 0) {
        die("thread");
    }
    return server;
}

void dns_server_stop(dns_server *server)
{
    if (server == NULL) {
        return;
    }
    lock(server);
    server->is_stopping = true;
    unlock(server);
    wake(server);
    (void)pthread_join(server->thread, NULL);
    dns_sockets_fini(&server->sockets);
    dns_delays_fini(&server->delays);
    dns_rules_fini(&server->rules);
    dns_journal_fini(&server->journal);
    loopback_port_release(&server->port);
    (void)close(server->wake);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

int dns_server_port(const dns_server *server)
{
    return server->port.number;
}

const char *dns_server_address(const dns_server *server)
{
    return server->address;
}

/* ---- rules ---- */

void dns_server_put(dns_server *server, const dns_rule *rule)
{
    lock(server);
    dns_rules_put(&server->rules, rule);
    unlock(server);
}

void dns_server_answer(dns_server *server, const char *name, uint16_t type,
                       const dns_record *records, size_t n)
{
    dns_server_put(server, &(dns_rule){.name = name,
                                       .type = type,
                                       .records = records,
                                       .n_records = n});
}

void dns_server_fail(dns_server *server, const char *name, uint16_t type,
                     unsigned rcode)
{
    dns_server_put(server,
                   &(dns_rule){.name = name, .type = type, .rcode = rcode});
}

void dns_server_remove(dns_server *server, const char *name, uint16_t type,
                       dns_transport transport)
{
    lock(server);
    dns_rules_remove(&server->rules, name, type, transport);
    unlock(server);
}

void dns_server_clear(dns_server *server)
{
    lock(server);
    dns_rules_fini(&server->rules);
    unlock(server);
}

/* ---- queries ---- */

size_t dns_server_count_over(dns_server *server, const char *name,
                             uint16_t type, dns_transport transport)
{
    size_t n;

    lock(server);
    n = dns_journal_count(&server->journal, name, type, transport);
    unlock(server);
    return n;
}

size_t dns_server_count(dns_server *server, const char *name, uint16_t type)
{
    return dns_server_count_over(server, name, type, DNS_ANY_TRANSPORT);
}

static struct timespec in_ms(uint32_t timeout_ms)
{
    struct timespec end;
    long ns;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    ns = end.tv_nsec + (long)(timeout_ms % 1000) * 1000000;
    end.tv_sec += (time_t)(timeout_ms / 1000) + ns / 1000000000;
    end.tv_nsec = ns % 1000000000;
    return end;
}

bool dns_server_await(dns_server *server, const char *name, uint16_t type,
                      size_t n, uint32_t timeout_ms)
{
    const struct timespec end = in_ms(timeout_ms);
    size_t come;
    int waited = 0;

    lock(server);
    come = dns_journal_count(&server->journal, name, type, DNS_ANY_TRANSPORT);
    while (come < n && waited == 0) {
        waited = pthread_cond_timedwait(&server->changed, &server->lock, &end);
        come =
            dns_journal_count(&server->journal, name, type, DNS_ANY_TRANSPORT);
    }
    unlock(server);
    return come >= n;
}

bool dns_server_query(dns_server *server, const char *name, uint16_t type,
                      size_t index, dns_query *ret_query)
{
    const dns_query *query;

    lock(server);
    query = dns_journal_find(&server->journal, name, type, index);
    if (query != NULL) {
        *ret_query = *query;
    }
    unlock(server);
    return query != NULL;
}

void dns_server_forget(dns_server *server)
{
    lock(server);
    dns_journal_fini(&server->journal);
    unlock(server);
}

/* ---- outages ---- */

static void set_paused(dns_server *server, bool is)
{
    lock(server);
    server->is_paused = is;
    unlock(server);
}

void dns_server_pause(dns_server *server)
{
    set_paused(server, true);
}

void dns_server_resume(dns_server *server)
{
    set_paused(server, false);
}

static void want(dns_server *server, unsigned added, unsigned removed)
{
    lock(server);
    server->wanted = (server->wanted | added) & ~removed;
    wake(server);
    while (server->open != server->wanted) {
        (void)pthread_cond_wait(&server->changed, &server->lock);
    }
    unlock(server);
}

static unsigned bits_of(dns_transport transport)
{
    return transport == DNS_ANY_TRANSPORT ? DNS_UDP | DNS_TCP
                                          : (unsigned)transport;
}

void dns_server_close(dns_server *server, dns_transport transport)
{
    want(server, 0, bits_of(transport));
}

void dns_server_reopen(dns_server *server, dns_transport transport)
{
    want(server, bits_of(transport), 0);
}
