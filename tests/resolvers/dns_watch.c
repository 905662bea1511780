/* SPDX-License-Identifier: Apache-2.0 */
/* Watches of dns targets, and what they saw. */
#include "dns_watch.h"

#include <muster/plugin.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const muster_plugin *muster_builtin_dns(void);

enum { EVENTS_MAX = 4096, LINES_MAX = 1024, TARGET_SIZE = 2048 };

struct dns_watch {
    muster_watch *watch;
    dns_event *events[EVENTS_MAX]; /* by mutex, as all of it */
    size_t n;
    size_t next; /* the first that was not awaited */
};

/* changed: an event or a line of the log has come. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static char *lines[LINES_MAX];
static size_t n_lines;

uint64_t dns_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static struct timespec deadline(void)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += DNS_WAIT_MS / 1000;
    return end;
}

/* ---- the world ---- */

static void keep_line(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    (void)pthread_mutex_lock(&mutex);
    if (n_lines < LINES_MAX) {
        lines[n_lines++] = strdup(message);
    }
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

void dns_world_open(void)
{
    pthread_condattr_t attributes;

    cr_assert_eq(pthread_condattr_init(&attributes), 0);
    cr_assert_eq(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), 0);
    cr_assert_eq(pthread_cond_init(&changed, &attributes), 0);
    (void)pthread_condattr_destroy(&attributes);
    muster_log_set(keep_line, NULL, MUSTER_LOG_DEBUG);
    cr_assert_eq(muster_plugin_register(muster_builtin_dns, NULL), MUSTER_OK);
}

void dns_world_close(void)
{
    const uint64_t end_ns = dns_now_ns() + UINT64_C(10000000000);
    muster_status status = MUSTER_BUSY;

    while (status == MUSTER_BUSY && dns_now_ns() < end_ns) {
        status = muster_shutdown();
        (void)sched_yield();
    }
    cr_expect_eq(status, MUSTER_OK, "%s", muster_status_name(status));
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    while (n_lines > 0) {
        free(lines[--n_lines]);
    }
}

static size_t count_lines_locked(const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < n_lines; i++) {
        n += strstr(lines[i], text) != NULL;
    }
    return n;
}

size_t dns_world_count_lines(const char *text)
{
    size_t n;

    (void)pthread_mutex_lock(&mutex);
    n = count_lines_locked(text);
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

void dns_world_await_line(const char *text)
{
    const struct timespec end = deadline();
    int waited = 0;

    (void)pthread_mutex_lock(&mutex);
    while (count_lines_locked(text) == 0 && waited == 0) {
        waited = pthread_cond_timedwait(&changed, &mutex, &end);
    }
    (void)pthread_mutex_unlock(&mutex);
    cr_assert_eq(waited, 0, "no line with \"%s\" was logged", text);
}

/* ---- events ---- */

static char *text_of(const muster_endpoint *endpoint)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    (void)fprintf(out, "%s", endpoint->address);
    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        (void)fprintf(out, "+%s", endpoint->more_addresses[i]);
    }
    if (endpoint->weight > 1) {
        (void)fprintf(out, "*%u", endpoint->weight);
    }
    if (endpoint->priority > 0) {
        (void)fprintf(out, "@%u", endpoint->priority);
    }
    (void)fclose(out);
    return text;
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *list_of(const muster_watch_event *event)
{
    char **texts = calloc(event->n_endpoints + 1, sizeof *texts);
    char *list = NULL;
    size_t size;
    FILE *out = open_memstream(&list, &size);

    if (texts == NULL || out == NULL) {
        abort();
    }
    for (size_t i = 0; i < event->n_endpoints; i++) {
        texts[i] = text_of(&event->endpoints[i]);
    }
    qsort(texts, event->n_endpoints, sizeof *texts, compare);
    for (size_t i = 0; i < event->n_endpoints; i++) {
        (void)fprintf(out, i == 0 ? "%s" : " %s", texts[i]);
        free(texts[i]);
    }
    (void)fclose(out);
    free(texts);
    return list;
}

static void on_event(void *arg, const muster_watch_event *event)
{
    dns_watch *watch = arg;
    const char *config = event->service_config;
    dns_event *kept = calloc(1, sizeof *kept);

    if (kept == NULL || watch->n == EVENTS_MAX) {
        abort(); /* Criterion cannot end a test from here */
    }
    *kept = (dns_event){.type = event->type,
                        .time_ns = dns_now_ns(),
                        .list = list_of(event),
                        .n_endpoints = event->n_endpoints,
                        .age_ms = event->age_ms,
                        .status = event->status,
                        .message = strdup(event->message),
                        .service_config = strdup(config != NULL ? config : "")};
    (void)pthread_mutex_lock(&mutex);
    watch->events[watch->n++] = kept;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

static const char *type_name(muster_watch_type type)
{
    return type == MUSTER_WATCH_LIST    ? "list"
           : type == MUSTER_WATCH_ERROR ? "error"
                                        : "fresh";
}

static void print_locked(const dns_watch *watch)
{
    for (size_t i = 0; i < watch->n; i++) {
        const dns_event *event = watch->events[i];

        (void)fprintf(stderr, "%8.3f s %s \"%.200s\" %s %s\n",
                      (double)(event->time_ns - watch->events[0]->time_ns) /
                          1e9,
                      type_name(event->type), event->list, event->message,
                      event->service_config);
    }
}

static bool fits(const dns_event *event, muster_watch_type type,
                 const char *text)
{
    if (event->type != type || text == NULL) {
        return event->type == type;
    }
    return type == MUSTER_WATCH_ERROR ? strstr(event->message, text) != NULL
                                      : strcmp(event->list, text) == 0;
}

static const dns_event *find_locked(dns_watch *watch, muster_watch_type type,
                                    const char *text)
{
    while (watch->next < watch->n) {
        const dns_event *event = watch->events[watch->next++];

        if (fits(event, type, text)) {
            return event;
        }
    }
    return NULL;
}

const dns_event *dns_watch_await(dns_watch *watch, muster_watch_type type,
                                 const char *text)
{
    const struct timespec end = deadline();
    const dns_event *event;
    int waited = 0;

    (void)pthread_mutex_lock(&mutex);
    event = find_locked(watch, type, text);
    while (event == NULL && waited == 0) {
        waited = pthread_cond_timedwait(&changed, &mutex, &end);
        event = find_locked(watch, type, text);
    }
    if (event == NULL) {
        print_locked(watch);
    }
    (void)pthread_mutex_unlock(&mutex);
    cr_assert_not_null(event, "no %s \"%s\" came", type_name(type),
                       text != NULL ? text : "");
    return event;
}

static bool has_list_locked(const dns_watch *watch, const char *text)
{
    for (size_t i = watch->n; i > 0; i--) {
        if (watch->events[i - 1]->type == MUSTER_WATCH_LIST) {
            return strcmp(watch->events[i - 1]->list, text) == 0;
        }
    }
    return false;
}

void dns_watch_await_list(dns_watch *watch, const char *text)
{
    const struct timespec end = deadline();
    int waited = 0;

    (void)pthread_mutex_lock(&mutex);
    while (!has_list_locked(watch, text) && waited == 0) {
        waited = pthread_cond_timedwait(&changed, &mutex, &end);
    }
    if (waited != 0) {
        print_locked(watch);
    }
    watch->next = watch->n;
    (void)pthread_mutex_unlock(&mutex);
    cr_assert_eq(waited, 0, "the list \"%.200s\" did not come", text);
}

size_t dns_watch_count(dns_watch *watch, muster_watch_type type)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < watch->n; i++) {
        n += watch->events[i]->type == type;
    }
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

const dns_event *dns_watch_last(dns_watch *watch)
{
    const dns_event *event;

    (void)pthread_mutex_lock(&mutex);
    event = watch->n > 0 ? watch->events[watch->n - 1] : NULL;
    (void)pthread_mutex_unlock(&mutex);
    return event;
}

/* ---- watches ---- */

dns_watch *dns_watch_open(const char *format, ...)
{
    dns_watch *watch = calloc(1, sizeof *watch);
    char target[TARGET_SIZE];
    muster_error err = {.message = ""};
    va_list args;

    cr_assert_not_null(watch);
    va_start(args, format);
    (void)vsnprintf(target, sizeof target, format, args);
    va_end(args);
    cr_assert_eq(
        muster_watch_create(target, on_event, watch, &watch->watch, &err),
        MUSTER_OK, "%s: %s", target, err.message);
    return watch;
}

void dns_watch_close(dns_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    muster_watch_destroy(watch->watch);
    for (size_t i = 0; i < watch->n; i++) {
        free(watch->events[i]->list);
        free(watch->events[i]->message);
        free(watch->events[i]->service_config);
        free(watch->events[i]);
    }
    free(watch);
}

void dns_watch_refresh(dns_watch *watch)
{
    muster_watch_refresh(watch->watch);
}

static void ignore(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

void dns_watch_expect_refusal(const char *target, const char *text)
{
    muster_watch *watch = NULL;
    muster_error err = {.message = ""};

    cr_assert_eq(muster_watch_create(target, ignore, NULL, &watch, &err),
                 MUSTER_INVAL, "%s", target);
    cr_expect_not_null(strstr(err.message, text), "%s: %s", target,
                       err.message);
}
