/* SPDX-License-Identifier: Apache-2.0 */
/* Policies over policies over policies, as a service config has them, on a real
 * channel over the fake transport. */
#include "channel_fixture.h"

#include <muster/service_config.h>

#include <inttypes.h>

#include "skeletons/skeletons.h"

#define TARGET "composition"

enum { LONG_MS = 20000, N_CALLS = 30 };

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

/* Each instance has states of its own for the same endpoints. */
static const char three_deep[] =
    "{'loadBalancingConfig': [{'skeleton_counting': {"
    "  'label': 'outer', 'step': 1, 'childPolicy': [{'skeleton_counting': {"
    "    'label': 'middle', 'step': 100, 'childPolicy': [{'skeleton_counting': "
    "{"
    "      'label': 'inner', 'step': 10000,"
    "      'childPolicy': [{'round_robin': {}}]}}]}}]}}]}";

/* JSON with its quotes; the next call's. */
static const char *json(const char *text)
{
    static char quoted[1024];
    size_t i = 0;

    for (; text[i] != '\0' && i < sizeof quoted - 1; i++) {
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    }
    quoted[i] = '\0';
    return quoted;
}

static const muster_plugin *entry(void)
{
    static const muster_balancer_class *const classes[] = {&skeleton_counting};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "skeletons",
        .version = "test",
        .balancers = classes,
        .n_balancers = 1,
    };

    return &plugin;
}

/* ---- calls through three of them ---- */

static void open_channel(const char *config)
{
    const muster_endpoint list[] = {
        {.address = abc[0]}, {.address = abc[1]}, {.address = abc[2]}};

    open_registered(entry, "script:///" TARGET, (muster_channel_options){0});
    script_report_config(TARGET, list, 3, json(config));
    AWAIT(stats().ready == 3);
}

/* The endpoints from first on; the config stays. */
static void list_from(size_t first)
{
    muster_endpoint list[3] = {0};

    for (size_t i = first; i < 3; i++) {
        list[i - first].address = abc[i];
    }
    script_report_config(TARGET, list, 3 - first, json(three_deep));
    AWAIT(stats().ready == 3 - first && stats().draining == 0);
}

/* Ends n calls, evenly over the endpoints of the list. */
static void call(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        (void)place_by(NULL, in_ms(LONG_MS), NULL);
    }
}

static void expect_counts(const char *address, uint64_t n)
{
    static const char *const labels[] = {"outer", "middle", "inner"};
    uint64_t step = 1;

    for (size_t i = 0; i < 3; i++) {
        const uint64_t counted = skeleton_counted(labels[i], address);

        cr_expect_eq(counted, n * step,
                     "%s counted %" PRIu64 " for %s, not %" PRIu64, labels[i],
                     counted, address, n * step);
        step *= 100;
    }
}

Test(composition, goes_three_deep_with_states_for_each_child)
{
    open_channel(three_deep);
    call(N_CALLS);
    for (size_t i = 0; i < 3; i++) {
        expect_counts(abc[i], N_CALLS / 3);
    }
    close_channel();
}

Test(composition, keeps_the_states_of_those_that_stay_in_the_list)
{
    open_channel(three_deep);
    call(N_CALLS);
    list_from(1);
    call(20);
    cr_expect_eq(skeleton_counted("inner", abc[0]), UINT64_MAX);
    for (size_t i = 1; i < 3; i++) {
        expect_counts(abc[i], N_CALLS / 3 + 10);
    }
    close_channel();
}

Test(composition, begins_anew_with_those_that_come_back)
{
    open_channel(three_deep);
    call(N_CALLS);
    list_from(1);
    list_from(0);
    expect_counts(abc[0], 0);
    expect_counts(abc[1], N_CALLS / 3);
    call(N_CALLS);
    expect_counts(abc[0], N_CALLS / 3);
    expect_counts(abc[1], N_CALLS / 3 * 2);
    close_channel();
}

/* ---- what is wrong below ---- */

typedef struct report {
    char path[256];
    char text[256];
    unsigned n;
} report;

static void note_problem(void *arg, const muster_config_problem *problem)
{
    report *self = arg;

    self->n++;
    (void)strncpy(self->path, problem->path, sizeof self->path - 1);
    (void)strncpy(self->text, problem->text, sizeof self->text - 1);
}

/* The config's only problem; n is 0 when there is none. */
static report check(const char *config)
{
    report seen = {.n = 0};
    const char *text = json(config);
    muster_error err = {.code = MUSTER_OK};
    muster_status status = muster_plugin_register(entry, &err);

    cr_assert_eq(status, MUSTER_OK, "%s", err.message);
    status = muster_service_config_check(text, strlen(text), note_problem,
                                         &seen, &err);
    cr_assert_eq(status, seen.n == 0 ? MUSTER_OK : MUSTER_INVAL, "%s",
                 err.message);
    return seen;
}

static void expect_problem(const char *config, const char *path,
                           const char *text)
{
    report seen = check(config);

    cr_expect_eq(seen.n, 1);
    cr_expect_str_eq(seen.path, path);
    cr_expect_str_eq(seen.text, text);
}

Test(composition, names_the_place_of_a_mistake_three_deep)
{
    expect_problem("{'loadBalancingConfig': [{'skeleton_counting': {"
                   "  'childPolicy': [{'skeleton_counting': {"
                   "    'childPolicy': [{'p2c_ewma': {'redraws': 17}}]}}]}}]}",
                   "loadBalancingConfig[0].skeleton_counting.childPolicy[0]."
                   "skeleton_counting.childPolicy[0].p2c_ewma.redraws",
                   "must be a whole number from 0 to 16");
}

Test(composition, names_the_place_of_what_is_no_policy)
{
    expect_problem(
        "{'loadBalancingConfig': [{'skeleton_counting': {"
        "  'childPolicy': [{'no_such_policy': {}}, {'a': {}, 'b': {}}]}}]}",
        "loadBalancingConfig[0].skeleton_counting.childPolicy",
        "must be a list of objects, each a policy's name with an object of "
        "settings");
}

Test(composition, takes_the_first_child_that_is_known)
{
    open_channel("{'loadBalancingConfig': [{'no_such_policy': {}},"
                 "  {'skeleton_counting': {'label': 'outer', 'childPolicy': ["
                 "    {'no_such_policy': {'x': 1}},"
                 "    {'skeleton_counting': {'label': 'inner', 'step': 7}},"
                 "    {'round_robin': {}}]}}]}");
    call(N_CALLS);
    cr_expect_eq(skeleton_counted("outer", abc[0]), N_CALLS / 3);
    cr_expect_eq(skeleton_counted("inner", abc[0]), N_CALLS / 3 * 7);
    close_channel();
}

Test(composition, is_refused_when_no_child_is_known)
{
    expect_problem("{'loadBalancingConfig': [{'skeleton_counting': {"
                   "  'childPolicy': [{'skeleton_counting': {"
                   "    'childPolicy': [{'no_such_policy': {}}]}}]}},"
                   "  {'round_robin': {}}]}",
                   "loadBalancingConfig[0].skeleton_counting.childPolicy[0]."
                   "skeleton_counting.childPolicy",
                   "must be a list with a policy that is known");
}
