/* SPDX-License-Identifier: Apache-2.0 */
/* Drives libcurl by curl_multi_socket_action() alone: libcurl says which
 * sockets and which time it waits for (curl.se/libcurl/c/libcurl-multi.html).
 */
#include "http.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Ends one, outside of libcurl, so that ended() may add and remove others. */
static void hand_out(muster__consul_http *http, CURL *easy, CURLcode code)
{
    void *private = NULL;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    (void)curl_multi_remove_handle(http->multi, easy);
    http->ended(private, code);
}

/* Nothing would wake them. ended() may end others of them. */
static void end_unwatched(muster__consul_http *http)
{
    while (http->n_unwatched > 0) {
        CURL *easy = http->unwatched[--http->n_unwatched];

        hand_out(http, easy, CURLE_OUT_OF_MEMORY);
    }
}

static void hand_out_ended(muster__consul_http *http)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(http->multi, &n_left)) != NULL) {
        hand_out(http, message->easy_handle, message->data.result);
    }
}

static void act(muster__consul_http *http, curl_socket_t fd, int events);

static void on_event(void *arg, int fd, unsigned events)
{
    act(arg, fd,
        ((events & MUSTER_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
            ((events & MUSTER_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *arg, int fd, unsigned events)
{
    uint64_t n_expired;

    (void)events;
    if (read(fd, &n_expired, sizeof n_expired) > 0) {
        act(arg, CURL_SOCKET_TIMEOUT, 0);
    }
}

/* ---- what libcurl calls ---- */

/* When there are more at a time, the others time out. */
static void note_unwatched(muster__consul_http *http, CURL *easy)
{
    for (unsigned i = 0; i < http->n_unwatched; i++) {
        if (http->unwatched[i] == easy) {
            return;
        }
    }
    if (http->n_unwatched < MUSTER__CONSUL_UNWATCHED_MAX) {
        http->unwatched[http->n_unwatched++] = easy;
    }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *socket_arg)
{
    muster__consul_http *http = arg;
    unsigned events = 0;

    (void)socket_arg;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        events |= (unsigned)MUSTER_READABLE;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        events |= (unsigned)MUSTER_WRITABLE;
    }
    if (http->host->watch(http->ctx, fd, events, on_event, arg) != MUSTER_OK &&
        events != 0) {
        note_unwatched(http, easy);
    }
    return 0; /* anything else would end all transfers */
}

static int on_new_time(CURLM *multi, long timeout_ms, void *arg)
{
    const muster__consul_http *http = arg;
    struct itimerspec when = {.it_value = {.tv_sec = 0}};

    (void)multi;
    if (timeout_ms >= 0) {
        when.it_value.tv_sec = timeout_ms / 1000;
        when.it_value.tv_nsec = timeout_ms % 1000 * 1000000;
    }
    if (timeout_ms == 0) {
        when.it_value.tv_nsec = 1; /* 0 would be never */
    }
    (void)timerfd_settime(http->timer, 0, &when, NULL);
    return 0; /* anything else would end all transfers */
}

/* When libcurl finds no memory to note a socket, it calls neither on_socket()
 * nor on_new_time(): nothing would wake that transfer, not even its time-out.
 */
static void act(muster__consul_http *http, curl_socket_t fd, int events)
{
    int n_running;
    CURLMcode code =
        curl_multi_socket_action(http->multi, fd, events, &n_running);

    end_unwatched(http);
    hand_out_ended(http);
    if (code != CURLM_OK) {
        http->lost(http->owner);
        http->is_broken = true;
    }
}

/* ---- life ---- */

static void forget_unwatched(muster__consul_http *http, const CURL *easy)
{
    for (unsigned i = 0; i < http->n_unwatched; i++) {
        if (http->unwatched[i] == easy) {
            http->unwatched[i] = http->unwatched[--http->n_unwatched];
        }
    }
}

static muster_status open_multi(muster__consul_http *http, muster_error *err)
{
    CURLM *multi = curl_multi_init();

    if (multi == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_new_time);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    (void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    http->multi = multi;
    muster__consul_http_limit(http, http->max_connections);
    return MUSTER_OK;
}

/* libcurl 7.88.1 may have kept a socket's entry without its table, and divides
 * by zero when the next socket has that number. No transfer is left. */
static bool mend(muster__consul_http *http)
{
    CURLM *former = http->multi;
    muster_error err;

    if (http->is_broken && open_multi(http, &err) == MUSTER_OK) {
        (void)curl_multi_cleanup(former);
        http->is_broken = false;
    }
    return !http->is_broken;
}

bool muster__consul_http_add(muster__consul_http *http, CURL *easy)
{
    return mend(http) && curl_multi_add_handle(http->multi, easy) == CURLM_OK;
}

void muster__consul_http_remove(muster__consul_http *http, CURL *easy)
{
    forget_unwatched(http, easy);
    (void)curl_multi_remove_handle(http->multi, easy);
}

/* A timer of its own: one of the host's might not be to be had when it is
 * needed, and with it would end what nothing else wakes. */
static muster_status open_timer(muster__consul_http *http, muster_error *err)
{
    const muster_plugin_host *host = http->host;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    muster_status status;

    if (fd < 0) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "timer: %s",
                                strerror(errno));
    }
    status = host->watch(http->ctx, fd, MUSTER_READABLE, on_timer, http);
    if (status != MUSTER_OK) {
        (void)close(fd);
        return muster_error_set(err, status, "a timer cannot be watched");
    }
    http->timer = fd;
    return MUSTER_OK;
}

static void close_timer(const muster__consul_http *http)
{
    (void)http->host->watch(http->ctx, http->timer, 0, NULL, NULL);
    (void)close(http->timer);
}

muster_status muster__consul_http_init(muster__consul_http *http,
                                       muster_error *err)
{
    muster_status status = open_timer(http, err);

    if (status == MUSTER_OK) {
        status = open_multi(http, err);
        if (status != MUSTER_OK) {
            close_timer(http);
        }
    }
    return status;
}

void muster__consul_http_fini(muster__consul_http *http)
{
    if (http->multi != NULL) {
        (void)curl_multi_cleanup(http->multi);
        close_timer(http);
    }
}

void muster__consul_http_limit(muster__consul_http *http,
                               uint32_t max_connections)
{
    http->max_connections = max_connections;
    (void)curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                            (long)max_connections);
}
