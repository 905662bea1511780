/* SPDX-License-Identifier: Apache-2.0 */
/* Where events go, and how many of them. */
#include "log_internal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "fork.h"
#include "loop.h"
#include "text.h"

#define LOG_MESSAGE_SIZE 1024u
#define LOG_WINDOW_NS 1000000000u
#define LOG_LINES_PER_WINDOW 20u

typedef struct log_sink {
    muster_log_fn fn;
    void *arg;
    int level; /* -1: nothing is wanted */
} log_sink;

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink sink = {NULL, NULL, -1}; /* guarded by sink_lock */

/* A copy of sink.level. Relaxed: a line more or less around a change. */
static _Atomic int wanted_level = -1;

void muster_log_set(muster_log_fn fn, void *arg, muster_log_level level)
{
    int new_level = fn != NULL ? (int)level : -1;

    if (muster__is_forked()) {
        return; /* sink_lock may be held by a thread that is not here */
    }
    pthread_mutex_lock(&sink_lock);
    sink.fn = fn;
    sink.arg = arg;
    sink.level = new_level;
    atomic_store_explicit(&wanted_level, new_level, memory_order_relaxed);
    pthread_mutex_unlock(&sink_lock);
}

bool muster__log_enabled(muster_log_level level)
{
    return (int)level <=
           atomic_load_explicit(&wanted_level, memory_order_relaxed);
}

static const char *level_name(muster_log_level level)
{
    switch (level) {
    case MUSTER_LOG_ERROR:
        return "ERROR";
    case MUSTER_LOG_WARNING:
        return "WARNING";
    case MUSTER_LOG_INFO:
        return "INFO";
    case MUSTER_LOG_DEBUG:
        return "DEBUG";
    }
    return "UNKNOWN";
}

void muster_log_to_stderr(void *arg, muster_log_level level,
                          const char *message)
{
    (void)arg;
    (void)fprintf(stderr, "muster %s %s\n", level_name(level), message);
}

static void log_deliver(muster_log_level level, const char *message)
{
    log_sink current;

    if (muster__is_forked()) {
        return;
    }
    pthread_mutex_lock(&sink_lock);
    current = sink;
    pthread_mutex_unlock(&sink_lock);
    if ((int)level <= current.level) {
        current.fn(current.arg, level, message);
    }
}

/* How many bytes the UTF-8 sequence has that begins with lead. */
static size_t sequence_size(unsigned char lead)
{
    if (lead >= 0xf0) {
        return 4;
    }
    if (lead >= 0xe0) {
        return 3;
    }
    return lead >= 0xc0 ? 2 : 1;
}

/* Takes off a UTF-8 sequence that the end of the buffer cut short. */
static void trim_cut_sequence(char *message)
{
    unsigned char *bytes = (unsigned char *)message;
    size_t end = strlen(message);
    size_t lead = end;

    do {
        if (lead == 0) {
            return;
        }
        lead--;
    } while ((bytes[lead] & 0xc0) == 0x80 && end - lead < 4);
    if (sequence_size(bytes[lead]) > end - lead) {
        bytes[lead] = '\0';
    }
}

/* Whether place may log a line now. When a new window begins, *ret_n_dropped is
 * what the last one held back. All relaxed: a race at the edge of a window
 * costs a line more or less. */
static bool place_admits(muster__log_place *place, uint32_t *ret_n_dropped)
{
    uint64_t now_ns = muster__now_ns();
    uint64_t start_ns =
        atomic_load_explicit(&place->window_start_ns, memory_order_relaxed);

    if (now_ns >= start_ns + LOG_WINDOW_NS &&
        atomic_compare_exchange_strong_explicit(
            &place->window_start_ns, &start_ns, now_ns, memory_order_relaxed,
            memory_order_relaxed)) {
        atomic_store_explicit(&place->n_in_window, 1, memory_order_relaxed);
        *ret_n_dropped = atomic_exchange_explicit(&place->n_dropped, 0,
                                                  memory_order_relaxed);
        return true;
    }
    if (atomic_fetch_add_explicit(&place->n_in_window, 1,
                                  memory_order_relaxed) <
        LOG_LINES_PER_WINDOW) {
        return true;
    }
    atomic_fetch_add_explicit(&place->n_dropped, 1, memory_order_relaxed);
    return false;
}

void muster__log_write(muster__log_place *place, muster_log_level level,
                       const char *format, ...)
{
    char message[LOG_MESSAGE_SIZE];
    uint32_t n_dropped = 0;
    va_list args;
    int n;

    if (!place_admits(place, &n_dropped)) {
        return;
    }
    if (n_dropped > 0) {
        (void)snprintf(message, sizeof message, "%u more like the last",
                       (unsigned)n_dropped);
        log_deliver(level, message);
    }
    va_start(args, format);
    n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    if ((size_t)n >= sizeof message) {
        trim_cut_sequence(message);
    }
    muster__blank_controls(message);
    log_deliver(level, message);
}
