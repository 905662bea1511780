/* SPDX-License-Identifier: Apache-2.0 */
/* Every policy on a real channel, over the fake transport: once nothing changes
 * any more, picks reach what is listed, all of it and nothing else, whatever
 * came before. Envoy has lost endpoints by merging updates (its issues 45055,
 * 45212 and 45344). */
#include "channel_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "every_policy.h"
#include "loop.h"
#include "random_numbers.h"
#include "registry.h"

enum {
    LONG_MS = 20000,
    N = 12,       /* addresses that lists are made of */
    LEASES = 500, /* a sample: enough for each to be among them */
    TIMES = 4,    /* of rest, for each policy */
    OPERATIONS = 40,
    MAX_POLICIES = 64
};

#define TARGET "every"

static const uint64_t seed = 20261126;

static char addresses[N][24];

/* ---- the policies, but that a test can eject ---- */

/* Each is its original but for create(), which remembers the env. */
static struct {
    const muster_balancer_class *original; /* of the next one that is made */
    const muster_balancer_env *env;        /* the control thread's */
} tried;

static muster_status tried_create(const muster_balancer_env *env,
                                  void **ret_self, muster_error *err)
{
    tried.env = env;
    return tried.original->create(env, ret_self, err);
}

static const muster_balancer_class *find_original(const char *name)
{
    const muster_balancer_class *class_ = NULL;
    muster__plugin *plugin;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster__registry_balancer(name, &class_, &plugin, &err),
                 MUSTER_OK, "%s", err.message);
    return class_;
}

static const muster_plugin *tried_entry(void)
{
    static muster_balancer_class copies[MAX_POLICIES];
    static char names[MAX_POLICIES][32]; /* all fit into a plugin's note */
    static const muster_balancer_class *classes[MAX_POLICIES];
    static muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "tried",
        .version = "test",
        .balancers = classes,
    };

    for (size_t i = 0; i < n_every_policies; i++) {
        copies[i] = *find_original(every_policies[i].name);
        (void)snprintf(names[i], sizeof names[i], "tried%zu", i);
        copies[i].name = names[i];
        copies[i].create = tried_create;
        classes[i] = &copies[i];
    }
    plugin.n_balancers = (uint32_t)n_every_policies;
    return &plugin;
}

typedef struct ejecting {
    uint64_t id;
    bool is_ejected;
} ejecting;

/* Thread: control. */
static void eject(void *arg)
{
    const ejecting *wish = arg;

    tried.env->host->set_ejected(tried.env->ctx, wish->id, wish->is_ejected);
}

/* ---- the channel ---- */

static void register_all(void)
{
    muster_error err = {.code = MUSTER_OK};

    cr_assert_lt(n_every_policies, MAX_POLICIES);
    for (int i = 0; i < N; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d:80", i);
    }
    script_register();
    every_policy_register();
    cr_assert_eq(muster_plugin_register(tried_entry, &err), MUSTER_OK, "%s",
                 err.message);
}

static void open_channel(size_t which)
{
    const every_policy *policy = &every_policies[which];
    char name[32];
    muster_channel_options options = {
        .struct_size = sizeof options,
        .policy = name,
        .policy_config_json = policy->config_json,
        .initial_backoff_ms = 5,
        .max_backoff_ms = 20,
        .transport = muster_testkit_transport_class(),
    };
    muster_error err = {.code = MUSTER_OK};

    (void)snprintf(name, sizeof name, "tried%zu", which);
    tried.original = find_original(policy->name);
    cr_assert_eq(muster_testkit_transport_create(&transport), MUSTER_OK);
    options.transport_arg = transport;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &channel, &err),
        MUSTER_OK, "%s: %s", policy->name, err.message);
}

/* ---- what happens ---- */

typedef struct churn {
    uint64_t random;
    bool is_listed[N]; /* as reported last */
    uint64_t ejected[OPERATIONS];
    size_t n_ejected;
} churn;

static void report(churn *c)
{
    muster_endpoint list[N];
    size_t n = 0;

    for (int i = 0; i < N; i++) {
        if (c->is_listed[i]) {
            list[n++] = (muster_endpoint){.address = addresses[i],
                                          .weight = 1 + below(&c->random, 3)};
        }
    }
    script_report(TARGET, list, n);
}

/* Another list, or the same with other weights. */
static void change_list(churn *c)
{
    bool is_empty = true;

    if (below(&c->random, 3) != 0) {
        for (int i = 0; i < N; i++) {
            c->is_listed[i] = below(&c->random, 2) == 0;
            is_empty &= !c->is_listed[i];
        }
        if (is_empty) {
            c->is_listed[0] = true;
        }
    }
    report(c);
}

/* By a finger on what picks reach, so that it is there. */
static void eject_one(churn *c)
{
    muster_call_info call = {.struct_size = sizeof call, .hash_key = "any"};
    muster_lease lease = {0};
    ejecting wish = {.is_ejected = true};

    if (muster_channel_pick(channel, &call, &lease, NULL) == MUSTER_OK) {
        wish.id = muster_lease_id(&lease);
        muster_lease_finish(&lease, NULL);
        c->ejected[c->n_ejected++] = wish.id;
        (void)muster__loop_call(eject, &wish, MUSTER_FOREVER);
    }
}

static void pick_some(churn *c)
{
    for (int i = 0; i < 8; i++) {
        char key[16];
        muster_call_info call = {.struct_size = sizeof call, .hash_key = key};
        muster_lease lease = {0};

        (void)snprintf(key, sizeof key, "%u", below(&c->random, 1000));
        if (muster_channel_pick(channel, &call, &lease, NULL) == MUSTER_OK) {
            cr_assert(muster_testkit_transport_use(
                transport, muster_lease_connection(&lease)));
            muster_lease_finish(&lease, NULL);
        }
    }
}

static void operate(churn *c)
{
    const char *address = addresses[below(&c->random, N)];

    switch (below(&c->random, 8)) {
    case 0:
    case 1:
        (void)muster_testkit_transport_disconnect(transport, address);
        break;
    case 2:
        set_failure(address, "refused");
        (void)muster_testkit_transport_disconnect(transport, address);
        break;
    case 3:
        set_failure(address, NULL);
        break;
    case 4:
        muster_testkit_transport_set_delay(transport, below(&c->random, 4));
        break;
    case 5:
        eject_one(c);
        break;
    default:
        change_list(c);
        break;
    }
    pick_some(c);
}

/* ---- what is left in the end ---- */

static void heal(churn *c)
{
    set_failure(NULL, NULL);
    muster_testkit_transport_set_delay(transport, 0);
    while (c->n_ejected > 0) {
        ejecting wish = {.id = c->ejected[--c->n_ejected]};

        (void)muster__loop_call(eject, &wish, MUSTER_FOREVER);
    }
}

static int index_of(const muster_lease *lease)
{
    int number = -1;

    cr_assert_eq(
        sscanf(muster_lease_endpoint(lease)->address, "10.0.0.%d:", &number),
        1);
    return number;
}

/* Marks what many picks reach, each by another key. They end together, so that
 * policies which spare those that have calls come by all. */
static void sample(bool reached[N])
{
    static muster_lease leases[LEASES];

    memset(reached, 0, N * sizeof *reached);
    for (unsigned i = 0; i < LEASES; i++) {
        char key[16];
        muster_call_info call = {.struct_size = sizeof call,
                                 .flags = MUSTER_CALL_WAIT_FOR_READY,
                                 .hash_key = key,
                                 .deadline_ns = in_ms(LONG_MS)};
        muster_error err = {.code = MUSTER_OK};

        (void)snprintf(key, sizeof key, "%u", i);
        leases[i] = (muster_lease){0};
        cr_assert_eq(muster_channel_pick_wait(channel, &call, &leases[i], &err),
                     MUSTER_OK, "%s", err.message);
        reached[index_of(&leases[i])] = true;
    }
    for (unsigned i = 0; i < LEASES; i++) {
        muster_lease_finish(&leases[i], NULL);
    }
}

/* How many of the listed are to be reached. */
static unsigned n_due(const every_policy *policy, unsigned n_listed)
{
    unsigned n = policy->reach == REACHES_ONE    ? 1
                 : policy->reach == REACHES_SOME ? policy->n_reached
                                                 : n_listed;

    return n < n_listed ? n : n_listed;
}

static bool has_foreign(const churn *c, const bool reached[N])
{
    bool has = false;

    for (int i = 0; i < N; i++) {
        has |= reached[i] && !c->is_listed[i];
    }
    return has;
}

/* Of the list, and enough of it. */
static bool is_right(const churn *c, const every_policy *policy,
                     const bool reached[N])
{
    unsigned n_listed = 0;
    unsigned n_reached = 0;

    for (int i = 0; i < N; i++) {
        n_listed += c->is_listed[i];
        n_reached += reached[i];
    }
    return !has_foreign(c, reached) && n_reached == n_due(policy, n_listed);
}

/* It stays so: two samples in a row. In between an endpoint that was lost and
 * is listed again may be connecting anew, or a policy of chance come by all but
 * one; what is not listed is not reached again at all. */
static void rest(churn *c, const every_policy *policy)
{
    bool reached[N];
    bool was_right = false;
    int n_in_a_row = 0;
    uint64_t give_up_ns;

    heal(c);
    (void)stats(); /* the last list is in: no former one follows */
    give_up_ns = in_ms(LONG_MS);
    while (n_in_a_row < 2) {
        cr_assert_lt(in_ms(0), give_up_ns, "%s: not what is listed",
                     policy->name);
        sample(reached);
        cr_assert(!was_right || !has_foreign(c, reached), "%s: not for long",
                  policy->name);
        n_in_a_row = is_right(c, policy, reached) ? n_in_a_row + 1 : 0;
        was_right |= n_in_a_row > 0;
    }
}

Test(every_policy_channel, reaches_what_is_listed_after_any_changes)
{
    register_all();
    for (size_t i = 0; i < n_every_policies; i++) {
        churn c = {.random = seed + i};

        memset(c.is_listed, 1, sizeof c.is_listed);
        open_channel(i);
        for (int j = 0; j < TIMES; j++) {
            change_list(&c);
            for (int k = 0; k < OPERATIONS; k++) {
                operate(&c);
            }
            rest(&c, &every_policies[i]);
        }
        close_channel();
    }
}
