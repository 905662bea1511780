/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a fake balancer host. */
#ifndef MUSTER_TESTKIT_BALANCER_H
#define MUSTER_TESTKIT_BALANCER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <muster/testkit.h>

#include "agenda.h"
#include "copies.h"
#include "violations.h"

/* A policy instance: the one under test, or a child of it. */
struct muster_child {
    muster_testkit_balancer *kit;
    const muster_balancer_class *class_;
    void *self;
    char *config_json;
    muster_balancer_env env;
    pthread_mutex_t mutex;
    char **states;   /* by id; of state_size bytes each. Guarded by mutex */
    size_t n_states; /* guarded by mutex */
};

/* A table of an instance, with the view that it is for. */
typedef struct balancer_table {
    void *table;
    uint64_t *ids;
    uint32_t n_ready;
} balancer_table;

/* What was counted under a name with labels. */
typedef struct balancer_count {
    struct balancer_count *next;
    char *name;
    muster_attribute *labels;
    size_t n_labels;
    uint64_t value;
} balancer_count;

struct muster_testkit_balancer {
    muster_child root;
    const muster_balancer_class *const *children;
    uint32_t n_children;
    pthread_t driver;
    testkit_agenda agenda;
    testkit_violations violations;
    testkit_copies list;
    muster_backend *backends; /* one for each of list */
    uint8_t *wanted;          /* one for each of list: by want() */
    atomic_bool *asked;       /* one for each of list: by CONNECT */
    uint64_t last_id;
    balancer_table *published; /* or NULL */
    atomic_bool needs_build;
    bool includes_unfit; /* ejected and unhealthy ones are in the view, too */
    atomic_uint n_live_children;
    atomic_uint n_live_tables; /* of children */
    _Atomic uint64_t n_republished;
    _Atomic uint64_t n_resolution_requests;
    uint64_t n_builds;
    balancer_count *counts;
    pthread_mutex_t log_mutex;
    char *log_message;          /* guarded by log_mutex */
    muster_log_level log_level; /* guarded by log_mutex */
    uint64_t n_logs;            /* guarded by log_mutex */
    muster_testkit_balancer_seen seen;
    char *seen_log;
    bool is_finished; /* nothing of the policy is left */
};

extern const muster_balancer_host testkit_balancer_host;

/* ---- instances: the policy under test and its children are treated alike */

/* Calls create(). child is the caller's memory, all zero. */
muster_status testkit_child_init(muster_child *child,
                                 muster_testkit_balancer *kit,
                                 const muster_balancer_class *class_,
                                 const char *config_json, void *shared,
                                 muster_error *err);
void testkit_child_fini(muster_child *child);

/* The state of id in child, made when it is new; NULL when the class has none.
 */
void *testkit_child_state(muster_child *child, uint64_t id);

/* A copy of n backends that lie stride bytes apart, with child's states; the
 * caller's to free(). NULL when memory is short. */
muster_backend *testkit_child_backends(muster_child *child,
                                       const muster_backend *backends,
                                       size_t stride, size_t n);

void testkit_child_update(muster_child *child,
                          const muster_balancer_update *update);
void testkit_child_want(muster_child *child,
                        const muster_balancer_update *update,
                        uint8_t *ret_wanted);
muster_status testkit_child_build(muster_child *child,
                                  const muster_build_args *args,
                                  balancer_table **ret_table,
                                  muster_error *err);
muster_verdict testkit_child_pick(muster_child *child, balancer_table *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result);
void testkit_child_done(muster_child *child, uint64_t id,
                        const muster_outcome *outcome);
void testkit_child_table_destroy(muster_child *child, balancer_table *table);

/* ---- counts */

/* False when memory is short. */
bool testkit_balancer_count(muster_testkit_balancer *kit, const char *name,
                            const muster_attribute *labels, size_t n_labels,
                            uint64_t delta);

void testkit_balancer_fini_counts(muster_testkit_balancer *kit);

/* ---- the list */

/* As muster_testkit_balancer_set(). */
muster_status testkit_balancer_set_list(muster_testkit_balancer *kit,
                                        const muster_endpoint *endpoints,
                                        size_t n, muster_connectivity state);

void testkit_balancer_fini_list(muster_testkit_balancer *kit);

/* The index in the list of the endpoint with that id; list.n when it left. */
size_t testkit_balancer_find(const muster_testkit_balancer *kit, uint64_t id);

#endif
