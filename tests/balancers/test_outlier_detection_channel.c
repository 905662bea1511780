/* SPDX-License-Identifier: Apache-2.0 */
/* The policy outlier_detection on a real channel, over the fake transport. */
#include "channel_fixture.h"

#include <stdbool.h>
#include <stdlib.h>

#define TARGET "outliers"

enum { LONG_MS = 60000, UNAVAILABLE = 14 };

const muster_plugin *muster_builtin_outlier_detection(void);

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static const muster_outcome failed = {.struct_size = sizeof failed,
                                      .flags = MUSTER_OUTCOME_FROM_SERVER,
                                      .status = UNAVAILABLE};

static void open_channel(const char *config)
{
    const muster_channel_options options = {.policy = "outlier_detection",
                                            .policy_config_json = config,
                                            .initial_backoff_ms = 5,
                                            .max_backoff_ms = 20};

    open_registered(muster_builtin_outlier_detection, "script:///" TARGET,
                    options);
    script_report_addresses(TARGET, abc, 3);
    AWAIT(stats().ready == 3);
}

/* Where a call goes, which ends well unless it goes to bad. */
static const char *place(const char *bad)
{
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY,
                             .deadline_ns = in_ms(LONG_MS)};
    muster_lease lease = {0};
    const char *address;

    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, NULL),
                 MUSTER_OK);
    address = muster_lease_endpoint(&lease)->address;
    for (size_t i = 0; i < 3; i++) {
        address = strcmp(address, abc[i]) == 0 ? abc[i] : address;
    }
    muster_lease_finish(&lease, address == bad ? &failed : NULL);
    return address;
}

/* n calls, which all go elsewhere. */
static bool avoids(const char *address, int n)
{
    bool does = true;

    for (int i = 0; i < n && does; i++) {
        does = place(NULL) != address;
    }
    return does;
}

static bool dump_has(const char *text)
{
    char *json = NULL;
    bool has;

    cr_assert_eq(muster_channel_dump_json(channel, &json), MUSTER_OK);
    has = strstr(json, text) != NULL;
    free(json);
    return has;
}

/* By a sweep: it goes out of the view, comes back, and keeps its connection.
 * Out for long enough that this thread sees it, and lets it fail no more. */
Test(outlier_channel, ejects_by_percentage_and_takes_back)
{
    open_channel("{\"interval\": \"0.05s\", \"baseEjectionTime\": \"1s\", "
                 "\"failurePercentageEjection\": {\"threshold\": 50, "
                 "\"minimumHosts\": 3, \"requestVolume\": 2}}");
    AWAIT((place(abc[1]), stats().ready == 2));
    AWAIT(stats().ready == 3);
    AWAIT(place(NULL) == abc[1]);
    cr_expect_eq(stats().connections_created, 3);
    cr_expect(
        dump_has("\"counters\":[{\"name\":"
                 "\"grpc.lb.outlier_detection.ejections_enforced\",\"labels\":{"
                 "\"grpc.lb.outlier_detection.detection_method\":"
                 "\"failure_percentage\"},\"value\":1}]"));
    close_channel();
}

/* From the end of a call, on this thread, to the control thread. */
Test(outlier_channel, ejects_after_failures_in_a_row)
{
    open_channel("{\"consecutiveFailureEjection\": {\"threshold\": 3}}");
    for (int i = 0; i < 6; i++) { /* in turn: two each */
        (void)place(abc[2]);
    }
    cr_expect_eq(stats().ready, 3);
    AWAIT(place(abc[2]) == abc[2]);
    AWAIT(stats().ready == 2);
    cr_expect(avoids(abc[2], 30));
    cr_expect(dump_has("\"ejected\":true"));
    cr_expect_eq(stats().connections_created, 3);
    cr_expect_eq(stats().connections_destroyed, 0);
    close_channel();
}

/* As when all endpoints have failed. */
Test(outlier_channel, fails_calls_when_all_are_ejected)
{
    muster_lease lease = {0};

    open_channel("{\"maxEjectionPercent\": 100, "
                 "\"consecutiveFailureEjection\": {\"threshold\": 1}}");
    for (unsigned i = 0; i < 3; i++) {
        AWAIT(place(abc[i]) == abc[i]);
        AWAIT(stats().ready == 2 - i);
    }
    AWAIT(stats().state == MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(muster_channel_pick(channel, NULL, &lease, NULL),
                 MUSTER_UNAVAILABLE);
    close_channel();
}

/* It is new then, however long it was to be ejected. */
Test(outlier_channel, takes_back_one_that_left_and_came_back)
{
    open_channel("{\"baseEjectionTime\": \"300s\", "
                 "\"consecutiveFailureEjection\": {\"threshold\": 1}}");
    AWAIT(place(abc[2]) == abc[2]);
    AWAIT(stats().ready == 2);
    script_report_addresses(TARGET, abc, 2);
    AWAIT(stats().endpoints == 2);
    script_report_addresses(TARGET, abc, 3);
    AWAIT(stats().ready == 3);
    AWAIT(place(NULL) == abc[2]);
    close_channel();
}

/* Another configuration is another policy. */
Test(outlier_channel, takes_all_back_when_its_settings_change)
{
    static const muster_endpoint list[] = {{.address = "10.0.0.1:1"},
                                           {.address = "10.0.0.2:1"},
                                           {.address = "10.0.0.3:1"}};
    const muster_channel_options options = {.initial_backoff_ms = 5,
                                            .max_backoff_ms = 20};

    open_registered(muster_builtin_outlier_detection, "script:///" TARGET,
                    options);
    script_report_config(
        TARGET, list, 3,
        "{\"loadBalancingConfig\": [{\"outlier_detection_experimental\": "
        "{\"consecutiveFailureEjection\": {\"threshold\": 1}}}]}");
    AWAIT(stats().ready == 3);
    AWAIT(place(abc[0]) == abc[0]);
    AWAIT(stats().ready == 2);
    script_report_config(
        TARGET, list, 3,
        "{\"loadBalancingConfig\": [{\"outlier_detection_experimental\": "
        "{\"consecutiveFailureEjection\": {\"threshold\": 2}}}]}");
    AWAIT(stats().ready == 3);
    close_channel();
}
