/* SPDX-License-Identifier: Apache-2.0 */
/* A process with hostile plugins in it. */
#include "world.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostile/hang.h"
#include "limit.h"
#include "loop.h"
#include "plugin_files.h"
#include "timing.h"

/* For what takes no time, but where a million endpoints are copied. */
enum { PATIENCE_S = 10 * LIMIT_FACTOR };

enum { MAX_LINES = 512, LINE_SIZE = 256 };

/* Everything that may change is guarded by mutex; changed says it did. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char lines[MAX_LINES][LINE_SIZE];
static size_t n_lines;
static int hang_pipe[2] = {-1, -1};

struct world_watch {
    muster_watch *watch;
    size_t n_lists;     /* guarded by mutex */
    size_t n_endpoints; /* guarded by mutex */
};

static void keep_line(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    (void)pthread_mutex_lock(&mutex);
    if (n_lines < MAX_LINES) {
        (void)snprintf(lines[n_lines++], LINE_SIZE, "%s", message);
    }
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

void world_open(void)
{
    char number[16];

    cr_assert_eq(setenv("MUSTER_PLUGIN_PATH", built_plugin(""), 1), 0);
    cr_assert_eq(pipe2(hang_pipe, O_CLOEXEC), 0);
    (void)snprintf(number, sizeof number, "%d", hang_pipe[0]);
    cr_assert_eq(setenv(HANG_VARIABLE, number, 1), 0);
    muster_log_set(keep_line, NULL, MUSTER_LOG_DEBUG);
    muster__timing_scale_for_test(10);
}

static struct timespec deadline_in(time_t seconds)
{
    struct timespec deadline;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += seconds;
    return deadline;
}

static bool has_passed(const struct timespec *deadline)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > deadline->tv_sec ||
           (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

void world_release_hangs(void)
{
    if (hang_pipe[1] >= 0) {
        (void)close(hang_pipe[1]);
        hang_pipe[1] = -1;
    }
}

void world_close(void)
{
    const struct timespec deadline = deadline_in(PATIENCE_S);
    muster_status status = MUSTER_BUSY;

    world_release_hangs();
    while (status == MUSTER_BUSY && !has_passed(&deadline)) {
        status = muster_shutdown();
        (void)sched_yield();
    }
    cr_expect_eq(status, MUSTER_OK, "%s", muster_status_name(status));
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    (void)close(hang_pipe[0]);
}

static size_t count_locked(const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < n_lines; i++) {
        n += strstr(lines[i], text) != NULL;
    }
    return n;
}

size_t world_count_lines(const char *text)
{
    size_t n;

    (void)pthread_mutex_lock(&mutex);
    n = count_locked(text);
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

void world_await_line(const char *text)
{
    const struct timespec deadline = deadline_in(PATIENCE_S);
    int error = 0;

    (void)pthread_mutex_lock(&mutex);
    while (count_locked(text) == 0 && error == 0) {
        error = pthread_cond_timedwait(&changed, &mutex, &deadline);
    }
    (void)pthread_mutex_unlock(&mutex);
    cr_assert_eq(error, 0, "no line with \"%s\" was logged", text);
}

void world_await_stuck(const char *who, const char *what)
{
    char line[LINE_SIZE];

    (void)snprintf(line, sizeof line,
                   "plugin %s: %s has been holding the control thread", who,
                   what);
    world_await_line(line);
}

/* Ten times what it is here. */
void world_expect_ended_in_time(uint64_t began_ns)
{
    cr_expect_lt(muster__now_ns() - began_ns, limit_ns(MUSTER__STUCK_CALL_MS));
}

static void on_event(void *arg, const muster_watch_event *event)
{
    world_watch *watch = arg;

    if (event->type != MUSTER_WATCH_LIST) {
        return;
    }
    (void)pthread_mutex_lock(&mutex);
    watch->n_lists++;
    watch->n_endpoints = event->n_endpoints;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

muster_status world_watch_create(const char *target, world_watch **ret_watch)
{
    world_watch *watch = calloc(1, sizeof *watch);
    muster_error err = {.code = MUSTER_OK, .message = ""};
    muster_status status;

    cr_assert_not_null(watch);
    status = muster_watch_create(target, on_event, watch, &watch->watch, &err);
    cr_expect_lt(strnlen(err.message, sizeof err.message), sizeof err.message);
    if (status != MUSTER_OK) {
        free(watch);
        return status;
    }
    *ret_watch = watch;
    return MUSTER_OK;
}

void world_watch_refresh(world_watch *watch)
{
    muster_watch_refresh(watch->watch);
}

void world_watch_destroy(world_watch *watch)
{
    muster_watch_destroy(watch->watch);
    free(watch);
}

void world_await_list(world_watch *watch, size_t n_endpoints)
{
    const struct timespec deadline = deadline_in(30);
    int error = 0;

    (void)pthread_mutex_lock(&mutex);
    while ((watch->n_lists == 0 || watch->n_endpoints != n_endpoints) &&
           error == 0) {
        error = pthread_cond_timedwait(&changed, &mutex, &deadline);
    }
    (void)pthread_mutex_unlock(&mutex);
    cr_assert_eq(error, 0, "no list of %zu endpoints came", n_endpoints);
}

size_t world_count_lists(world_watch *watch)
{
    size_t n;

    (void)pthread_mutex_lock(&mutex);
    n = watch->n_lists;
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

/* A plugin that was just let go holds the control thread until that is given a
 * processor. */
static void await_control_thread(void)
{
    cr_assert_eq(muster__loop_acquire(NULL), MUSTER_OK);
    cr_expect_eq(muster__loop_call(do_nothing, NULL, 30000), MUSTER_OK);
    muster__loop_release();
}

void world_expect_works(void)
{
    const muster_channel_options options = {
        .struct_size = (uint32_t)sizeof options, .policy = "round_robin"};
    muster_channel *channel = NULL;
    muster_error err = {.message = ""};
    muster_lease lease;

    await_control_thread();
    cr_assert_eq(muster_channel_create("good:///x", &options, &channel, &err),
                 MUSTER_OK, "%s", err.message);
    cr_expect_eq(muster_channel_pick_wait(channel, NULL, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    muster_lease_finish(&lease, NULL);
    muster_channel_destroy(channel);
}
