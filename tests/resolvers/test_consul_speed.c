/* SPDX-License-Identifier: Apache-2.0 */
/* How soon a change is seen, beside a bare blocking query in the same run. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul.h"
#include "limit.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

enum {
    WAIT_MS = 10000,
    TEXT_SIZE = 512,
    N_CHANGES = 40,
    PAUSE_MS = 110,
    SEEN_MS = 50, /* from registering on */
    BEYOND_MS = 3 /* what a bare query takes */
};

static consul agent;
static watched watch;

static void begin(void)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(consul_start(&agent, NULL));
}

static void end(void)
{
    watched_end(&watch);
    consul_fini(&agent);
}

TestSuite(consul_speed, .init = begin, .fini = end, .timeout = 100);

/* ---- a bare query ---- */

typedef struct bare {
    CURL *easy;
    char index[32];
    uint64_t seen_ns;
} bare;

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    bare *self = arg;

    (void)size;
    (void)sscanf(line, "X-Consul-Index: %31[0-9]", self->index);
    return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)size;
    (void)arg;
    return n;
}

static void bare_init(bare *self)
{
    (void)snprintf(self->index, sizeof self->index, "0");
    self->easy = curl_easy_init();
    (void)curl_easy_setopt(self->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(self->easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(self->easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(self->easy, CURLOPT_HEADERDATA, self);
    (void)curl_easy_setopt(self->easy, CURLOPT_WRITEFUNCTION, on_body);
}

/* Blocks until there is a change, and notes when that was. */
static void *bare_query(void *arg)
{
    bare *self = arg;
    char url[TEXT_SIZE];

    (void)snprintf(
        url, sizeof url,
        "http://%s/v1/health/service/web?passing=1&wait=60s&index=%s",
        agent.address, self->index);
    (void)curl_easy_setopt(self->easy, CURLOPT_URL, url);
    (void)curl_easy_perform(self->easy);
    self->seen_ns = watched_now_ns();
    return NULL;
}

/* ---- both ---- */

static int compare(const void *a, const void *b)
{
    const int64_t *one = a;
    const int64_t *other = b;

    return *one < *other ? -1 : *one > *other;
}

static double median_ms(int64_t *times_ns)
{
    qsort(times_ns, N_CHANGES, sizeof *times_ns, compare);
    return (double)times_ns[N_CHANGES / 2] / 1e6;
}

static void set_address(int number)
{
    char address[32];

    (void)snprintf(address, sizeof address, "10.0.0.%d", number + 1);
    cr_assert(consul_register(&agent, "a", "web", address, 80, NULL));
}

static void await_address(int number)
{
    char address[32];

    (void)snprintf(address, sizeof address, "10.0.0.%d:80", number + 1);
    cr_assert(watched_await_list(&watch, address, WAIT_MS));
}

static void watch_service(void)
{
    char target[TEXT_SIZE];
    muster_error err;

    (void)snprintf(target, sizeof target, "consul://%s/web", agent.address);
    cr_assert(watched_begin(&watch, target, &err), "%s", err.message);
    await_address(0);
}

/* Times from the change on. */
static void change_once(int number, bare *query, int64_t *ret_ours_ns,
                        int64_t *ret_bare_ns)
{
    pthread_t thread;
    uint64_t start_ns;

    cr_assert_eq(pthread_create(&thread, NULL, bare_query, query), 0);
    (void)poll(NULL, 0, PAUSE_MS); /* until both block */
    start_ns = watched_now_ns();
    set_address(number);
    await_address(number);
    (void)pthread_join(thread, NULL);
    *ret_ours_ns = (int64_t)(watched_get(&watch).list_ns - start_ns);
    *ret_bare_ns = (int64_t)(query->seen_ns - start_ns);
}

Test(consul_speed, is_that_of_a_bare_query)
{
    int64_t ours_ns[N_CHANGES];
    int64_t bare_ns[N_CHANGES];
    int64_t beyond_ns[N_CHANGES];
    double ours_ms;
    double beyond_ms;
    bare query;

    set_address(0);
    watch_service();
    bare_init(&query);
    (void)bare_query(&query); /* the index */
    for (int i = 0; i < N_CHANGES; i++) {
        change_once(i + 1, &query, &ours_ns[i], &bare_ns[i]);
        beyond_ns[i] = ours_ns[i] - bare_ns[i];
    }
    ours_ms = median_ms(ours_ns);
    beyond_ms = median_ms(beyond_ns);
    printf("consul: a change is seen in %.2f ms, by a bare query in %.2f ms: "
           "%.2f ms beyond (medians of %d)\n",
           ours_ms, median_ms(bare_ns), beyond_ms, N_CHANGES);
    cr_assert_lt(ours_ms, (double)limit_ns(SEEN_MS) / 1e6);
    cr_assert_leq(beyond_ms, (double)limit_ns(BEYOND_MS) / 1e6);
    curl_easy_cleanup(query.easy);
}
