/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the fake transport. */
#ifndef MUSTER_TESTKIT_TRANSPORT_H
#define MUSTER_TESTKIT_TRANSPORT_H

#include <pthread.h>
#include <stdbool.h>

#include <muster/testkit.h>

#include "violations.h"

#define TRANSPORT_N_CHAINS 4096 /* of the table of addresses */

typedef enum transport_count {
    TRANSPORT_CREATED,
    TRANSPORT_READY,
    TRANSPORT_FAILED,
    TRANSPORT_DISCONNECTED,
    TRANSPORT_DESTROYED,
    TRANSPORT_CANCELLED,
    TRANSPORT_CONNECTING,
    TRANSPORT_CONNECTED,
    TRANSPORT_N_COUNTS
} transport_count;

typedef struct transport_connection transport_connection;

/* What is known of an address. */
typedef struct transport_address {
    struct transport_address *next; /* in its chain */
    transport_connection *connections;
    uint64_t counts[TRANSPORT_N_COUNTS];
    char *failure;        /* why it does not connect; NULL: it does */
    bool has_own_failure; /* else the kit's is meant */
    char text[];
} transport_address;

struct transport_connection {
    uint32_t canary;
    bool is_scheduled;
    bool is_reporting;         /* its host is being called */
    muster_connectivity state; /* CONNECTING, READY, IDLE and the like: dead */
    muster_connectivity next_state; /* to become at due_ms */
    uint64_t due_ms;
    muster_testkit_transport *kit;
    transport_address *address;
    muster_connection_env env;
    char *reason;               /* of next_state */
    char *health_service;       /* to be watched; NULL: none */
    transport_connection *next; /* of the address; of the destroyed */
    transport_connection **link;
    transport_connection *earlier; /* in the schedule */
    transport_connection *later;
};

/* One mutex guards a kit, its addresses and its connections. */
struct muster_testkit_transport {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC; anything did */
    pthread_t thread;
    transport_address *chains[TRANSPORT_N_CHAINS];
    uint64_t counts[TRANSPORT_N_COUNTS];
    uint64_t max_connecting;
    transport_connection *first; /* the schedule, by due_ms */
    transport_connection *last;
    transport_connection *destroyed; /* the first to forget */
    transport_connection **destroyed_end;
    unsigned n_destroyed; /* in the list above */
    char *failure;
    uint64_t delay_ms;
    bool is_inline;
    bool is_stopping;
    testkit_violations violations;
};

uint64_t testkit_transport_now_ms(void);

/* The address's record; NULL when memory is short. Holding the mutex. */
transport_address *testkit_transport_address(muster_testkit_transport *kit,
                                             const char *text);

/* Makes connection become state at due_ms, instead of what it was to become.
 * Holding the mutex. MUSTER_NOMEM. */
muster_status testkit_transport_plan(transport_connection *connection,
                                     muster_connectivity state,
                                     const char *reason, uint64_t due_ms);

/* Takes connection off the schedule. Holding the mutex. */
void testkit_transport_unplan(transport_connection *connection);

/* connection becomes what it was to become, and its host is told. Holding the
 * mutex, but not during the call of the host. */
void testkit_transport_report(transport_connection *connection);

/* The thread that reports; arg is the kit. */
void *testkit_transport_run(void *arg);

/* Waits for a change, at most until deadline_ms. Holding the mutex. */
void testkit_transport_wait_until(muster_testkit_transport *kit,
                                  uint64_t deadline_ms);

/* Adds change to a count of connection's address and of the kit. Holding the
 * mutex. */
void testkit_transport_count(transport_connection *connection,
                             transport_count count, int change);

/* Remembers what connection is to watch. Holding the mutex, or before anybody
 * else knows it. MUSTER_NOMEM. */
muster_status testkit_transport_watch(transport_connection *connection,
                                      const char *service);

/* muster_transport_class.set_health_service. */
void testkit_transport_set_health_service(void *connection,
                                          const char *service);

/* Releases addresses and connections. Its thread has ended. */
void testkit_transport_release(muster_testkit_transport *kit);

#endif
