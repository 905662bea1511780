/* SPDX-License-Identifier: Apache-2.0 */
/* The process scope of one plugin: its init, its fini, and the host between
 * them. */
#include "plugin_host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "log_internal.h"
#include "loop.h"

struct muster__host_timer {
    muster__host_timer *next;
    muster__plugin_scope *scope;
    muster__timer *timer;
    muster_task_fn fn;
    void *arg;
    uint64_t number;
};

struct muster__host_watch {
    muster__host_watch *next;
    muster__plugin_scope *scope;
    muster__poll *poll;
    muster_watch_fn fn;
    void *arg;
    int fd;
};

typedef struct host_post {
    muster__task task; /* first: the loop hands it back */
    muster__plugin_scope *scope;
    muster_task_fn fn;
    void *arg;
    uint64_t epoch;
} host_post;

static void enter(const muster__plugin_scope *scope, const char *what)
{
    muster__loop_enter_plugin(scope->descriptor->name, what);
}

/* ---- timers ---- */

static void unlink_timer(muster__host_timer *timer)
{
    muster__host_timer **at = &timer->scope->timers;

    while (*at != timer) {
        at = &(*at)->next;
    }
    *at = timer->next;
}

static void timer_destroy(muster__host_timer *timer)
{
    muster__timer_destroy(timer->timer);
    free(timer);
}

static void run_timer(void *arg)
{
    muster__host_timer *timer = arg;
    muster__plugin_scope *scope = timer->scope;
    muster_task_fn fn = timer->fn;
    void *fn_arg = timer->arg;

    /* Gone before fn runs, which may cancel it or end the scope. */
    unlink_timer(timer);
    timer_destroy(timer);
    enter(scope, "a timer of the plugin");
    fn(fn_arg);
    muster__loop_leave_plugin();
}

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     muster_task_fn fn, void *arg,
                                     uint64_t *ret_timer)
{
    muster__plugin_scope *scope = ctx;
    muster__host_timer *timer;
    muster_status status;

    if (!muster__loop_is_current()) {
        return MUSTER_UNSUPPORTED;
    }
    if (!scope->is_open) {
        return MUSTER_CLOSED;
    }
    if (fn == NULL) {
        return MUSTER_INVAL;
    }
    timer = calloc(1, sizeof *timer);
    if (timer == NULL) {
        return MUSTER_NOMEM;
    }
    *timer = (muster__host_timer){.next = scope->timers,
                                  .scope = scope,
                                  .fn = fn,
                                  .arg = arg,
                                  .number = scope->last_timer + 1};
    status = muster__timer_create(run_timer, timer, &timer->timer);
    if (status != MUSTER_OK) {
        free(timer);
        return status;
    }
    scope->timers = timer;
    scope->last_timer = timer->number;
    muster__timer_start(timer->timer, delay_ms);
    if (ret_timer != NULL) {
        *ret_timer = timer->number;
    }
    return MUSTER_OK;
}

static void host_cancel(void *ctx, uint64_t number)
{
    muster__plugin_scope *scope = ctx;
    muster__host_timer *timer;

    if (!muster__loop_is_current()) {
        return;
    }
    timer = scope->timers;
    while (timer != NULL && timer->number != number) {
        timer = timer->next;
    }
    if (timer != NULL) {
        unlink_timer(timer);
        timer_destroy(timer);
    }
}

/* ---- watches ---- */

/* Where the watch of fd hangs; where it would when there is none. */
static muster__host_watch **find_watch(muster__plugin_scope *scope, int fd)
{
    muster__host_watch **at = &scope->watches;

    while (*at != NULL && (*at)->fd != fd) {
        at = &(*at)->next;
    }
    return at;
}

static void remove_watch(muster__host_watch **at)
{
    muster__host_watch *watch = *at;

    *at = watch->next;
    muster__poll_destroy(watch->poll);
    free(watch);
}

static void run_watch(void *arg, int fd, unsigned events)
{
    muster__host_watch *watch = arg;

    enter(watch->scope, "a watch of the plugin");
    watch->fn(watch->arg, fd, events);
    muster__loop_leave_plugin();
}

static muster_status add_watch(muster__plugin_scope *scope, int fd,
                               muster__host_watch **ret_watch)
{
    muster__host_watch *watch = calloc(1, sizeof *watch);
    muster_status status;

    if (watch == NULL) {
        return MUSTER_NOMEM;
    }
    watch->scope = scope;
    watch->fd = fd;
    status = muster__poll_create(fd, run_watch, watch, &watch->poll);
    if (status != MUSTER_OK) {
        free(watch);
        return status;
    }
    watch->next = scope->watches;
    scope->watches = watch;
    *ret_watch = watch;
    return MUSTER_OK;
}

static muster_status host_watch(void *ctx, int fd, unsigned events,
                                muster_watch_fn fn, void *arg)
{
    muster__plugin_scope *scope = ctx;
    muster__host_watch **at;
    muster__host_watch *watch;
    muster_status status = MUSTER_OK;

    if (!muster__loop_is_current()) {
        return MUSTER_UNSUPPORTED;
    }
    if (!scope->is_open) {
        return MUSTER_CLOSED;
    }
    at = find_watch(scope, fd);
    if (events == 0) {
        if (*at != NULL) {
            remove_watch(at);
        }
        return MUSTER_OK;
    }
    if (fn == NULL || fd < 0) {
        return MUSTER_INVAL;
    }
    watch = *at;
    if (watch == NULL) {
        status = add_watch(scope, fd, &watch);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    watch->fn = fn;
    watch->arg = arg;
    status = muster__poll_start(watch->poll, events);
    if (status != MUSTER_OK) {
        remove_watch(find_watch(scope, fd));
    }
    return status;
}

/* ---- posts ---- */

static void run_post(muster__task *task)
{
    host_post *post = (host_post *)task;
    muster__plugin_scope *scope = post->scope;

    /* epoch changes on this thread only, so that it may be read unlocked. */
    if (post->epoch == scope->epoch && scope->is_initialised) {
        enter(scope, "a post of the plugin");
        post->fn(post->arg);
        muster__loop_leave_plugin();
    }
    free(post);
}

static muster_status host_post_task(void *ctx, muster_task_fn fn, void *arg)
{
    muster__plugin_scope *scope = ctx;
    muster_status status = MUSTER_OK;
    host_post *post;

    if (fn == NULL) {
        return MUSTER_INVAL;
    }
    post = calloc(1, sizeof *post);
    if (post == NULL) {
        return MUSTER_NOMEM;
    }
    post->task.fn = run_post;
    post->scope = scope;
    post->fn = fn;
    post->arg = arg;
    (void)pthread_mutex_lock(&scope->mutex);
    if (scope->is_open) {
        post->epoch = scope->epoch;
        /* Under the mutex: while the host is open the loop is there. */
        muster__loop_post(&post->task);
        post = NULL;
    } else {
        status = MUSTER_CLOSED;
    }
    (void)pthread_mutex_unlock(&scope->mutex);
    free(post);
    return status;
}

/* ---- the rest of the host ---- */

static void host_log(void *ctx, muster_log_level level, const char *message)
{
    const muster__plugin_scope *scope = ctx;

    if ((unsigned)level > MUSTER_LOG_DEBUG) {
        level = MUSTER_LOG_DEBUG;
    }
    muster__log(level, "plugin %s: %s", scope->descriptor->name,
                message == NULL ? "(no message)" : message);
}

static muster_status host_resolve(void *ctx, const char *name,
                                  void (*fn)(void *arg, muster_status status,
                                             const char *const *addresses,
                                             size_t n_addresses),
                                  void *arg)
{
    muster__plugin_scope *scope = ctx;

    if (!muster__loop_is_current()) {
        return MUSTER_UNSUPPORTED;
    }
    if (!scope->is_open || scope->is_ending) {
        return MUSTER_CLOSED;
    }
    if (name == NULL || *name == '\0' || fn == NULL) {
        return MUSTER_INVAL;
    }
    return muster__name_lookup_start(&scope->lookups, scope->descriptor->name,
                                     name, fn, arg);
}

static uint64_t host_now_ms(void *ctx)
{
    (void)ctx;
    return muster__now_ms();
}

static const muster_plugin_host plugin_host = {
    .struct_size = (uint32_t)sizeof(muster_plugin_host),
    .call_later = host_call_later,
    .cancel = host_cancel,
    .watch = host_watch,
    .post = host_post_task,
    .log = host_log,
    .resolve = host_resolve,
    .now_ms = host_now_ms,
};

static void open_host(muster__plugin_scope *scope)
{
    (void)pthread_mutex_lock(&scope->mutex);
    scope->is_open = true;
    (void)pthread_mutex_unlock(&scope->mutex);
    scope->is_ending = false;
}

static void close_host(muster__plugin_scope *scope)
{
    (void)pthread_mutex_lock(&scope->mutex);
    scope->is_open = false;
    scope->epoch++;
    (void)pthread_mutex_unlock(&scope->mutex);
    while (scope->timers != NULL) {
        muster__host_timer *timer = scope->timers;

        scope->timers = timer->next;
        timer_destroy(timer);
    }
    while (scope->watches != NULL) {
        remove_watch(&scope->watches);
    }
    muster__name_lookup_cancel_all(&scope->lookups);
}

/* ---- init and fini ---- */

void muster__plugin_scope_prepare(muster__plugin_scope *scope,
                                  const muster_plugin *descriptor)
{
    memset(scope, 0, sizeof *scope);
    scope->descriptor = descriptor;
    (void)pthread_mutex_init(&scope->mutex, NULL);
}

void muster__plugin_scope_release(muster__plugin_scope *scope)
{
    (void)pthread_mutex_destroy(&scope->mutex);
}

static muster_status run_init(muster__plugin_scope *scope, muster_error *err)
{
    const muster_plugin *descriptor = scope->descriptor;
    void *shared = NULL;
    muster_error why = {.code = MUSTER_OK};
    muster_status status = MUSTER_OK;

    open_host(scope);
    if (descriptor->init != NULL) {
        enter(scope, "init");
        status = descriptor->init(&plugin_host, scope, &shared, &why);
        muster__loop_leave_plugin();
    }
    if (status != MUSTER_OK) {
        close_host(scope);
        why.message[sizeof why.message - 1] = '\0';
        return muster_error_set(
            err, status, "plugin %s cannot start: %.400s", descriptor->name,
            why.message[0] != '\0' ? why.message : muster_status_text(status));
    }
    scope->shared = shared;
    scope->is_initialised = true;
    return MUSTER_OK;
}

muster_status muster__plugin_scope_use(muster__plugin_scope *scope,
                                       void **ret_shared, muster_error *err)
{
    muster_status status = MUSTER_OK;

    assert(muster__loop_is_current());
    if (scope->is_leaked && !scope->is_open) {
        return muster_error_set(err, MUSTER_BUSY,
                                "plugin %s did not stop when it was told to; "
                                "it is not started again",
                                scope->descriptor->name);
    }
    if (!scope->is_initialised) {
        status = run_init(scope, err);
    }
    if (status == MUSTER_OK) {
        scope->n_users++;
        *ret_shared = scope->shared;
    }
    return status;
}

void muster__plugin_scope_unuse(muster__plugin_scope *scope)
{
    assert(muster__loop_is_current());
    assert(scope->n_users > 0);
    scope->n_users--;
}

void muster__plugin_scope_leak(muster__plugin_scope *scope)
{
    assert(muster__loop_is_current());
    scope->is_leaked = true;
}

void muster__plugin_scope_end_lookups(muster__plugin_scope *scope)
{
    scope->is_ending = true;
    muster__name_lookup_cancel_all(&scope->lookups);
}

void muster__plugin_scope_end(muster__plugin_scope *scope)
{
    if (!scope->is_initialised) {
        return;
    }
    if (scope->is_leaked) {
        close_host(scope);
        return;
    }
    if (scope->n_users > 0) {
        return;
    }
    if (scope->descriptor->fini != NULL) {
        enter(scope, "fini");
        scope->descriptor->fini(scope->shared);
        muster__loop_leave_plugin();
    }
    scope->is_initialised = false;
    scope->shared = NULL;
    close_host(scope);
}
