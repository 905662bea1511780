/* SPDX-License-Identifier: Apache-2.0 */
/* Watches of dns targets, on the real control thread, and what they saw. The
 * plugin is linked in. Thread: the test's. What does not come in time fails the
 * test, which then prints all that came. */
#ifndef MUSTER_TESTS_DNS_WATCH_H
#define MUSTER_TESTS_DNS_WATCH_H

#include <muster/muster.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_WAIT_MS = 10000 };

/* Registers the plugin and keeps the log. */
void dns_world_open(void);

/* Ends muster; the test has closed its watches. */
void dns_world_close(void);

/* Waits for a line with text in it. */
void dns_world_await_line(const char *text);
size_t dns_world_count_lines(const char *text);

uint64_t dns_now_ns(void);

typedef struct dns_watch dns_watch;

/* What came. */
typedef struct dns_event {
    muster_watch_type type;
    uint64_t time_ns; /* as dns_now_ns() */
    /* The endpoints, sorted, with a space in between: an address, "+ADDRESS"
     * for a second one, "*WEIGHT" unless that is 1, "@PRIORITY" unless 0. */
    char *list;
    size_t n_endpoints;
    uint64_t age_ms;
    muster_status status;
    char *message;
    char *service_config; /* "" when there is none */
} dns_event;

/* Watches the target that format makes. */
dns_watch *dns_watch_open(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* NULL is ignored. */
void dns_watch_close(dns_watch *watch);

void dns_watch_refresh(dns_watch *watch);

/* The next event of that type, counted from the one that was awaited last,
 * whose list is text, or whose message has text in it when it is an error.
 * NULL: whatever it says. Valid until the watch is closed. */
const dns_event *dns_watch_await(dns_watch *watch, muster_watch_type type,
                                 const char *text);

/* The same for the list that is current: it may have come before. */
void dns_watch_await_list(dns_watch *watch, const char *text);

/* How many events of a type came. */
size_t dns_watch_count(dns_watch *watch, muster_watch_type type);

/* The last event; NULL: there was none. */
const dns_event *dns_watch_last(dns_watch *watch);

/* The target cannot be watched, and the message has text in it. */
void dns_watch_expect_refusal(const char *target, const char *text);

#endif
