/* SPDX-License-Identifier: Apache-2.0 */
/* A server fails every call, on a connection that is sound: outlier_detection
 * keeps calls from it, and lets them come back when it is well again. */
#include <muster/plugin.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "limit.h"
#include "load.h"

const muster_plugin *muster_builtin_outlier_detection(void);

enum {
    N_SERVERS = 3,
    ALL = (1 << N_SERVERS) - 1,
    VICTIM = 1,
    N_CALLERS = 8,
    INTERVAL_MS = 500,
    THRESHOLD = 20, /* failures in a row */
    MARGIN_MS = 500 /* for timers and threads that run late */
};

typedef struct scene {
    cluster cluster;
    load *calls;
} scene;

static void open_scene(scene *self, const char *config)
{
    static const char *const flags[] = {"--delay-ms", "5", "--end-with-parent",
                                        NULL};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .policy = "outlier_detection",
                                            .policy_config_json = config};

    cr_assert_eq(muster_plugin_register(muster_builtin_outlier_detection, NULL),
                 MUSTER_OK);
    cluster_init(&self->cluster, "outliers", N_SERVERS, flags, &options);
    cluster_list_ready(&self->cluster, ALL);
    self->calls = load_start_blocking(self->cluster.channel, N_CALLERS);
}

static void close_scene(scene *self)
{
    load_stop(self->calls);
    load_destroy(self->calls);
    cluster_await_calm(&self->cluster, N_SERVERS);
    cluster_fini(&self->cluster);
}

static backend *victim(scene *self)
{
    return &self->cluster.servers[VICTIM];
}

static uint64_t answered_by_victim(scene *self)
{
    return load_answered_by(self->calls, victim(self)->port);
}

static void go_on(scene *self, uint64_t n)
{
    cr_assert(load_await(self->calls, load_ended(self->calls) + n));
}

/* ---- what is looked for ---- */

/* Only calls that were made before the ejection fail, and only on the victim.
 */
static void expect_failed_calls(scene *self, uint64_t most)
{
    uint64_t n;

    cr_assert(load_settle(self->calls)); /* those of before have ended */
    n = load_failed(self->calls);
    cr_expect_gt(n, 0);
    cr_expect_leq(n, most);
    cr_expect_eq(n, load_failed_on(self->calls, victim(self)->port));
    (void)printf("%lu calls failed\n", n);
}

static void expect_no_more_failures(scene *self)
{
    const uint64_t n_failed = load_failed(self->calls);
    const uint64_t n_answered = answered_by_victim(self);

    go_on(self, 100);
    cr_assert_eq(cluster_stats(&self->cluster).ready, N_SERVERS - 1);
    cr_expect_eq(load_failed(self->calls), n_failed);
    cr_expect_eq(answered_by_victim(self), n_answered);
}

typedef struct comeback {
    scene *scene;
    uint64_t before;
} comeback;

static bool is_used(void *arg)
{
    const comeback *self = arg;

    return answered_by_victim(self->scene) > self->before + 20;
}

/* Over the connection that it had. */
static void expect_comeback(scene *self)
{
    const uint64_t n_failed = load_failed(self->calls);
    comeback back = {.scene = self, .before = answered_by_victim(self)};

    cr_assert(backend_tell(victim(self), "error-rate 0"));
    cr_expect(eventually(is_used, &back), "it gets no calls again");
    cr_expect_eq(load_failed(self->calls), n_failed);
    cr_expect_eq(cluster_stats(&self->cluster).connections_created, N_SERVERS);
}

static void expect_counted(const scene *self, const char *method)
{
    char expected[160];
    char *json = NULL;

    (void)snprintf(expected, sizeof expected,
                   "{\"grpc.lb.outlier_detection.detection_method\":\"%s\"},"
                   "\"value\":1}",
                   method);
    cr_assert_eq(muster_channel_dump_json(self->cluster.channel, &json),
                 MUSTER_OK);
    cr_expect_not_null(strstr(json, expected), "%s", json);
    free(json);
}

/* ---- the tests ---- */

/* Returns when, at the earliest. */
static uint64_t fall_ill(scene *self)
{
    uint64_t begun_ns;

    go_on(self, 50);
    cr_assert_eq(load_failed(self->calls), 0);
    cr_assert_gt(answered_by_victim(self), 0);
    begun_ns = now_ns();
    cr_assert(backend_tell(victim(self), "error-rate 1"));
    return begun_ns;
}

/* It may fall ill within an interval: then the next one tells. */
Test(outlier_detection, ejects_a_failing_server_by_the_next_whole_interval)
{
    scene s;
    uint64_t begun_ns;
    uint64_t taken_ns;

    open_scene(&s, "{\"interval\": \"0.5s\", \"baseEjectionTime\": \"5s\", "
                   "\"failurePercentageEjection\": {\"threshold\": 50, "
                   "\"minimumHosts\": 3, \"requestVolume\": 10}}");
    begun_ns = fall_ill(&s);
    cr_assert(cluster_await_ready(&s.cluster, N_SERVERS - 1));
    taken_ns = now_ns() - begun_ns;
    (void)printf("ejected after %.0f ms\n", (double)taken_ns / 1e6);
    cr_expect_leq(taken_ns, limit_ns(2 * INTERVAL_MS + MARGIN_MS));
    expect_failed_calls(&s, UINT64_MAX);
    expect_no_more_failures(&s);
    expect_counted(&s, "failure_percentage");
    expect_comeback(&s);
    close_scene(&s);
}

/* Calls that are in flight then fail, too, and those that callers place until
 * the control thread has run. */
Test(outlier_detection, ejects_a_failing_server_after_failures_in_a_row)
{
    scene s;

    open_scene(&s, "{\"interval\": \"0.5s\", \"baseEjectionTime\": \"5s\", "
                   "\"consecutiveGatewayFailureEjection\": "
                   "{\"threshold\": 20}}");
    (void)fall_ill(&s);
    cr_assert(cluster_await_ready(&s.cluster, N_SERVERS - 1));
    expect_failed_calls(&s, THRESHOLD + 50 * N_CALLERS);
    expect_no_more_failures(&s);
    expect_counted(&s, "consecutive_gateway_failure");
    expect_comeback(&s);
    close_scene(&s);
}
