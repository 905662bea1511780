/* SPDX-License-Identifier: Apache-2.0 */
/* A small DNS server in a thread of the test, hostile where it is told to be:
 * for what no real server does. It answers by a table of rules, which may be
 * changed while it runs, and records what it was asked.
 *
 * Thread: any, for each function but dns_server_stop(). Strings are copied.
 * What cannot be set up ends the process, unless a function says otherwise. */
#ifndef MUSTER_TESTS_DNS_SERVER_H
#define MUSTER_TESTS_DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns_writer.h"

typedef struct dns_server dns_server;

typedef enum dns_transport {
    DNS_ANY_TRANSPORT = 0,
    DNS_UDP = 1,
    DNS_TCP = 2
} dns_transport;

/* What a reply says. None is longer than the client takes: over UDP what it
 * says in its query, 512 bytes without EDNS, and 65 535 over TCP. A record that
 * does not fit is left out with those after it, and TC is set. */
typedef enum dns_action {
    DNS_RECORDS = 0, /* the rule's records, with its rcode */
    DNS_DROP,        /* no reply; over TCP the connection stays open */
    DNS_ADDRESSES,   /* n records of the type asked for, A or AAAA: 10.0.0.1
                        and up, or fd00::1; 4 000 of A fit in a message */
    DNS_CNAME_CHAIN, /* n links, to link1.chain.test and on; then 10.0.0.1 or
                        fd00::1 at the last when an address is asked for */
    DNS_CNAME_LOOP,  /* to back.loop.test and from there to the name itself */
    DNS_COMPRESSION_LOOP, /* an owner that is a pointer to itself */
    DNS_BYTES,            /* the rule's bytes, in the place of what follows
                             the id */
    DNS_GARBAGE           /* n random bytes after the id, the same each time */
} dns_action;

/* What is wrong with it: any of these together. */
enum {
    DNS_TRUNCATED = 1u << 0,      /* TC, and the first half of the records */
    DNS_WRONG_ID = 1u << 1,       /* the query's, plus one */
    DNS_WRONG_QUESTION = 1u << 2, /* wrong.question.test */
    DNS_WRONG_OWNER = 1u << 3,    /* wrong.owner.test, where it would be the
                                     name asked for */
    DNS_WRONG_CLASS = 1u << 4,    /* CH for each record */
    DNS_WRONG_PORT = 1u << 5,     /* over UDP, from another port */
    DNS_TWICE = 1u << 6,          /* the same reply again */
    DNS_NO_QUESTION = 1u << 7,    /* in the reply */
    DNS_CLOSE = 1u << 8,          /* over TCP, in the middle of the message */
    DNS_IS_QUERY = 1u << 9        /* QR is not set */
};

typedef struct dns_rule {
    /* Which queries: */
    const char *name;        /* NULL: any. Case and last dot do not count */
    uint16_t type;           /* 0: any */
    dns_transport transport; /* DNS_ANY_TRANSPORT: either */
    unsigned times;          /* the rule is gone after so many; 0: it stays */

    /* What comes back: */
    dns_action action;
    unsigned rcode;
    const dns_record *records;
    size_t n_records;
    size_t n;     /* of DNS_ADDRESSES, DNS_CNAME_CHAIN and DNS_GARBAGE */
    uint32_t ttl; /* of the records that an action makes */
    const uint8_t *bytes;
    size_t n_bytes;

    /* And how: */
    unsigned faults;
    size_t cut;        /* the reply ends after so many bytes; 0: it does not */
    uint32_t delay_ms; /* other queries are answered meanwhile */
} dns_rule;

/* A query that has come. */
typedef struct dns_query {
    char name[DNS_NAME_SIZE]; /* as it was written, without the last dot */
    uint16_t type;
    uint16_t id;
    dns_transport transport;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
} dns_query;

/* A server on a port that the kernel assigns, on ::1 or 127.0.0.1. It refuses
 * all queries (REFUSED) until there are rules. */
dns_server *dns_server_start(bool is_ipv6);

/* Ends the thread at once; what is delayed is not sent. NULL is fine. */
void dns_server_stop(dns_server *server);

int dns_server_port(const dns_server *server);

/* "127.0.0.1:4711" or "[::1]:4711"; valid until dns_server_stop(). */
const char *dns_server_address(const dns_server *server);

/* ---- rules ---- */

/* Puts a rule in front of all others: of those that match, the newest decides.
 * One that matches the same queries is replaced; but a rule with times stays
 * over it. There are at most 4096. */
void dns_server_put(dns_server *server, const dns_rule *rule);

/* The same with these records, or with none and an error: NXDOMAIN without a
 * SOA record, SERVFAIL... */
void dns_server_answer(dns_server *server, const char *name, uint16_t type,
                       const dns_record *records, size_t n);
void dns_server_fail(dns_server *server, const char *name, uint16_t type,
                     unsigned rcode);

/* Takes away the rules that were put with this name, type and transport. */
void dns_server_remove(dns_server *server, const char *name, uint16_t type,
                       dns_transport transport);
void dns_server_clear(dns_server *server);

/* ---- queries ---- */

/* How many have come with a name (NULL: any) and a type (0: any), answered or
 * not, over UDP and TCP. A query repeated over TCP counts twice. */
size_t dns_server_count(dns_server *server, const char *name, uint16_t type);
size_t dns_server_count_over(dns_server *server, const char *name,
                             uint16_t type, dns_transport transport);

/* Waits until n of them have come; false after timeout_ms. They may not be
 * answered yet. */
bool dns_server_await(dns_server *server, const char *name, uint16_t type,
                      size_t n, uint32_t timeout_ms);

/* The index-th of them. False when there are not so many. */
bool dns_server_query(dns_server *server, const char *name, uint16_t type,
                      size_t index, dns_query *ret_query);

/* Forgets those that have come. At most 65 536 are remembered; one more ends
 * the process. */
void dns_server_forget(dns_server *server);

/* ---- outages ---- */

/* Reads queries, and answers none: a dead server. They count. */
void dns_server_pause(dns_server *server);
void dns_server_resume(dns_server *server);

/* Closes the sockets of a transport, and the connections: queries are refused
 * by the kernel when this returns. */
void dns_server_close(dns_server *server, dns_transport transport);

/* Opens them again on the same port. */
void dns_server_reopen(dns_server *server, dns_transport transport);

#endif
