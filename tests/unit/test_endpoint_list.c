/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of reported endpoints: what they hold, what is refused. */
#include <criterion/criterion.h>

#include <stdlib.h>

static int n_mallocs_left = -1; /* -1: as many as wanted */
static int n_mallocs = 0;

static void *failing_malloc(size_t size)
{
    n_mallocs++;
    return n_mallocs_left-- == 0 ? NULL : malloc(size);
}

/* The code under test, with a malloc that can fail. */
#define malloc failing_malloc
#include "../../core/endpoint_list.c"
#undef malloc

static muster__list *copied(const muster_endpoint *endpoints, size_t n)
{
    muster__list *list = NULL;
    muster_error err;
    muster_status status =
        muster__list_copy(endpoints, n, sizeof *endpoints, &list, &err);

    cr_assert_eq(status, MUSTER_OK, "%s", err.message);
    return list;
}

static void expect_refusal(const muster_endpoint *endpoints, size_t n,
                           size_t stride, const char *said)
{
    muster__list *list = NULL;
    muster_error err;

    cr_assert_eq(muster__list_copy(endpoints, n, stride, &list, &err),
                 MUSTER_INVAL);
    cr_assert_null(list);
    cr_assert_not_null(strstr(err.message, said), "%s", err.message);
}

static void expect_one_refused(muster_endpoint endpoint, const char *said)
{
    expect_refusal(&endpoint, 1, sizeof endpoint, said);
}

static uint64_t hash_of(muster_endpoint endpoint)
{
    muster__list *list = copied(&endpoint, 1);
    uint64_t hash = list->hashes[0];

    muster__list_destroy(list);
    return hash;
}

Test(endpoint_list, copies_everything_deeply)
{
    char address[] = "10.0.0.1:1";
    char more_text[] = "[0::1]:1";
    char zone[] = "z";
    char hostname[] = "h";
    char key[] = "k";
    char value[] = "v";
    const char *more[] = {more_text};
    muster_attribute attribute = {key, value};
    muster_endpoint endpoint = {address, more, hostname, zone, &attribute,
                                1,       1,    7,        2};
    muster__list *list = copied(&endpoint, 1);

    address[0] = more_text[1] = zone[0] = hostname[0] = key[0] = value[0] = '#';
    memset(&endpoint, 0, sizeof endpoint);
    cr_assert_eq(list->n, 1);
    cr_assert_str_eq(list->endpoints[0].address, "10.0.0.1:1");
    cr_assert_eq(list->endpoints[0].n_more_addresses, 1);
    cr_assert_str_eq(list->endpoints[0].more_addresses[0], "[::1]:1");
    cr_assert_str_eq(list->endpoints[0].zone, "z");
    cr_assert_str_eq(list->endpoints[0].hostname, "h");
    cr_assert_eq(list->endpoints[0].n_attributes, 1);
    cr_assert_str_eq(list->endpoints[0].attributes[0].key, "k");
    cr_assert_str_eq(list->endpoints[0].attributes[0].value, "v");
    cr_assert_eq(list->endpoints[0].weight, 7);
    cr_assert_eq(list->endpoints[0].priority, 2);
    muster__list_destroy(list);
}

Test(endpoint_list, makes_one_allocation)
{
    muster_endpoint endpoints[] = {{.address = "10.0.0.1:1", .zone = "a"},
                                   {.address = "[::1]:1", .hostname = "b"}};
    muster__list *list;

    n_mallocs = 0;
    list = copied(endpoints, 2);
    cr_assert_eq(n_mallocs, 1);
    muster__list_destroy(list);
}

Test(endpoint_list, reads_weight_zero_as_one)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster__list *list = copied(&endpoint, 1);

    cr_assert_eq(list->endpoints[0].weight, 1);
    muster__list_destroy(list);
}

Test(endpoint_list, reads_empty_names_as_none)
{
    muster_endpoint endpoint = {
        .address = "10.0.0.1:1", .hostname = "", .zone = ""};
    muster__list *list = copied(&endpoint, 1);

    cr_assert_null(list->endpoints[0].hostname);
    cr_assert_null(list->endpoints[0].zone);
    muster__list_destroy(list);
}

Test(endpoint_list, of_nothing_is_empty)
{
    muster__list *list = copied(NULL, 0);

    cr_assert_eq(list->n, 0);
    muster__list_destroy(list);
    muster__list_destroy(NULL);
}

Test(endpoint_list, sorts_attributes)
{
    muster_attribute attributes[] = {{"b", "1"}, {"a", "2"}};
    muster_endpoint endpoint = {
        .address = "10.0.0.1:1", .attributes = attributes, .n_attributes = 2};
    muster__list *list = copied(&endpoint, 1);

    cr_assert_str_eq(list->endpoints[0].attributes[0].key, "a");
    cr_assert_str_eq(list->endpoints[0].attributes[1].key, "b");
    muster__list_destroy(list);
}

Test(endpoint_list, keeps_a_repeated_address_once)
{
    const char *more[] = {"[::1]:1", "10.0.0.1:1", "[0::1]:1"};
    muster_endpoint endpoint = {
        .address = "10.0.0.1:1", .more_addresses = more, .n_more_addresses = 3};
    muster__list *list = copied(&endpoint, 1);

    cr_assert_eq(list->endpoints[0].n_more_addresses, 1);
    cr_assert_str_eq(list->endpoints[0].more_addresses[0], "[::1]:1");
    muster__list_destroy(list);
}

Test(endpoint_list, hashes_addresses_in_any_order_alike)
{
    const char *first[] = {"10.0.0.2:1", "10.0.0.3:1"};
    const char *second[] = {"10.0.0.1:1", "10.0.0.2:1"};
    muster_endpoint a = {.address = "10.0.0.1:1",
                         .more_addresses = first,
                         .n_more_addresses = 2};
    muster_endpoint b = {.address = "10.0.0.3:1",
                         .more_addresses = second,
                         .n_more_addresses = 2};

    cr_assert_eq(hash_of(a), hash_of(b));
}

Test(endpoint_list, hashes_identity_and_nothing_else)
{
    muster_attribute attribute = {"k", "v"};
    muster_endpoint plain = {.address = "10.0.0.1:1"};
    muster_endpoint details = {.address = "10.0.0.1:1",
                               .zone = "z",
                               .attributes = &attribute,
                               .n_attributes = 1,
                               .weight = 9,
                               .priority = 3};
    muster_endpoint named = {.address = "10.0.0.1:1", .hostname = "h"};

    cr_assert_eq(hash_of(plain), hash_of(details));
    cr_assert_neq(hash_of(plain), hash_of(named));
}

Test(endpoint_list, reads_no_field_beyond_the_stride)
{
    struct {
        const char *address;
    } small[] = {{"10.0.0.1:1"}, {"10.0.0.2:1"}};
    muster__list *list = NULL;

    cr_assert_eq(muster__list_copy((const muster_endpoint *)(void *)small, 2,
                                   sizeof *small, &list, NULL),
                 MUSTER_OK);
    cr_assert_str_eq(list->endpoints[1].address, "10.0.0.2:1");
    cr_assert_null(list->endpoints[1].zone);
    cr_assert_eq(list->endpoints[1].weight, 1);
    muster__list_destroy(list);
}

Test(endpoint_list, steps_over_fields_it_does_not_know)
{
    struct {
        muster_endpoint endpoint;
        uint64_t new_field;
    } large[] = {{{.address = "10.0.0.1:1"}, 1},
                 {{.address = "10.0.0.2:1"}, 2}};
    muster__list *list = NULL;

    cr_assert_eq(
        muster__list_copy(&large->endpoint, 2, sizeof *large, &list, NULL),
        MUSTER_OK);
    cr_assert_str_eq(list->endpoints[1].address, "10.0.0.2:1");
    muster__list_destroy(list);
}

Test(endpoint_list, refuses_a_stride_without_an_address)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};

    expect_refusal(&endpoint, 1, 0, "endpoint_size 0");
    expect_refusal(&endpoint, 1, 4, "endpoint_size 4");
    expect_refusal(&endpoint, 1, 12, "endpoint_size 12");
}

Test(endpoint_list, refuses_null_arrays_and_enormous_numbers)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};

    expect_refusal(NULL, 1, sizeof endpoint, "endpoints is NULL");
    expect_refusal(&endpoint, SIZE_MAX, sizeof endpoint, "at most");
    expect_refusal(&endpoint, SIZE_MAX / 8, sizeof endpoint, "at most");
    expect_refusal(&endpoint, 2, SIZE_MAX - 7, "at most");
}

Test(endpoint_list, names_the_bad_endpoint_by_number)
{
    muster_endpoint endpoints[] = {{.address = "10.0.0.1:1"},
                                   {.address = "nowhere"}};

    expect_refusal(endpoints, 2, sizeof *endpoints, "endpoint 1: address");
}

Test(endpoint_list, refuses_missing_parts)
{
    const char *more[] = {NULL};
    muster_attribute no_value = {"k", NULL};
    muster_attribute no_key = {NULL, "v"};

    expect_one_refused((muster_endpoint){0}, "address is NULL");
    expect_one_refused(
        (muster_endpoint){.address = "10.0.0.1:1", .n_more_addresses = 1},
        "more_addresses is NULL");
    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .more_addresses = more,
                                         .n_more_addresses = 1},
                       "more_addresses[0] is NULL");
    expect_one_refused(
        (muster_endpoint){.address = "10.0.0.1:1", .n_attributes = 1},
        "attributes is NULL");
    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .attributes = &no_value,
                                         .n_attributes = 1},
                       "no key or no value");
    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .attributes = &no_key,
                                         .n_attributes = 1},
                       "no key or no value");
}

Test(endpoint_list, refuses_enormous_counts_without_reading_them)
{
    const char *more[] = {"10.0.0.2:1"};
    muster_attribute attribute = {"k", "v"};

    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .more_addresses = more,
                                         .n_more_addresses = UINT32_MAX},
                       "at most 63");
    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .attributes = &attribute,
                                         .n_attributes = UINT32_MAX},
                       "at most 1024");
}

Test(endpoint_list, refuses_texts_that_no_log_or_header_can_carry)
{
    muster_attribute twice[] = {{"k", "1"}, {"k", "2"}};
    muster_attribute binary = {"k", "\xff"};

    expect_one_refused(
        (muster_endpoint){.address = "10.0.0.1:1", .hostname = "a b"},
        "hostname \"a b\"");
    expect_one_refused(
        (muster_endpoint){.address = "10.0.0.1:1", .zone = "a\n"},
        "zone \"a\\x0A\"");
    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .attributes = &binary,
                                         .n_attributes = 1},
                       "UTF-8");
    expect_one_refused((muster_endpoint){.address = "10.0.0.1:1",
                                         .attributes = twice,
                                         .n_attributes = 2},
                       "given twice");
}

Test(endpoint_list, of_identities_reads_nothing_else)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1",
                                .hostname = "h",
                                .zone = (const char *)1,
                                .attributes = (const muster_attribute *)1,
                                .n_attributes = 5,
                                .weight = 3};
    muster__list *list = NULL;

    cr_assert_eq(muster__list_copy_identities(&endpoint, 1, sizeof endpoint,
                                              &list, NULL),
                 MUSTER_OK);
    cr_assert_str_eq(list->endpoints[0].hostname, "h");
    cr_assert_null(list->endpoints[0].zone);
    cr_assert_eq(list->endpoints[0].n_attributes, 0);
    muster__list_destroy(list);
}

Test(endpoint_list, says_so_when_memory_is_short)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster__list *list = NULL;
    muster_error err;

    n_mallocs_left = 0;
    cr_assert_eq(muster__list_copy(&endpoint, 1, sizeof endpoint, &list, &err),
                 MUSTER_NOMEM);
    cr_assert_null(list);
    cr_assert_not_null(strstr(err.message, "out of memory"));
}
