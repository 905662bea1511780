/* SPDX-License-Identifier: Apache-2.0 */
/* A query by c-ares, as the tests of the DNS fixtures ask it. */
#ifndef MUSTER_TESTS_DNS_ASKING_H
#define MUSTER_TESTS_DNS_ASKING_H

#include <ares.h>
#include <arpa/nameser.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 20000, MAX_ASKED = 4096 };

typedef struct asked {
    int status; /* ARES_SUCCESS... */
    int size;
    uint8_t reply[65536];
    int n; /* of the A records in it */
    struct ares_addrttl addresses[MAX_ASKED];
} asked;

static inline void on_reply(void *arg, int status, int timeouts,
                            unsigned char *reply, int size)
{
    asked *result = arg;

    (void)timeouts;
    result->status = status;
    if (reply != NULL) {
        result->size = size;
        memcpy(result->reply, reply, (size_t)size);
    }
}

static inline void drive(ares_channel channel)
{
    struct timeval at_most = {.tv_sec = 1};
    struct timeval left;
    fd_set readable;
    fd_set writable;
    int n;

    FD_ZERO(&readable);
    FD_ZERO(&writable);
    while ((n = ares_fds(channel, &readable, &writable)) > 0) {
        (void)select(n, &readable, &writable, NULL,
                     ares_timeout(channel, &at_most, &left));
        ares_process(channel, &readable, &writable);
        FD_ZERO(&readable);
        FD_ZERO(&writable);
    }
}

/* Asks the server at address once; it has timeout_ms to answer. The result is
 * the test's only one. */
static inline const asked *ask_within(const char *address, const char *name,
                                      int type, int timeout_ms, int flags)
{
    static asked result;
    struct ares_options options = {
        .flags = flags, .timeout = timeout_ms, .tries = 1, .ndomains = 0};
    ares_channel channel;

    memset(&result, 0, sizeof result);
    result.n = MAX_ASKED;
    cr_assert_eq(ares_init_options(&channel, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
                                       ARES_OPT_TRIES | ARES_OPT_DOMAINS),
                 ARES_SUCCESS);
    cr_assert_eq(ares_set_servers_ports_csv(channel, address), ARES_SUCCESS);
    ares_query(channel, name, ns_c_in, type, on_reply, &result);
    drive(channel);
    ares_destroy(channel);
    if (type != ns_t_a || result.status != ARES_SUCCESS ||
        ares_parse_a_reply(result.reply, result.size, NULL, result.addresses,
                           &result.n) != ARES_SUCCESS) {
        result.n = 0;
    }
    return &result;
}

static inline const asked *ask(const char *address, const char *name, int type)
{
    return ask_within(address, name, type, ASK_TIMEOUT_MS,
                      ARES_FLAG_NOCHECKRESP);
}

/* The n-th address, as a number: 0x7f000001. */
static inline uint32_t address_at(const asked *result, int n)
{
    cr_assert_lt(n, result->n);
    return ntohl(result->addresses[n].ipaddr.s_addr);
}

#endif
