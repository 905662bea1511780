/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while the only endpoint of a channel fails to
 * connect, each in a run of its own: it is tried again, though neither the list
 * nor another endpoint changes. And while there is no memory at all it is not
 * tried all the time. */
#include <muster/muster.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "loop.h"
#include "passes.h"
#include "script_resolver.h"

enum { REFUSALS = 4, TURNS = 5000, HANG_S = 20, LONG_MS = 600000 };

/* ---- a transport that needs no memory ---- */

typedef enum mood {
    REFUSE_LATER, /* when refuse() is called */
    REFUSE,
    ACCEPT
} mood;

static atomic_int present_mood;
static atomic_uint n_refused;
static const muster_connection_env *_Atomic under_way; /* to be refused later */

static muster_status transport_create(void *arg,
                                      const muster_connection_env *env,
                                      void **ret_connection, muster_error *err)
{
    (void)err;
    *ret_connection = arg;
    switch ((mood)atomic_load(&present_mood)) {
    case REFUSE_LATER:
        atomic_store(&under_way, env);
        break;
    case REFUSE:
        atomic_fetch_add(&n_refused, 1);
        env->host->state(env->ctx, MUSTER_TRANSIENT_FAILURE, "refused");
        break;
    case ACCEPT:
        env->host->state(env->ctx, MUSTER_READY, NULL);
        break;
    }
    return MUSTER_OK;
}

static void transport_destroy(void *connection)
{
    (void)connection;
}

static const muster_transport_class transport = {
    .struct_size = sizeof transport,
    .name = "moody",
    .create = transport_create,
    .destroy = transport_destroy,
};

/* From now on each attempt is refused, the one under way first. */
static void refuse(void)
{
    const muster_connection_env *env = atomic_load(&under_way);

    atomic_store(&present_mood, REFUSE);
    env->host->state(env->ctx, MUSTER_TRANSIENT_FAILURE, "refused");
}

/* ---- turns of the control thread: need no memory ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned turns_left; /* by mutex */

static void on_turn(muster__task *task)
{
    pthread_mutex_lock(&mutex);
    turns_left = atomic_load(&n_refused) < REFUSALS ? turns_left - 1 : 0;
    if (turns_left > 0) {
        muster__loop_post(task);
    } else {
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&mutex);
}

/* Until enough attempts were refused, or many turns are over. */
static void await_refusals(void)
{
    static muster__task task = {.fn = on_turn};

    pthread_mutex_lock(&mutex);
    turns_left = TURNS;
    muster__loop_post(&task);
    while (turns_left > 0) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- the runs ---- */

static muster_channel_stats stats_of(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
    return stats;
}

static muster_channel *open_channel(uint64_t backoff_ms)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = backoff_ms,
                                            .max_backoff_ms = backoff_ms,
                                            .failover_timeout_ms = LONG_MS,
                                            .transport = &transport,
                                            .transport_arg = &present_mood};
    const char *const address = "10.0.0.1:1";
    muster_channel *channel = NULL;

    (void)alarm(HANG_S * 2);
    atomic_store(&present_mood, REFUSE_LATER);
    atomic_store(&under_way, NULL);
    atomic_store(&n_refused, 0);
    if (muster_channel_create("script:///backoff", &options, &channel, NULL) !=
        MUSTER_OK) {
        passes_die("no channel");
    }
    script_report_addresses("backoff", &address, 1);
    while (atomic_load(&under_way) == NULL) {
        (void)stats_of(channel);
    }
    return channel;
}

/* Memory is back, and so is the server. */
static void recover(muster_channel *channel)
{
    const time_t begin = time(NULL);

    atomic_store(&present_mood, ACCEPT);
    while (stats_of(channel).ready != 1) {
        if (time(NULL) > begin + HANG_S) {
            passes_die("not tried again after memory came back");
        }
    }
}

static void close_channel(muster_channel *channel)
{
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}

static bool run(void *arg, const passes_failure *failure)
{
    muster_channel *channel = open_channel(1);
    bool has_failed;

    (void)arg;
    failing_malloc_arm(failure->countdown, failure->n);
    refuse();
    await_refusals();
    has_failed = failing_malloc_disarm();
    recover(channel);
    close_channel(channel);
    return has_failed;
}

/* Its backoff outlasts the test, but for a reset, which finds no memory. */
static void be_patient(void)
{
    muster_channel *channel = open_channel(LONG_MS);

    failing_malloc_arm(1, INT64_MAX);
    refuse();
    muster_channel_reset_backoff(channel);
    await_refusals();
    (void)failing_malloc_disarm();
    if (stats_of(channel).connections_failed > 2) {
        passes_die("tried all the time although there is no memory");
    }
    muster_channel_reset_backoff(channel);
    recover(channel);
    close_channel(channel);
}

int main(int argc, char **argv)
{
    script_register();
    be_patient();
    return passes_run(argc, argv, run, NULL);
}
