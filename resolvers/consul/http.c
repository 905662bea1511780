/* SPDX-License-Identifier: Apache-2.0 */
/* Drives libcurl by curl_multi_socket_action() alone: libcurl says which
 * sockets and which time it waits for (curl.se/libcurl/c/libcurl-multi.html).
 */
#include "http.h"

#include "scope.h"

/* Hands out what has ended. Outside of libcurl, so that ended() may add and
 * remove transfers. */
static void hand_out(muster__consul_scope *scope)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(scope->http.multi, &n_left)) !=
           NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        void *private = NULL;

        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        (void)curl_multi_remove_handle(scope->http.multi, easy);
        scope->http.ended(private, code);
    }
}

static void act(muster__consul_scope *scope, curl_socket_t fd, int events);

static void on_event(void *arg, int fd, unsigned events)
{
    act(arg, fd,
        ((events & MUSTER_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
            ((events & MUSTER_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *arg)
{
    muster__consul_scope *scope = arg;

    scope->http.timer = 0;
    act(scope, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- what libcurl calls ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *socket_arg)
{
    const muster__consul_scope *scope = arg;
    unsigned events = 0;

    (void)easy;
    (void)socket_arg;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        events |= (unsigned)MUSTER_READABLE;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        events |= (unsigned)MUSTER_WRITABLE;
    }
    /* A socket that cannot be watched is one that times out. */
    (void)scope->host->watch(scope->ctx, fd, events, on_event, arg);
    return 0;
}

static void stop_timer(muster__consul_scope *scope)
{
    if (scope->http.timer != 0) {
        scope->host->cancel(scope->ctx, scope->http.timer);
        scope->http.timer = 0;
    }
}

/* Without memory the next event or transfer sets the timer: has_timer() looks.
 */
static void set_timer(muster__consul_scope *scope, long timeout_ms)
{
    stop_timer(scope);
    if (timeout_ms >= 0 &&
        scope->host->call_later(scope->ctx, (uint64_t)timeout_ms, on_timer,
                                scope, &scope->http.timer) != MUSTER_OK) {
        scope->http.timer = 0;
    }
}

static int on_new_time(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    set_timer(arg, timeout_ms);
    return 0; /* anything else would end all transfers */
}

/* libcurl tells a time once. False: out of memory, and it waits for one. */
static bool has_timer(muster__consul_scope *scope)
{
    long timeout_ms = -1;

    if (scope->http.timer == 0) {
        (void)curl_multi_timeout(scope->http.multi, &timeout_ms);
        set_timer(scope, timeout_ms);
    }
    return scope->http.timer != 0 || timeout_ms < 0;
}

static void act(muster__consul_scope *scope, curl_socket_t fd, int events)
{
    int n_running;

    (void)curl_multi_socket_action(scope->http.multi, fd, events, &n_running);
    hand_out(scope);
    (void)has_timer(scope);
}

/* ---- life ---- */

bool muster__consul_http_add(muster__consul_scope *scope, CURL *easy)
{
    if (curl_multi_add_handle(scope->http.multi, easy) != CURLM_OK) {
        return false;
    }
    if (!has_timer(scope)) { /* nothing would begin it */
        muster__consul_http_remove(scope, easy);
        return false;
    }
    return true;
}

void muster__consul_http_remove(muster__consul_scope *scope, CURL *easy)
{
    (void)curl_multi_remove_handle(scope->http.multi, easy);
}

muster_status muster__consul_http_init(muster__consul_scope *scope,
                                       void (*ended)(void *private,
                                                     CURLcode code),
                                       muster_error *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi;

    if (code != CURLE_OK) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "libcurl: %s",
                                curl_easy_strerror(code));
    }
    multi = curl_multi_init();
    if (multi == NULL) {
        curl_global_cleanup();
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, scope);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_new_time);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, scope);
    (void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    scope->http.multi = multi;
    scope->http.ended = ended;
    return MUSTER_OK;
}

void muster__consul_http_fini(muster__consul_scope *scope)
{
    (void)curl_multi_cleanup(scope->http.multi);
    stop_timer(scope);
    curl_global_cleanup();
}
