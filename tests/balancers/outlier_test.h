/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of outlier_detection share: kits with children, and calls that
 * end. */
#ifndef MUSTER_TESTS_OUTLIER_TEST_H
#define MUSTER_TESTS_OUTLIER_TEST_H

#include "policy_test.h"

#include <string.h>

const muster_plugin *muster_builtin_outlier_detection(void);
const muster_plugin *muster_builtin_pick_first(void);
const muster_plugin *muster_builtin_round_robin(void);

enum {
    OK = 0,
    CANCELLED = 1,
    UNKNOWN = 2,
    DEADLINE_EXCEEDED = 4,
    NOT_FOUND = 5,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    DATA_LOSS = 15
};

#define METRIC "grpc.lb.outlier_detection."

static inline const muster_balancer_class *outlier_test_policy(void)
{
    return muster_builtin_outlier_detection()->balancers[0];
}

/* A kit whose policy may have round_robin, pick_first and other (may be NULL)
 * for a child. */
static inline muster_status outlier_test_try(const char *config,
                                             const muster_balancer_class *other,
                                             uint64_t seed,
                                             muster_testkit_balancer **ret_kit,
                                             muster_error *err)
{
    static const muster_balancer_class *children[3];
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = outlier_test_policy(),
        .config_json = config,
        .children = children,
        .n_children = other == NULL ? 2 : 3,
        .seed = seed};

    children[0] = muster_builtin_round_robin()->balancers[0];
    children[1] = muster_builtin_pick_first()->balancers[0];
    children[2] = other;
    return muster_testkit_balancer_create(&options, ret_kit, err);
}

static inline muster_testkit_balancer *outlier_test_create(const char *config)
{
    muster_testkit_balancer *kit = NULL;
    muster_error err = {0};

    cr_assert_eq(outlier_test_try(config, NULL, 1, &kit, &err), MUSTER_OK, "%s",
                 err.message);
    return kit;
}

/* The same with n READY endpoints. */
static inline muster_testkit_balancer *outlier_test_ready(const char *config,
                                                          size_t n)
{
    muster_testkit_balancer *kit = outlier_test_create(config);

    policy_test_ready(kit, NULL, n);
    return kit;
}

/* n calls to the endpoint of this index end, without a step of the kit. */
static inline void outlier_test_end(muster_testkit_balancer *kit, size_t index,
                                    int n, int status, uint32_t flags)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .flags = flags,
                                    .status = status,
                                    .latency_ns = 1000000};
    const muster_backend *backend =
        muster_testkit_balancer_get_backend(kit, index);

    for (int i = 0; i < n; i++) {
        muster_testkit_balancer_done(kit, backend->id, &outcome);
    }
}

/* n calls are answered by the endpoint, failed of them with UNAVAILABLE. */
static inline void outlier_test_call(muster_testkit_balancer *kit, size_t index,
                                     int n, int failed)
{
    outlier_test_end(kit, index, failed, UNAVAILABLE,
                     MUSTER_OUTCOME_FROM_SERVER);
    outlier_test_end(kit, index, n - failed, OK, MUSTER_OUTCOME_FROM_SERVER);
}

/* Time passes in seconds. */
static inline void outlier_test_wait(muster_testkit_balancer *kit, double s)
{
    (void)muster_testkit_balancer_advance(kit, (uint64_t)(s * 1000));
}

static inline bool outlier_test_is_ejected(const muster_testkit_balancer *kit,
                                           size_t index)
{
    return (muster_testkit_balancer_get_backend(kit, index)->flags &
            MUSTER_BACKEND_EJECTED) != 0;
}

/* Who of the first 64 is ejected, a bit each. */
static inline uint64_t outlier_test_ejected(const muster_testkit_balancer *kit)
{
    uint64_t bits = 0;

    for (size_t i = 0;
         i < 64 && muster_testkit_balancer_get_backend(kit, i) != NULL; i++) {
        bits |= (uint64_t)outlier_test_is_ejected(kit, i) << i;
    }
    return bits;
}

/* Ejections by method (NULL: any), which came about. */
static inline uint64_t outlier_test_enforced(const muster_testkit_balancer *kit,
                                             const char *method)
{
    const muster_attribute label = {METRIC "detection_method", method};

    return muster_testkit_balancer_get_count(kit, METRIC "ejections_enforced",
                                             &label, method != NULL);
}

/* Ejections by method which did not, for that reason. */
static inline uint64_t
outlier_test_unenforced(const muster_testkit_balancer *kit, const char *method,
                        const char *reason)
{
    const muster_attribute labels[] = {{METRIC "detection_method", method},
                                       {METRIC "unenforced_reason", reason}};

    return muster_testkit_balancer_get_count(kit, METRIC "ejections_unenforced",
                                             labels, 2);
}

#endif
