/* SPDX-License-Identifier: Apache-2.0 */
/* Policies over a child build their tables, and are asked for picks, beside
 * their update() and want(). */
#include <muster/testkit.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

const muster_plugin *muster_builtin_slow_start(void);
const muster_plugin *muster_builtin_subsetting(void);
const muster_plugin *muster_builtin_weighted_round_robin(void);

enum { N_ENDPOINTS = 40, N_ROUNDS = 2000 };

static char addresses[N_ENDPOINTS][16];
static muster_endpoint endpoints[N_ENDPOINTS];

typedef struct builder {
    muster_testkit_balancer_raw raw;
    muster_backend ready[N_ENDPOINTS]; /* all that there are, ever */
    atomic_bool must_end;
    atomic_uint n_built;
} builder;

/* One that is in no list any more at times does no harm. */
static void *build(void *arg)
{
    builder *self = arg;
    const muster_build_args args = {.struct_size = (uint32_t)sizeof args,
                                    .backend_size =
                                        (uint32_t)sizeof self->ready[0],
                                    .ready = self->ready,
                                    .n_ready = N_ENDPOINTS};
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call};
    const muster_pick_args pick = {.struct_size = (uint32_t)sizeof pick,
                                   .n_ready = N_ENDPOINTS,
                                   .call = &call};

    while (!atomic_load(&self->must_end)) {
        muster_pick_result result = {.struct_size = (uint32_t)sizeof result};
        muster_error err;
        void *table = NULL;

        if (self->raw.policy->build(self->raw.self, &args, &table, &err) ==
            MUSTER_OK) {
            (void)self->raw.policy->pick(self->raw.self, table, &pick, &result);
            self->raw.policy->table_destroy(self->raw.self, table);
            atomic_fetch_add(&self->n_built, 1);
        }
    }
    return NULL;
}

static bool create(const muster_balancer_class *policy, const char *config,
                   muster_testkit_balancer **ret_kit)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .config_json = config,
        .children = muster_builtin_weighted_round_robin()->balancers,
        .n_children = 1};
    muster_error err = {.code = MUSTER_OK};

    if (muster_testkit_balancer_create(&options, ret_kit, &err) != MUSTER_OK) {
        printf("%s: %s\n", policy->name, err.message);
        return false;
    }
    return true;
}

static void prepare(muster_testkit_balancer *kit, builder *of)
{
    (void)muster_testkit_balancer_set(kit, endpoints, N_ENDPOINTS,
                                      MUSTER_READY);
    (void)muster_testkit_balancer_publish(kit, NULL);
    muster_testkit_balancer_get_raw(kit, &of->raw);
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        of->ready[i] = *muster_testkit_balancer_get_backend(kit, i);
        of->ready[i].endpoint = &endpoints[i];
        of->ready[i].last_failure = NULL;
    }
}

/* Shows the policy lists of all lengths, and states; time passes. */
static void change(muster_testkit_balancer *kit)
{
    for (size_t round = 0; round < N_ROUNDS; round++) {
        size_t n = N_ENDPOINTS / 2 + round % (N_ENDPOINTS / 2);

        (void)muster_testkit_balancer_set(kit, endpoints, n, MUSTER_READY);
        muster_testkit_balancer_set_state(
            kit, round % n,
            round % 3 == 0 ? MUSTER_TRANSIENT_FAILURE : MUSTER_READY, NULL);
        (void)muster_testkit_balancer_publish(kit, NULL);
        (void)muster_testkit_balancer_advance(kit, 10);
    }
}

static bool drive(const muster_balancer_class *policy, const char *config)
{
    static builder of;
    muster_testkit_balancer *kit = NULL;
    pthread_t thread;

    atomic_store(&of.must_end, false);
    atomic_store(&of.n_built, 0);
    if (!create(policy, config, &kit)) {
        return false;
    }
    prepare(kit, &of);
    if (pthread_create(&thread, NULL, build, &of) != 0) {
        return false;
    }
    while (atomic_load(&of.n_built) == 0) { /* beside it from here on */
        (void)sched_yield();
    }
    change(kit);
    atomic_store(&of.must_end, true);
    (void)pthread_join(thread, NULL);
    muster_testkit_balancer_destroy(kit);
    printf("%s: %u tables\n", policy->name, atomic_load(&of.n_built));
    return true;
}

int main(void)
{
    const muster_balancer_class *const *subsetting =
        muster_builtin_subsetting()->balancers;
    bool is_good = true;

    for (uint32_t i = 0; i < N_ENDPOINTS; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%u:1", i);
        endpoints[i].address = addresses[i];
    }
    is_good &= drive(subsetting[0], "{\"subsetSize\": 5, \"childPolicy\": "
                                    "[{\"weighted_round_robin\": {}}]}");
    is_good &= drive(subsetting[2], "{\"subsetSize\": 5, \"clientIndex\": 1, "
                                    "\"clientCount\": 3, \"childPolicy\": "
                                    "[{\"weighted_round_robin\": {}}]}");
    is_good &= drive(muster_builtin_slow_start()->balancers[0],
                     "{\"slowStartWindow\": \"1s\"}");
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
