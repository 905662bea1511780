/* SPDX-License-Identifier: Apache-2.0 */
/* ./dev demo: what it counts, what it says at its end, and when it fails. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "demo.h"

/* Runs the demo; the exit code. ret_last gets the last line of its output. */
static int run_demo(const char *arguments, char *ret_last, int size)
{
    char command[512];
    FILE *output;
    int status;

    (void)snprintf(command, sizeof command, "'%s' %s", MUSTER_DEMO_PATH,
                   arguments);
    output = popen(command, "r");
    cr_assert_not_null(output);
    while (fgets(ret_last, size, output) != NULL) {
    }
    status = pclose(output);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    cr_assert(json_is_integer(value), "no number %s", key);
    return json_integer_value(value);
}

Test(demo, ends_with_one_line_of_json_and_no_failure_outside)
{
    char last[1024];
    json_t *object;

    cr_expect_eq(run_demo("2", last, sizeof last), 0);
    object = json_loads(last, 0, NULL);
    cr_assert(json_is_object(object), "not an object: %s", last);
    cr_expect_geq(number(object, "calls"), 10000);
    cr_expect_eq(number(object, "failed_outside_killed"), 0);
    cr_expect_geq(number(object, "failed_on_killed"), 0);
    cr_expect_geq(number(object, "streams"), 50);
    cr_expect_geq(number(object, "changes"), 10);
    cr_expect_gt(number(object, "first_call_median_us"), 0);
    cr_expect_geq(number(object, "first_call_worst_us"),
                  number(object, "first_call_median_us"));
    json_decref(object);
}

Test(demo, fails_when_too_few_calls_ran)
{
    char last[1024];
    json_t *object;

    cr_expect_eq(run_demo("0 1000000000", last, sizeof last), 1);
    object = json_loads(last, 0, NULL);
    cr_expect_eq(number(object, "failed_outside_killed"), 0);
    json_decref(object);
}

/* Two servers, the second of them killed; they do not run. */
static demo_world *make_world(void)
{
    static demo_world demo;

    demo.backends[0].process.port = 4711;
    demo.backends[1].process.port = 4712;
    atomic_store(&demo.backends[1].is_killed, true);
    return &demo;
}

Test(demo, counts_a_failure_without_peer_on_the_server_of_its_message)
{
    demo_world *demo = make_world();

    demo_record(demo, NULL, false,
                "file:///tmp/list: 127.0.0.1:4712: Broken pipe");
    cr_expect_eq(atomic_load(&demo->n_failed_on_killed), 1);
    cr_expect_eq(atomic_load(&demo->n_failed_outside), 0);
    demo_record(demo, NULL, false,
                "file:///tmp/list: 127.0.0.1:4711: Broken pipe");
    cr_expect_eq(atomic_load(&demo->n_failed_on_killed), 1);
    cr_expect_eq(atomic_load(&demo->n_failed_outside), 1);
    cr_expect_eq(atomic_load(&demo->n_calls), 2);
}

Test(demo, counts_a_failure_that_names_no_server_outside)
{
    demo_world *demo = make_world();

    demo_record(demo, NULL, false, "no endpoint is ready");
    demo_record(demo, "", false, NULL);
    cr_expect_eq(atomic_load(&demo->n_failed_on_killed), 0);
    cr_expect_eq(atomic_load(&demo->n_failed_outside), 2);
}

Test(demo, counts_what_went_well_on_the_killed_server_as_no_failure)
{
    demo_world *demo = make_world();

    demo_record(demo, "ipv4:127.0.0.1:4712", true, NULL);
    cr_expect_eq(atomic_load(&demo->backends[1].n_calls), 1);
    cr_expect_eq(atomic_load(&demo->n_failed_on_killed), 0);
    cr_expect_eq(atomic_load(&demo->n_failed_outside), 0);
}
