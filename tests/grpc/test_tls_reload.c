/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that change while calls run on connections made with the old
 * ones. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/log.h>

#include "backend.h"
#include "calling.h"
#include "certificates.h"

enum {
    N_SERVERS = 4,
    N_CALLERS = 2,
    INTERVAL_MS = 20,
    LIMIT_S = 30,
    HOUR_MS = 3600000
};

/* What is in use, under names of its own: changing it leaves the rest. */
static certificates made;
static backend servers[N_SERVERS];
static muster_channel *channel;

/* Servers end each connection soon, and C core channels go on with the next. */
static bool are_lost_often;

static void replace(const char *from, const char *to)
{
    cr_assert(certificates_replace(&made, from, to));
}

static void replace_pair(const char *from, const char *to)
{
    cr_assert(certificates_replace_pair(&made, from, to));
}

/* ---- the log ---- */

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_changed = PTHREAD_COND_INITIALIZER;
static unsigned n_refusals;

static void count_refusals(void *arg, muster_log_level level,
                           const char *message)
{
    (void)arg;
    if (level == MUSTER_LOG_WARNING &&
        strstr(message, "TLS uses stays as it is") != NULL) {
        (void)pthread_mutex_lock(&log_mutex);
        n_refusals++;
        (void)pthread_cond_broadcast(&log_changed);
        (void)pthread_mutex_unlock(&log_mutex);
    }
}

static void await_refusals(unsigned n)
{
    (void)pthread_mutex_lock(&log_mutex);
    while (n_refusals < n) {
        (void)pthread_cond_wait(&log_changed, &log_mutex);
    }
    (void)pthread_mutex_unlock(&log_mutex);
}

/* ---- servers and the channel ---- */

static void start_servers(void)
{
    const certificates_path certificate =
        certificates_find(&made, "server-now");
    const certificates_path key = certificates_find(&made, "server-now-key");
    const certificates_path ca = certificates_find(&made, "both-ca");
    const char *const flags[] = {"--tls-certificate",
                                 certificate.text,
                                 "--tls-key",
                                 key.text,
                                 "--tls-client-ca",
                                 ca.text,
                                 "--tls-client-certificate",
                                 "require-and-verify",
                                 are_lost_often ? "--max-connection-age-ms"
                                                : NULL,
                                 "500",
                                 NULL};

    for (int i = 0; i < N_SERVERS; i++) {
        cr_assert(backend_start(&servers[i], flags));
    }
}

static void connect_all(void)
{
    const certificates_path ca = certificates_find(&made, "ca-now");
    const certificates_path certificate =
        certificates_find(&made, "client-now");
    const certificates_path key = certificates_find(&made, "client-now-key");
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls,
                                         .ca_file = ca.text,
                                         .certificate_file = certificate.text,
                                         .key_file = key.text,
                                         .reload_interval_ms = INTERVAL_MS};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .tls = &tls,
        .keepalive_time_ms = are_lost_often ? HOUR_MS : 0};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 20,
                                            .max_backoff_ms = 50,
                                            .policy_config_json =
                                                "{\"strict\": true}",
                                            .policy = "round_robin"};
    char target[640];
    muster_error err;

    (void)snprintf(target, sizeof target, "static:///%s,%s,%s,%s",
                   servers[0].address, servers[1].address, servers[2].address,
                   servers[3].address);
    cr_assert_eq(muster_grpc_channel_create(target, &options, &grpc_options,
                                            &channel, &err),
                 MUSTER_OK, "%s", err.message);
}

static muster_channel_stats stats_now(void)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
    return stats;
}

static void begin(void)
{
    muster_log_set(count_refusals, NULL, MUSTER_LOG_WARNING);
    cr_assert(certificates_make(&made));
    replace_pair("server", "server-now");
    replace_pair("client", "client-now");
    replace("ca", "ca-now");
    start_servers();
    connect_all();
    while (stats_now().ready < N_SERVERS) {
        cr_assert_eq(ask(channel, "", &patient, NULL), GRPC_STATUS_OK);
    }
}

static void end(void)
{
    muster_channel_destroy(channel);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
    }
    certificates_remove(&made);
}

static void begin_with_losses(void)
{
    are_lost_often = true;
    begin();
}

TestSuite(grpc_tls_reload, .init = begin, .fini = end, .timeout = 120);

/* ---- who the servers see ---- */

/* The common name of the certificate that one server sees of this client. */
static bool is_seen_as(const char *name)
{
    muster_call *call = NULL;
    muster_call_result result;
    char *answer;
    const char *seen;
    bool is_it;

    cr_assert_eq(
        muster_call_create(channel, "/echo.Echo/Peer", NULL, &call, NULL),
        MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_assert_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    answer = text_of(result.response);
    seen = strchr(answer, ' ');
    is_it = seen != NULL && strcmp(seen + 1, name) == 0;
    free(answer);
    muster_call_destroy(call);
    return is_it;
}

/* Until no server sees another one, whichever connection it is: callers beside
 * this one take turns, too, and so many calls leave no server out. */
static void await_seen_as(const char *name)
{
    const uint64_t limit_ns = now_ns() + LIMIT_S * 1000 * MILLISECOND;
    int n_in_a_row = 0;

    while (n_in_a_row < 25 * N_SERVERS) {
        n_in_a_row = is_seen_as(name) ? n_in_a_row + 1 : 0;
        cr_assert(now_ns() < limit_ns, "still not seen as %s", name);
    }
}

static uint64_t sum_of(const char *count)
{
    uint64_t sum = 0;

    for (int i = 0; i < N_SERVERS; i++) {
        sum += backend_count(&servers[i], count);
    }
    return sum;
}

/* The old ones are closed, too. */
static void await_one_connection_each(void)
{
    const uint64_t limit_ns = now_ns() + LIMIT_S * 1000 * MILLISECOND;

    while (sum_of("connections") != N_SERVERS) {
        cr_assert(now_ns() < limit_ns);
    }
}

/* ---- load ---- */

typedef struct load {
    pthread_t threads[N_CALLERS];
    atomic_bool is_ending;
    _Atomic uint64_t n_calls;
    _Atomic uint64_t n_failed;
    sem_t has_called; /* posted once */
} load;

static void *call_all_the_time(void *arg)
{
    load *self = arg;

    while (!atomic_load(&self->is_ending)) {
        char *answer;

        if (ask(channel, "x", NULL, &answer) != GRPC_STATUS_OK) {
            (void)fprintf(stderr, "%s\n", answer);
            atomic_fetch_add(&self->n_failed, 1);
        }
        if (atomic_fetch_add(&self->n_calls, 1) == 0) {
            (void)sem_post(&self->has_called);
        }
        free(answer);
    }
    return NULL;
}

/* Returns when a call was made. */
static void load_begin(load *self)
{
    memset(self, 0, sizeof *self);
    cr_assert_eq(sem_init(&self->has_called, 0, 0), 0);
    for (int i = 0; i < N_CALLERS; i++) {
        cr_assert_eq(
            pthread_create(&self->threads[i], NULL, call_all_the_time, self),
            0);
    }
    (void)sem_wait(&self->has_called);
}

static void load_end(load *self)
{
    atomic_store(&self->is_ending, true);
    for (int i = 0; i < N_CALLERS; i++) {
        (void)pthread_join(self->threads[i], NULL);
    }
    (void)sem_destroy(&self->has_called);
    cr_expect_gt(atomic_load(&self->n_calls), 0);
    cr_expect_eq(atomic_load(&self->n_failed), 0);
}

/* ---- the tests ---- */

/* As it is done in earnest: first both authorities are trusted, then the pairs
 * change, at last only the new authority is trusted. */
Test(grpc_tls_reload, moves_every_connection_and_fails_no_call)
{
    load l;
    uint64_t n_accepted;

    cr_assert(is_seen_as("client"));
    load_begin(&l);
    replace("both-ca", "ca-now");
    replace_pair("other-server", "server-now");
    replace_pair("other-client", "client-now");
    await_seen_as("other-client");
    n_accepted = sum_of("accepted");
    replace("other-ca", "ca-now");
    while (sum_of("accepted") < n_accepted + N_SERVERS) {
        /* New connections are being made, by the new authority alone. */
    }
    await_one_connection_each();
    cr_expect(is_seen_as("other-client"));
    load_end(&l);
    cr_expect_eq(stats_now().ready, N_SERVERS);
}

Test(grpc_tls_reload, keeps_the_last_good_pair_and_says_so_once)
{
    load l;

    load_begin(&l);
    replace("other-client-key", "client-now-key");
    await_refusals(1);
    cr_expect(is_seen_as("client"));
    /* Many looks at it later it has been said once. */
    replace("both-ca", "ca-now");
    cr_expect(is_seen_as("client"));
    replace("other-client", "client-now");
    await_seen_as("other-client");
    load_end(&l);
    cr_expect_eq(n_refusals, 1);
}

Test(grpc_tls_reload, keeps_what_it_has_while_a_file_is_being_written)
{
    load l;

    load_begin(&l);
    cr_assert(certificates_write(&made, "client-now", "-----BEGIN CERTIF"));
    await_refusals(1);
    cr_assert(certificates_write(&made, "ca-now", ""));
    await_refusals(2);
    cr_expect(is_seen_as("client"));
    replace("ca", "ca-now");
    replace_pair("other-client", "client-now");
    await_seen_as("other-client");
    load_end(&l);
}

/* The new authority did not sign the servers' certificates. */
Test(grpc_tls_reload, keeps_connections_that_new_ones_cannot_replace)
{
    const muster_channel_stats before = stats_now();
    load l;

    load_begin(&l);
    replace("other-ca", "ca-now");
    while (stats_now().connections_failed < before.connections_failed + 8) {
        cr_expect(is_seen_as("client"));
    }
    cr_expect_eq(stats_now().ready, N_SERVERS);
    replace("ca", "ca-now");
    while (stats_now().connections_ready < before.connections_ready + 4) {
        cr_expect(is_seen_as("client"));
    }
    await_one_connection_each();
    load_end(&l);
}

/* What is kept of a lost connection has the old certificate. */
Test(grpc_tls_reload, leaves_nothing_old_to_connections_that_follow_lost_ones,
     .init = begin_with_losses)
{
    load l;
    uint64_t n_accepted;

    cr_assert(is_seen_as("client"));
    load_begin(&l);
    replace("both-ca", "ca-now");
    replace_pair("other-client", "client-now");
    await_seen_as("other-client");
    n_accepted = sum_of("accepted");
    while (sum_of("accepted") < n_accepted + 4 * N_SERVERS) {
        cr_expect(is_seen_as("other-client"));
    }
    load_end(&l);
}
