/* SPDX-License-Identifier: Apache-2.0 */
/* What muster top reads out of answers: states, rates, orders. */
#include <criterion/criterion.h>
#include <string.h>

#include "top/snapshot.h"

/* An endpoint of the answers below. */
#define ENDPOINT(id, address, state, calls, in_flight)                         \
    "{\"id\":" #id ",\"address\":\"" address "\",\"state\":\"" state           \
    "\",\"calls\":" #calls ",\"in_flight\":" #in_flight                        \
    ",\"weight\":1,\"listed\":true,\"ejected\":false}"

#define ANSWER(pid, time_ms, endpoints)                                        \
    "{\"schema_version\":1,\"muster\":\"0.2.0\",\"pid\":" #pid                 \
    ",\"program\":\"shop\",\"time_ms\":" #time_ms                              \
    ",\"channels\":[{\"id\":7,\"target\":\"dns:///shop\",\"state\":\"READY\"," \
    "\"policy\":\"round_robin\",\"list\":{\"age_ms\":5,\"stale\":false,"       \
    "\"held\":false,\"failure\":null},\"endpoints\":[" endpoints "]}]}"

static muster_status parse_text(const char *text, top_snapshot **ret,
                                muster_error *err)
{
    json_t *answer = json_loads(text, 0, NULL);
    muster_status status;

    cr_assert_not_null(answer);
    status = top_snapshot_parse(answer, ret, err);
    json_decref(answer);
    return status;
}

static top_snapshot *parse(const char *text)
{
    top_snapshot *snapshot = NULL;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(parse_text(text, &snapshot, &err), MUSTER_OK, "%s",
                 err.message);
    return snapshot;
}

static const top_endpoint *endpoint_of(const top_snapshot *snapshot, size_t i)
{
    cr_assert_lt(i, snapshot->targets[0].n_endpoints);
    return &snapshot->targets[0].endpoints[i];
}

/* The rates of the second answer's endpoints. */
static top_snapshot *compare(const char *first, const char *second)
{
    top_snapshot *before = parse(first);
    top_snapshot *snapshot = parse(second);

    top_snapshot_compare(snapshot, before);
    top_snapshot_destroy(before);
    return snapshot;
}

/* ---- reading ---- */

Test(top_snapshot, reads_an_answer)
{
    top_snapshot *snapshot =
        parse(ANSWER(4, 1000,
                     ENDPOINT(1, "a:1", "READY", 9,
                              2) "," ENDPOINT(2, "b:1", "CONNECTING", 0, 1)));
    const top_target *target = &snapshot->targets[0];

    cr_expect_eq(snapshot->pid, 4);
    cr_expect_str_eq(snapshot->program, "shop");
    cr_expect_eq(snapshot->n_targets, 1);
    cr_expect_eq(snapshot->n_endpoints, 2);
    cr_expect_eq(snapshot->n_ready, 1);
    cr_expect_eq(snapshot->in_flight, 3);
    cr_expect_str_eq(target->name, "dns:///shop");
    cr_expect(target->has_list);
    cr_expect_not(target->is_stale);
    cr_expect_eq(target->age_ms, 5);
    cr_expect_str_eq(endpoint_of(snapshot, 0)->address, "a:1");
    cr_expect_eq(endpoint_of(snapshot, 0)->calls, 9);
    cr_expect_lt(snapshot->rate, 0);
    cr_expect_lt(endpoint_of(snapshot, 0)->rate, 0);
    top_snapshot_destroy(snapshot);
}

Test(top_snapshot, says_what_an_endpoint_is_rather_than_its_state)
{
    top_snapshot *snapshot =
        parse(ANSWER(4, 1000,
                     "{\"address\":\"a\",\"state\":\"READY\",\"ejected\":true},"
                     "{\"address\":\"b\",\"state\":\"READY\",\"listed\":false},"
                     "{\"address\":\"c\",\"state\":\"READY\",\"listed\":false,"
                     "\"held\":true}"));

    cr_expect_str_eq(endpoint_of(snapshot, 0)->state, "EJECTED");
    cr_expect_str_eq(endpoint_of(snapshot, 1)->state, "DRAINING");
    cr_expect_str_eq(endpoint_of(snapshot, 2)->state, "READY");
    cr_expect_eq(snapshot->n_listed, 2);
    cr_expect_eq(snapshot->n_ready, 1);
    top_snapshot_destroy(snapshot);
}

Test(top_snapshot, lets_nothing_steer_the_terminal)
{
    top_snapshot *snapshot =
        parse(ANSWER(4, 1000, ENDPOINT(1, "\\u001b[2J", "READY", 0, 0)));

    cr_expect_str_eq(endpoint_of(snapshot, 0)->address, "?[2J");
    top_snapshot_destroy(snapshot);
}

Test(top_snapshot, has_a_word_for_an_address_that_cannot_be_told)
{
    top_snapshot *snapshot =
        parse(ANSWER(4, 1000, "{\"address\":null,\"state\":\"IDLE\"}"));

    cr_expect_str_eq(endpoint_of(snapshot, 0)->address, "?");
    top_snapshot_destroy(snapshot);
}

Test(top_snapshot, says_what_is_wrong_with_an_answer)
{
    static const struct {
        const char *text;
        muster_status status;
        const char *message;
    } answers[] = {
        {"{}", MUSTER_PROTOCOL, "schema_version"},
        {"[]", MUSTER_PROTOCOL, "schema_version"},
        {"{\"schema_version\":2,\"channels\":[]}", MUSTER_PROTOCOL,
         "schema_version"},
        {"{\"schema_version\":1}", MUSTER_PROTOCOL, "no channels"},
        {"{\"schema_version\":1,\"channels\":[3]}", MUSTER_PROTOCOL,
         "no target"},
        {ANSWER(1, 1, "{\"address\":\"a:1\"}"), MUSTER_PROTOCOL,
         "endpoint 1 of dns:///shop"},
        {"{\"schema_version\":1,\"error\":\"busy\"}", MUSTER_UNAVAILABLE,
         "busy"},
    };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        top_snapshot *snapshot = NULL;
        muster_error err = {.code = MUSTER_OK};

        cr_expect_eq(parse_text(answers[i].text, &snapshot, &err),
                     answers[i].status);
        cr_expect_not_null(strstr(err.message, answers[i].message), "%s",
                           err.message);
        cr_expect_null(snapshot);
    }
}

/* ---- rates ---- */

Test(top_rates, are_differences_by_the_time)
{
    top_snapshot *snapshot =
        compare(ANSWER(4, 1000,
                       ENDPOINT(1, "a:1", "READY", 100,
                                0) "," ENDPOINT(2, "b:1", "READY", 50, 0)),
                ANSWER(4, 3000,
                       ENDPOINT(1, "a:1", "READY", 400,
                                0) "," ENDPOINT(2, "b:1", "READY", 150, 0)));

    cr_expect_float_eq(endpoint_of(snapshot, 0)->rate, 150, 1e-9);
    cr_expect_float_eq(endpoint_of(snapshot, 1)->rate, 50, 1e-9);
    cr_expect_float_eq(endpoint_of(snapshot, 0)->share, 0.75, 1e-9);
    cr_expect_float_eq(snapshot->targets[0].rate, 200, 1e-9);
    cr_expect_float_eq(snapshot->rate, 200, 1e-9);
    top_snapshot_destroy(snapshot);
}

Test(top_rates, are_found_whatever_the_orders)
{
    top_snapshot *before =
        parse(ANSWER(4, 1000,
                     ENDPOINT(9, "a:1", "READY", 1,
                              0) "," ENDPOINT(2, "b:1", "READY", 2, 0)));
    top_snapshot *snapshot =
        parse(ANSWER(4, 2000,
                     ENDPOINT(2, "b:1", "READY", 12,
                              0) "," ENDPOINT(9, "a:1", "READY", 31, 0)));

    top_snapshot_sort(before, TOP_BY_ADDRESS);
    top_snapshot_compare(snapshot, before);
    cr_expect_float_eq(endpoint_of(snapshot, 0)->rate, 10, 1e-9);
    cr_expect_float_eq(endpoint_of(snapshot, 1)->rate, 30, 1e-9);
    top_snapshot_destroy(before);
    top_snapshot_destroy(snapshot);
}

Test(top_rates, are_none_for_what_is_new_or_went_back)
{
    top_snapshot *snapshot =
        compare(ANSWER(4, 1000, ENDPOINT(1, "a:1", "READY", 100, 0)),
                ANSWER(4, 2000,
                       ENDPOINT(1, "a:1", "READY", 99,
                                0) "," ENDPOINT(2, "b:1", "READY", 50, 0)));

    cr_expect_lt(endpoint_of(snapshot, 0)->rate, 0);
    cr_expect_lt(endpoint_of(snapshot, 1)->rate, 0);
    cr_expect_lt(snapshot->rate, 0);
    top_snapshot_destroy(snapshot);
}

Test(top_rates, are_none_when_another_process_answers)
{
    top_snapshot *snapshot =
        compare(ANSWER(4, 1000, ENDPOINT(1, "a:1", "READY", 1, 0)),
                ANSWER(5, 2000, ENDPOINT(1, "a:1", "READY", 9, 0)));

    cr_expect_lt(endpoint_of(snapshot, 0)->rate, 0);
    top_snapshot_destroy(snapshot);
}

Test(top_rates, are_none_when_no_time_has_passed)
{
    top_snapshot *snapshot =
        compare(ANSWER(4, 1000, ENDPOINT(1, "a:1", "READY", 1, 0)),
                ANSWER(4, 1000, ENDPOINT(1, "a:1", "READY", 9, 0)));

    cr_expect_lt(endpoint_of(snapshot, 0)->rate, 0);
    top_snapshot_destroy(snapshot);
}

Test(top_rates, are_zero_without_calls)
{
    top_snapshot *snapshot =
        compare(ANSWER(4, 1000, ENDPOINT(1, "a:1", "READY", 8, 0)),
                ANSWER(4, 2000, ENDPOINT(1, "a:1", "READY", 8, 0)));

    cr_expect_eq(endpoint_of(snapshot, 0)->rate, 0);
    cr_expect_eq(endpoint_of(snapshot, 0)->share, 0);
    top_snapshot_destroy(snapshot);
}

/* ---- orders ---- */

static void expect_order(top_order order, const char *expected)
{
    static const char first[] =
        ANSWER(4, 1000,
               ENDPOINT(1, "h10:1", "READY", 0, 5) "," ENDPOINT(
                   2, "h9:1", "IDLE", 0, 0) "," ENDPOINT(3, "h1:1",
                                                         "TRANSIENT_"
                                                         "FAILURE",
                                                         0, 9));
    static const char second[] =
        ANSWER(4, 2000,
               ENDPOINT(1, "h10:1", "READY", 50, 5) "," ENDPOINT(
                   2, "h9:1", "IDLE", 90, 0) "," ENDPOINT(3, "h1:1",
                                                          "TRANSIENT_"
                                                          "FAILURE",
                                                          0, 9));
    top_snapshot *snapshot = compare(first, second);
    char got[64] = "";

    top_snapshot_sort(snapshot, order);
    for (size_t i = 0; i < 3; i++) {
        strcat(got, endpoint_of(snapshot, i)->address);
        strcat(got, " ");
    }
    cr_expect_str_eq(got, expected);
    top_snapshot_destroy(snapshot);
}

Test(top_order, is_by_what_was_asked_for)
{
    expect_order(TOP_BY_CALLS, "h9:1 h10:1 h1:1 ");
    expect_order(TOP_BY_IN_FLIGHT, "h1:1 h10:1 h9:1 ");
    expect_order(TOP_BY_STATE, "h1:1 h9:1 h10:1 ");
    expect_order(TOP_BY_ADDRESS, "h1:1 h9:1 h10:1 ");
}

Test(top_order, has_names)
{
    top_order order = TOP_BY_CALLS;

    cr_expect(top_order_parse("inflight", &order));
    cr_expect_eq(order, TOP_BY_IN_FLIGHT);
    cr_expect_str_eq(top_order_name(order), "inflight");
    cr_expect_not(top_order_parse("name", &order));
    cr_expect_eq(order, TOP_BY_IN_FLIGHT);
}
