/* SPDX-License-Identifier: Apache-2.0 */
/* One life of a policy on the test kit. */
#include "balancer_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer_shim.h"
#include "subject.h"

enum { MAX_CHILDREN = 64, N_SHARDS = 7 };

static void *shared;
/* What child_create() finds: the policies that are compiled in. */
static const muster_balancer_class *children[MAX_CHILDREN];
static uint32_t n_children;

/* ---- lists ---- */

bool endpoint_list_init(endpoint_list *self, size_t n)
{
    self->endpoints = calloc(n + 1, sizeof *self->endpoints);
    self->addresses = calloc(n + 1, sizeof *self->addresses);
    self->n = n;
    if (self->endpoints == NULL || self->addresses == NULL) {
        endpoint_list_fini(self);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(self->addresses[i], sizeof self->addresses[i],
                       "10.%u.%u.%u:1", (unsigned)(i >> 16 & 255),
                       (unsigned)(i >> 8 & 255), (unsigned)(i & 255));
        self->endpoints[i].address = self->addresses[i];
        self->endpoints[i].weight = (uint32_t)(i % 5);
    }
    return true;
}

void endpoint_list_fini(endpoint_list *self)
{
    free(self->endpoints);
    free(self->addresses);
    *self = (endpoint_list){.endpoints = NULL};
}

/* ---- the plugin ---- */

static void find_child(const char *name)
{
    if (n_children < MAX_CHILDREN &&
        muster_plugin_find_balancer(name, &children[n_children], NULL) ==
            MUSTER_OK) {
        n_children++;
    }
}

static void find_children(void *arg, const muster_plugin_info *info)
{
    const char *prefix = "balancer:";
    char classes[MUSTER_NOTE_TEXT_SIZE];
    char *rest = NULL;

    (void)arg;
    if (info->path[0] != '\0') {
        return;
    }
    (void)snprintf(classes, sizeof classes, "%s", info->classes);
    for (char *word = strtok_r(classes, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (strncmp(word, prefix, strlen(prefix)) == 0) {
            find_child(word + strlen(prefix));
        }
    }
}

bool balancer_life_prepare(trial *self)
{
    (void)muster_plugin_list(find_children, NULL);
    return subject_init(self, &shared);
}

void balancer_life_finish(trial *self)
{
    subject_fini(self);
}

/* ---- life ---- */

muster_status balancer_life_try(balancer_life *self, trial *run,
                                const char *config, muster_error *err)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = balancer_shim(run),
        .config_json = config,
        .shared = shared,
        .children = children,
        .n_children = n_children,
        .seed = 1,
    };
    muster_status status;

    *self = (balancer_life){.trial = run};
    status = muster_testkit_balancer_create(&options, &self->kit, err);
    if (status != MUSTER_OK) {
        self->kit = NULL;
    }
    return status;
}

bool balancer_life_begin(balancer_life *self, trial *run)
{
    muster_error err = {.code = MUSTER_OK};
    muster_status status =
        balancer_life_try(self, run, run->policy_config, &err);

    if (status == MUSTER_OK ||
        !trial_check_error(run, "create()", status, &err)) {
        return status == MUSTER_OK;
    }
    if (run->policy_config == NULL) {
        trial_skip(run, "create() refuses \"{}\" (%.400s): say --policy-config",
                   err.message);
    } else {
        trial_fail(run, "create() fails: %.500s", err.message);
    }
    return false;
}

void balancer_life_run_beside(bool is_beside)
{
    balancer_shim_run_beside(is_beside);
}

void balancer_life_publish(balancer_life *self)
{
    muster_error err = {.code = MUSTER_OK};

    if (muster_testkit_balancer_publish(self->kit, &err) != MUSTER_OK) {
        trial_fail(self->trial, "build() fails: %.500s", err.message);
    }
    trial_step(self->trial, "a timer of its own, want() or build()");
    (void)muster_testkit_balancer_step(self->kit);
}

void balancer_life_show(balancer_life *self, const muster_endpoint *endpoints,
                        size_t n, muster_connectivity state)
{
    if (muster_testkit_balancer_set(self->kit, endpoints, n, state) !=
        MUSTER_OK) {
        trial_skip(self->trial, "out of memory for %zu endpoints", n);
        return;
    }
    balancer_life_publish(self);
}

void balancer_life_advance(balancer_life *self, uint64_t delay_ms)
{
    trial_step(self->trial, "a timer of its own, want() or build()");
    (void)muster_testkit_balancer_advance(self->kit, delay_ms);
}

void balancer_life_end(balancer_life *self)
{
    if (self->kit == NULL) {
        return;
    }
    trial_step(self->trial, "table_destroy()");
    muster_testkit_balancer_stop(self->kit);
    trial_take_violations(self->trial,
                          muster_testkit_balancer_violations(self->kit));
    muster_testkit_balancer_destroy(self->kit);
    self->kit = NULL;
}

/* ---- picks ---- */

/* Well, badly, given back, and with all that may be known of a call. */
static const muster_outcome outcomes[] = {
    {.struct_size = (uint32_t)sizeof(muster_outcome)},
    {.struct_size = (uint32_t)sizeof(muster_outcome),
     .flags = MUSTER_OUTCOME_FROM_SERVER,
     .latency_ns = 1000000,
     .bytes_sent = 10,
     .bytes_received = 1000},
    {.struct_size = (uint32_t)sizeof(muster_outcome),
     .flags = MUSTER_OUTCOME_FROM_SERVER,
     .status = 13,
     .latency_ns = UINT64_MAX,
     .load_report = "\xff\xff\xff",
     .load_report_size = 3},
    {.struct_size = (uint32_t)sizeof(muster_outcome),
     .flags = MUSTER_OUTCOME_GIVEN_BACK,
     .status = 14},
};

static muster_call_info make_call(size_t i, char *key, size_t size)
{
    muster_call_info call = {.struct_size = (uint32_t)sizeof call};

    (void)snprintf(key, size, "key-%zu", i);
    call.hash_key = i % 3 == 0 ? NULL : key;
    call.method = i % 2 == 0 ? NULL : "/check.Check/Unary";
    call.attempt = (uint32_t)(i % 4 == 3);
    call.flags = i % 5 == 0 ? MUSTER_CALL_WAIT_FOR_READY : 0;
    return call;
}

size_t balancer_life_pick(balancer_life *self, size_t n)
{
    size_t n_picked = 0;

    for (size_t i = 0; i < n; i++) {
        char key[32];
        const muster_call_info call = make_call(i, key, sizeof key);
        muster_testkit_pick pick;

        trial_step(self->trial, "pick()");
        muster_testkit_balancer_pick(self->kit, i % 7 == 0 ? NULL : &call,
                                     (uint32_t)(i % N_SHARDS), &pick);
        if (pick.verdict == MUSTER_PICK_INDEX) {
            n_picked++;
            trial_step(self->trial, "done()");
            muster_testkit_balancer_done(
                self->kit, pick.id,
                &outcomes[i % (sizeof outcomes / sizeof *outcomes)]);
        }
    }
    return n_picked;
}
