/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the Consul agent, and what is made of them. */
#include <criterion/criterion.h>

#include <entries.h>
#include <stdio.h>
#include <string.h>

#define NODE "\"Node\":{\"Node\":\"n\",\"Address\":\"10.9.9.9\"}"

static muster__consul_entries entries;
static muster_error err;

static void forget(void)
{
    muster__consul_entries_clear(&entries);
}

TestSuite(consul_entries, .fini = forget);

static muster_status parse_with(const char *text,
                                const muster__consul_view *view)
{
    forget();
    return muster__consul_entries_parse(text, strlen(text), view, &entries,
                                        &err);
}

static muster_status parse(const char *text)
{
    static const muster__consul_view view = {.address = NULL};

    return parse_with(text, &view);
}

/* text is one entry; its address is what is expected. */
static void expect_address(const char *text, const char *tagged,
                           const char *address)
{
    const muster__consul_view view = {.address = tagged};
    char list[1024];

    (void)snprintf(list, sizeof list, "[%s]", text);
    cr_assert_eq(parse_with(list, &view), MUSTER_OK, "%s", err.message);
    cr_assert_eq(entries.n_endpoints, 1);
    cr_assert_str_eq(entries.endpoints[0].address, address);
}

static void expect_refused(const char *text, const char *said)
{
    cr_assert_eq(parse(text), MUSTER_PROTOCOL, "%s", text);
    cr_assert_not_null(strstr(err.message, said), "%s: %s", text, err.message);
}

/* ---- addresses ---- */

Test(consul_entries, prefers_the_address_of_the_service)
{
    expect_address("{" NODE ",\"Service\":{\"Address\":\"10.0.0.1\","
                   "\"Port\":80}}",
                   NULL, "10.0.0.1:80");
    expect_address("{" NODE ",\"Service\":{\"Address\":\"\",\"Port\":80}}",
                   NULL, "10.9.9.9:80");
    expect_address("{" NODE ",\"Service\":{\"Port\":80}}", NULL, "10.9.9.9:80");
}

Test(consul_entries, takes_the_port_of_a_tagged_address)
{
    expect_address("{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80,"
                   "\"TaggedAddresses\":{\"wan\":{\"Address\":\"1.2.3.4\","
                   "\"Port\":8080}}}}",
                   "wan", "1.2.3.4:8080");
    expect_address("{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80,"
                   "\"TaggedAddresses\":{\"wan\":{\"Address\":\"1.2.3.4\"}}}}",
                   "wan", "1.2.3.4:80");
}

Test(consul_entries, takes_a_tagged_address_of_the_node)
{
    expect_address("{\"Node\":{\"Address\":\"10.9.9.9\",\"TaggedAddresses\":{"
                   "\"wan\":\"1.2.3.4\"}},\"Service\":{\"Port\":80}}",
                   "wan", "1.2.3.4:80");
}

Test(consul_entries, does_not_mix_the_node_with_the_address_of_a_service)
{
    expect_address("{\"Node\":{\"TaggedAddresses\":{\"wan\":\"1.2.3.4\"}},"
                   "\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}",
                   "wan", "10.0.0.1:80");
}

Test(consul_entries, brackets_ipv6)
{
    expect_address("{\"Service\":{\"Address\":\"2001:db8::1\",\"Port\":80}}",
                   NULL, "[2001:db8::1]:80");
}

/* ---- what is bad ---- */

Test(consul_entries, names_what_is_no_list)
{
    expect_refused("", "byte 0 of the answer: expected a JSON array");
    expect_refused("{}", "expected a JSON array");
    expect_refused("[", "byte 1");
    expect_refused("[1", "expected a \",\" or the array's end");
    expect_refused("[1,]", "byte");
    expect_refused("[] []", "something follows the array");
}

Test(consul_entries, refuses_what_has_no_good_entry)
{
    expect_refused("[{}]", "an entry without a Service");
    expect_refused("[7,null,\"x\",[]]", "none of 4 entries");
    expect_refused("[{\"Service\":{\"Address\":\"web\",\"Port\":80}}]",
                   "is a host name");
    expect_refused("[{\"Service\":{\"Address\":\"10.0.0.1\"}}]", "port 0");
    expect_refused("[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":65536}}]",
                   "port 65536");
    expect_refused("[{\"Service\":{\"Port\":80}}]",
                   "neither service nor node has an address");
}

Test(consul_entries, counts_the_bad_among_the_good)
{
    cr_assert_eq(parse("[{},{\"Service\":{\"Address\":\"10.0.0.1\","
                       "\"Port\":80}},{}]"),
                 MUSTER_OK);
    cr_assert_eq(entries.n_endpoints, 1);
    cr_assert_eq(entries.n_bad, 2);
}

Test(consul_entries, has_nothing_in_an_empty_list)
{
    cr_assert_eq(parse(" [ ] "), MUSTER_OK);
    cr_assert_eq(entries.n_endpoints, 0);
    cr_assert_eq(entries.n_bad, 0);
}

/* ---- health ---- */

static size_t count_with(const char *checks)
{
    static const muster__consul_view all = {.has_all = true};
    char text[512];

    (void)snprintf(text, sizeof text,
                   "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80},"
                   "\"Checks\":%s}]",
                   checks);
    cr_assert_eq(parse_with(text, &all), MUSTER_OK, "%s", err.message);
    return entries.n_endpoints;
}

Test(consul_entries, takes_the_worst_check)
{
    cr_assert_eq(count_with("[]"), 1);
    cr_assert_eq(count_with("[{\"Status\":\"passing\"}]"), 1);
    cr_assert_eq(count_with("[{\"Status\":\"warning\"}]"), 1);
    cr_assert_eq(
        count_with("[{\"Status\":\"critical\"},{\"Status\":\"passing\"}]"), 0);
    cr_assert_eq(
        count_with("[{\"Status\":\"warning\"},{\"Status\":\"critical\"}]"), 0);
    cr_assert_eq(count_with("[{\"Status\":\"strange\"}]"), 0);
}

/* All critical is an answer, not a bad body. */
Test(consul_entries, may_leave_none)
{
    cr_assert_eq(count_with("[{\"Status\":\"critical\"}]"), 0);
    cr_assert_eq(entries.n_bad, 0);
}

/* ---- zone ---- */

Test(consul_entries, takes_the_zone_of_the_service_first)
{
    cr_assert_eq(parse("[{\"Node\":{\"Meta\":{\"zone\":\"n\"}},\"Service\":{"
                       "\"Address\":\"10.0.0.1\",\"Port\":80,\"Meta\":{"
                       "\"zone\":\"s\"}}},{\"Node\":{\"Meta\":{\"zone\":"
                       "\"n\"}},\"Service\":{\"Address\":\"10.0.0.2\","
                       "\"Port\":80}}]"),
                 MUSTER_OK);
    cr_assert_str_eq(entries.endpoints[0].zone, "s");
    cr_assert_str_eq(entries.endpoints[1].zone, "n");
}

/* ---- priority ---- */

static uint32_t priority_of(const char *meta)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80,"
                   "\"Meta\":{%s}}}]",
                   meta);
    cr_assert_eq(parse(text), MUSTER_OK);
    return entries.endpoints[0].priority;
}

Test(consul_entries, takes_the_priority_of_the_service)
{
    cr_expect_eq(priority_of("\"priority\":\"2\""), 2);
    cr_expect_eq(priority_of("\"priority\":\"999999999\""), 999999999);
    cr_expect_eq(priority_of(""), 0);
    cr_expect_eq(priority_of("\"priority\":\"-1\""), 0);
    cr_expect_eq(priority_of("\"priority\":\"1st\""), 0);
    cr_expect_eq(priority_of("\"priority\":\"1234567890\""), 0);
}

/* ---- the limit ---- */

static void parse_many(size_t n)
{
    char text[8192] = "[";

    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(text);

        (void)snprintf(text + length, sizeof text - length,
                       "%s{\"Service\":{\"Address\":\"10.0.0.%zu\","
                       "\"Port\":80}}",
                       i > 0 ? "," : "", i);
    }
    strcat(text, "]");
    cr_assert_eq(parse(text), MUSTER_OK);
}

static bool has_address(const char *address)
{
    for (size_t i = 0; i < entries.n_endpoints; i++) {
        if (strcmp(entries.endpoints[i].address, address) == 0) {
            return true;
        }
    }
    return false;
}

Test(consul_entries, chooses_others_with_another_seed)
{
    char first[8][32];
    size_t n_common = 0;

    parse_many(64);
    muster__consul_entries_limit(&entries, 8, 1);
    cr_assert_eq(entries.n_endpoints, 8);
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(first[i], sizeof first[i], "%s",
                       entries.endpoints[i].address);
    }
    parse_many(64);
    muster__consul_entries_limit(&entries, 8, 2);
    for (size_t i = 0; i < 8; i++) {
        n_common += has_address(first[i]);
    }
    cr_assert_lt(n_common, 6);
}

Test(consul_entries, keeps_its_choice_when_the_list_grows)
{
    char first[8][32];
    size_t n_common = 0;

    parse_many(32);
    muster__consul_entries_limit(&entries, 8, 1);
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(first[i], sizeof first[i], "%s",
                       entries.endpoints[i].address);
    }
    parse_many(34);
    muster__consul_entries_limit(&entries, 8, 1);
    for (size_t i = 0; i < 8; i++) {
        n_common += has_address(first[i]);
    }
    cr_assert_geq(n_common, 6);
}
