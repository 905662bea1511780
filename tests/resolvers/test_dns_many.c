/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand names in a process: no thread for each, few queries at once, and
 * little memory. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "dns_watch.h"
#include "dns_zone.h"

enum {
    NAMES = 1000,
    FLIGHTS_MAX = 100,
    DELAY_MS = 20,
    BYTES_MAX = 16 * 1024,
    WAIT_S = 30
};

static dns_server *server;
static muster_watch *watches[NAMES];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned n_lists;  /* by mutex */
static unsigned n_errors; /* by mutex */

static void set_up(void)
{
    dns_world_open();
    server = dns_server_start(false);
}

static void tear_down(void)
{
    for (int i = 0; i < NAMES; i++) {
        muster_watch_destroy(watches[i]);
    }
    dns_world_close();
    dns_server_stop(server);
}

TestSuite(dns_many, .init = set_up, .fini = tear_down, .timeout = 60);

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    n_lists += event->type == MUSTER_WATCH_LIST && event->n_endpoints == 1;
    n_errors += event->type == MUSTER_WATCH_ERROR;
    (void)pthread_cond_signal(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

/* None times out, however slow the machine is. */
static void open_names(unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        char target[128];

        (void)snprintf(target, sizeof target,
                       "dns://%s/name%u.some-department.web.test:50051"
                       "?timeout=1m",
                       dns_server_address(server), i);
        cr_assert_eq(
            muster_watch_create(target, on_event, NULL, &watches[i], NULL),
            MUSTER_OK);
    }
}

static void await_lists(unsigned n)
{
    struct timespec end;
    int waited = 0;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    (void)pthread_mutex_lock(&mutex);
    while (n_lists < n && waited == 0) {
        waited = pthread_cond_timedwait(&changed, &mutex, &end);
    }
    (void)pthread_mutex_unlock(&mutex);
    cr_assert_eq(waited, 0, "%u lists of %u came", n_lists, n);
    cr_expect_eq(n_errors, 0);
}

static unsigned count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    unsigned n = 0;

    cr_assert_not_null(folder);
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

/* All names, and all of the server's replies after DELAY_MS. */
static void serve(dns_action action, uint32_t delay_ms)
{
    const dns_record none = dns_soa(60, 60);

    dns_server_put(server, &(dns_rule){.type = DNS_TYPE_A,
                                       .action = action,
                                       .n = 1,
                                       .ttl = 300,
                                       .delay_ms = delay_ms});
    dns_server_put(
        server,
        &(dns_rule){.type = DNS_TYPE_AAAA,
                    .action = action == DNS_DROP ? DNS_DROP : DNS_RECORDS,
                    .records = &none,
                    .n_records = 1,
                    .delay_ms = delay_ms});
}

Test(dns_many, names_need_no_threads_and_little_memory)
{
    unsigned n_threads;
    size_t before;
    size_t after;

    serve(DNS_ADDRESSES, 0);
    open_names(0, 1);
    await_lists(1);
    n_threads = count_threads();
    before = mallinfo2().uordblks;
    open_names(1, NAMES);
    await_lists(NAMES);
    after = mallinfo2().uordblks;
    cr_expect_eq(count_threads(), n_threads);
    cr_expect_eq(dns_server_count(server, NULL, 0), 2 * NAMES);
    if (before != 0) { /* a sanitizer's malloc does not count */
        size_t each = (after - before) / (NAMES - 1);

        (void)fprintf(stderr, "%zu bytes for each name\n", each);
        cr_expect_lt(each, BYTES_MAX);
    }
}

/* A query is sent when the hundredth before it was answered. */
Test(dns_many, names_have_few_queries_at_once)
{
    dns_query query;
    dns_query before;

    serve(DNS_ADDRESSES, DELAY_MS);
    open_names(0, NAMES);
    await_lists(NAMES);
    for (size_t i = FLIGHTS_MAX; i < 2 * NAMES; i++) {
        cr_assert(dns_server_query(server, NULL, 0, i, &query));
        cr_assert(dns_server_query(server, NULL, 0, i - FLIGHTS_MAX, &before));
        cr_assert_geq((query.time_ns - before.time_ns) / 1000000, DELAY_MS - 1,
                      "query %zu", i);
    }
}

Test(dns_many, names_wait_their_turn_at_a_silent_server)
{
    serve(DNS_DROP, 0);
    open_names(0, NAMES);
    cr_assert(dns_server_await(server, NULL, 0, FLIGHTS_MAX, DNS_WAIT_MS));
    /* All of them have asked by now. */
    cr_expect_leq(dns_server_count(server, NULL, 0), FLIGHTS_MAX);
}
