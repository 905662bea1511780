/* SPDX-License-Identifier: Apache-2.0 */
/* The testkit's fake transport. */
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

/* What a core would see of one connection. */
typedef struct watcher {
    muster_connectivity state;
    char reason[64];
    pthread_t thread;
    int n_reports;
} watcher;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const muster_endpoint endpoint = {.address = "10.0.0.1:80"};

static void note_state(void *ctx, muster_connectivity state, const char *reason)
{
    watcher *seen = ctx;

    (void)pthread_mutex_lock(&mutex);
    seen->state = state;
    (void)snprintf(seen->reason, sizeof seen->reason, "%s",
                   reason == NULL ? "" : reason);
    seen->thread = pthread_self();
    seen->n_reports++;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

static void await_reports(watcher *seen, int n_reports)
{
    (void)pthread_mutex_lock(&mutex);
    while (seen->n_reports < n_reports) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static muster_testkit_transport *make_kit(void)
{
    muster_testkit_transport *kit = NULL;

    cr_assert_eq(muster_testkit_transport_create(&kit), MUSTER_OK);
    return kit;
}

static void *make_connection(muster_testkit_transport *kit, watcher *seen)
{
    static const muster_transport_host host = {
        .struct_size = (uint32_t)sizeof host, .state = note_state};
    const muster_connection_env env = {.struct_size = (uint32_t)sizeof env,
                                       .host = &host,
                                       .ctx = seen,
                                       .endpoint = &endpoint,
                                       .connect_timeout_ms = 20000};
    muster_error err;
    void *connection = NULL;

    cr_assert_eq(
        muster_testkit_transport_class()->create(kit, &env, &connection, &err),
        MUSTER_OK);
    return connection;
}

static void destroy_connection(void *connection)
{
    muster_testkit_transport_class()->destroy(connection);
}

Test(testkit_transport, reports_ready_on_a_thread_of_its_own)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen = {0};
    void *connection = make_connection(kit, &seen);

    await_reports(&seen, 1);
    cr_expect_eq(seen.state, MUSTER_READY);
    cr_expect_not(pthread_equal(seen.thread, pthread_self()));
    destroy_connection(connection);
    muster_testkit_transport_destroy(kit);
}

Test(testkit_transport, reports_inside_create_when_told_so)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen = {0};
    void *connection;

    muster_testkit_transport_set_inline(kit, 1);
    connection = make_connection(kit, &seen);
    cr_expect_eq(seen.n_reports, 1);
    cr_expect_eq(seen.state, MUSTER_READY);
    destroy_connection(connection);
    muster_testkit_transport_destroy(kit);
}

Test(testkit_transport, connects_and_disconnects_on_command)
{
    muster_testkit_transport *kit = make_kit();
    muster_testkit_transport_counts counts;
    watcher seen = {0};
    void *connection;

    muster_testkit_transport_set_delay(kit, 10000);
    connection = make_connection(kit, &seen);
    cr_expect_eq(muster_testkit_transport_connect(kit, "10.0.0.1:80"), 1);
    await_reports(&seen, 1);
    cr_expect_eq(seen.state, MUSTER_READY);
    cr_expect_eq(muster_testkit_transport_connect(kit, NULL), 0);
    cr_expect_eq(muster_testkit_transport_disconnect(kit, NULL), 1);
    await_reports(&seen, 2);
    cr_expect_eq(seen.state, MUSTER_IDLE);
    destroy_connection(connection);
    muster_testkit_transport_get_counts(kit, "10.0.0.1:80", &counts);
    cr_expect_eq(counts.created, 1);
    cr_expect_eq(counts.ready, 1);
    cr_expect_eq(counts.disconnected, 1);
    cr_expect_eq(counts.destroyed, 1);
    cr_expect_eq(counts.connected, 0);
    cr_expect_eq(counts.connecting, 0);
    muster_testkit_transport_destroy(kit);
}

Test(testkit_transport, fails_on_command_with_the_reason)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen = {0};
    void *connection;

    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    connection = make_connection(kit, &seen);
    cr_expect_eq(muster_testkit_transport_fail(kit, NULL, "refused"), 1);
    await_reports(&seen, 1);
    cr_expect_eq(seen.state, MUSTER_TRANSIENT_FAILURE);
    cr_expect_str_eq(seen.reason, "refused");
    destroy_connection(connection);
    muster_testkit_transport_destroy(kit);
}

Test(testkit_transport, refuses_an_address_until_told_otherwise)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen[2] = {0};
    void *connection;

    (void)muster_testkit_transport_set_failure(kit, "10.0.0.1:80", "no route");
    connection = make_connection(kit, &seen[0]);
    await_reports(&seen[0], 1);
    cr_expect_str_eq(seen[0].reason, "no route");
    destroy_connection(connection);
    (void)muster_testkit_transport_set_failure(kit, NULL, NULL);
    connection = make_connection(kit, &seen[1]);
    await_reports(&seen[1], 1);
    cr_expect_eq(seen[1].state, MUSTER_READY);
    destroy_connection(connection);
    muster_testkit_transport_destroy(kit);
}

static int is_connected_once(void *arg,
                             const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->ready == 1;
}

Test(testkit_transport, awaits_counts)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen = {0};
    void *connection;

    cr_expect_eq(
        muster_testkit_transport_await(kit, NULL, is_connected_once, NULL, 1),
        MUSTER_TIMEOUT);
    muster_testkit_transport_set_delay(kit, 5);
    connection = make_connection(kit, &seen);
    cr_expect_eq(muster_testkit_transport_await(kit, NULL, is_connected_once,
                                                NULL, 10000),
                 MUSTER_OK);
    destroy_connection(connection);
    muster_testkit_transport_destroy(kit);
}

Test(testkit_transport, notices_a_use_after_destroy)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen = {0};
    void *connection = make_connection(kit, &seen);

    cr_expect(muster_testkit_transport_use(kit, connection));
    destroy_connection(connection);
    cr_expect_not(muster_testkit_transport_use(kit, connection));
    cr_expect(strstr(muster_testkit_transport_violations(kit),
                     "used after destroy()"));
    muster_testkit_transport_destroy(kit);
}

Test(testkit_transport, notices_a_second_destroy)
{
    muster_testkit_transport *kit = make_kit();
    watcher seen = {0};
    void *connection = make_connection(kit, &seen);

    destroy_connection(connection);
    destroy_connection(connection);
    cr_expect(
        strstr(muster_testkit_transport_violations(kit), "destroyed twice"));
    muster_testkit_transport_destroy(kit);
}
