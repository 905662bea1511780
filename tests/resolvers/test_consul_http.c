/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl on a host that has no timers: it does not stop for ever. */
#include <criterion/criterion.h>

#include <http.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "http_server.h"
#include "watched.h"

enum { FDS_MAX = 16, TIMEOUT_MS = 300, WAIT_MS = 5000, BLOCKED_MS = 60000 };

/* ---- a host: it watches, and its timers are refused from some one on ---- */

typedef struct watch_entry {
    int fd;
    unsigned events;
    muster_watch_fn fn;
    void *arg;
} watch_entry;

static watch_entry watches[FDS_MAX];
static unsigned n_timers; /* that are to be had */
static muster_task_fn timer_fn;
static void *timer_arg;
static uint64_t timer_ns;

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     muster_task_fn fn, void *arg,
                                     uint64_t *ret_timer)
{
    (void)ctx;
    if (n_timers == 0) {
        return MUSTER_NOMEM;
    }
    n_timers--;
    timer_fn = fn;
    timer_arg = arg;
    timer_ns = watched_now_ns() + delay_ms * 1000000;
    *ret_timer = 1;
    return MUSTER_OK;
}

static void host_cancel(void *ctx, uint64_t timer)
{
    (void)ctx;
    (void)timer;
    timer_fn = NULL;
}

static muster_status host_watch(void *ctx, int fd, unsigned events,
                                muster_watch_fn fn, void *arg)
{
    watch_entry *free_entry = NULL;

    (void)ctx;
    for (int i = 0; i < FDS_MAX; i++) {
        if (watches[i].events != 0 && watches[i].fd == fd) {
            watches[i] = (watch_entry){fd, events, fn, arg};
            return MUSTER_OK;
        }
        free_entry = watches[i].events == 0 ? &watches[i] : free_entry;
    }
    cr_assert_not_null(free_entry);
    *free_entry = (watch_entry){fd, events, fn, arg};
    return MUSTER_OK;
}

static const muster_plugin_host host = {
    .struct_size = (uint32_t)sizeof host,
    .call_later = host_call_later,
    .cancel = host_cancel,
    .watch = host_watch,
};

static void run_timer(void)
{
    muster_task_fn fn = timer_fn;

    if (fn != NULL && watched_now_ns() >= timer_ns) {
        timer_fn = NULL;
        fn(timer_arg);
    }
}

static void run_once(void)
{
    for (int i = 0; i < FDS_MAX; i++) {
        watch_entry entry = watches[i];
        struct pollfd waited = {.fd = entry.fd};

        waited.events |= (entry.events & MUSTER_READABLE) != 0 ? POLLIN : 0;
        waited.events |= (entry.events & MUSTER_WRITABLE) != 0 ? POLLOUT : 0;
        if (entry.events == 0 || poll(&waited, 1, 0) <= 0) {
            continue;
        }
        entry.fn(entry.arg, entry.fd,
                 ((waited.revents & ~POLLOUT) != 0 ? MUSTER_READABLE : 0U) |
                     ((waited.revents & ~POLLIN) != 0 ? MUSTER_WRITABLE : 0U));
    }
    run_timer();
    (void)poll(NULL, 0, 1);
}

/* ---- a transfer that nothing but its time ends ---- */

static http_server *server;
static bool has_ended;

static void on_ended(void *private, CURLcode code)
{
    has_ended = true;
    cr_expect_eq(code, CURLE_OPERATION_TIMEDOUT);
    curl_easy_cleanup(private);
}

static bool never_answers(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_wait(exchange, BLOCKED_MS);
}

static CURL *make_transfer(void)
{
    CURL *easy = curl_easy_init();
    char url[64];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/",
                   http_server_port(server));
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, easy);
    return easy;
}

static void check(unsigned n)
{
    uint64_t start_ns = watched_now_ns();
    muster__consul_http http = {.host = &host, .ended = on_ended};
    muster_error err;
    CURL *easy = NULL;

    n_timers = n;
    cr_assert_eq(muster__consul_http_init(&http, &err), MUSTER_OK, "%s",
                 err.message);
    easy = make_transfer();
    has_ended = !muster__consul_http_add(&http, easy);
    if (has_ended) {
        curl_easy_cleanup(easy);
    }
    while (!has_ended) {
        cr_assert_lt(watched_now_ns() - start_ns, (uint64_t)WAIT_MS * 1000000,
                     "after %u timers", n);
        run_once();
    }
    muster__consul_http_fini(&http);
}

Test(consul_http, ends_transfers_without_timers, .timeout = 30)
{
    cr_assert_eq(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
    server = http_server_start(never_answers, NULL);
    cr_assert_not_null(server);
    for (unsigned n = 0; n < 6; n++) {
        check(n);
    }
    http_server_stop(server);
    curl_global_cleanup();
}
