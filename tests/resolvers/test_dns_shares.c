/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of SRV records become weights of endpoints. */
#include <criterion/criterion.h>

#include <extras.h>
#include <shares.h>

enum { SHARES_MAX = 8 };

static muster__dns_share shares[SHARES_MAX];
static size_t n_shares;

static void add(uint16_t priority, uint16_t weight, uint32_t n)
{
    cr_assert_lt(n_shares, SHARES_MAX);
    shares[n_shares++] = (muster__dns_share){
        .priority = priority, .weight = weight, .n = n, .ret_each = 77};
}

static void expect(const uint32_t *each)
{
    muster__dns_shares_set(shares, n_shares);
    for (size_t i = 0; i < n_shares; i++) {
        cr_expect_eq(shares[i].ret_each, each[i], "share %zu: %u", i,
                     shares[i].ret_each);
    }
}

#define EXPECT(...) expect((const uint32_t[]){__VA_ARGS__})

/* ---- shares ---- */

Test(dns_shares, are_as_the_weights_are)
{
    add(0, 1, 1);
    add(0, 2, 1);
    add(0, 5, 1);
    EXPECT(1, 2, 5);
}

Test(dns_shares, are_in_lowest_terms)
{
    add(0, 20, 1);
    add(0, 40, 1);
    add(0, 100, 1);
    EXPECT(1, 2, 5);
}

Test(dns_shares, are_equal_when_no_service_has_a_weight)
{
    add(0, 0, 1);
    add(0, 0, 1);
    EXPECT(1, 1);
}

Test(dns_shares, without_weight_beside_others_are_very_small)
{
    add(0, 0, 1);
    add(0, 1, 1);
    add(0, 3, 1);
    EXPECT(1, 100, 300);
}

Test(dns_shares, are_divided_among_the_endpoints_of_a_service)
{
    add(0, 1, 3);
    add(0, 1, 1);
    EXPECT(1, 3);
}

Test(dns_shares, are_exact_where_endpoints_differ_in_number)
{
    add(0, 1, 2);
    add(0, 2, 3);
    add(0, 5, 1);
    EXPECT(3, 4, 30);
}

Test(dns_shares, count_within_a_priority)
{
    add(1, 10, 1);
    add(2, 7, 1);
    add(1, 30, 1);
    add(2, 0, 1);
    EXPECT(1, 700, 3, 1);
}

Test(dns_shares, of_services_without_endpoints_are_none)
{
    add(0, 10, 0);
    add(0, 20, 1);
    add(1, 1, 0);
    EXPECT(0, 1, 0);
}

/* 4 999 and 5 003 have no small common multiple. */
Test(dns_shares, are_nearly_right_where_they_cannot_be_exact)
{
    double ratio;

    add(0, 1, 4999);
    add(0, 1, 5003);
    add(0, 5, 1);
    muster__dns_shares_set(shares, n_shares);
    ratio = (double)shares[2].ret_each / (shares[0].ret_each * 4999.0);
    cr_expect(ratio > 5 * 0.99 && ratio < 5 * 1.01, "%f", ratio);
}

Test(dns_shares, are_at_least_one_and_never_too_large)
{
    add(0, 1, 4999);
    add(0, 65535, 1);
    add(0, 0, 7);
    muster__dns_shares_set(shares, n_shares);
    cr_expect_eq(shares[0].ret_each, 1);
    cr_expect_eq(shares[1].ret_each, 1u << 24);
    cr_expect_eq(shares[2].ret_each, 1);
}

Test(dns_shares, of_nobody_are_no_trouble)
{
    muster__dns_shares_set(shares, 0);
}

/* ---- what came along ---- */

static muster__dns_extra extra(const char *owner, uint8_t size, uint32_t ttl_s)
{
    return (muster__dns_extra){
        .owner = owner, .address = {.size = size}, .ttl_s = ttl_s};
}

Test(dns_extras, are_found_by_owner)
{
    muster__dns_extra extras[] = {extra("b", 16, 60), extra("c", 4, 60),
                                  extra("b", 4, 60), extra("a", 4, 60)};
    muster__dns_answer answer = {.ttl_s = 60, .extras = extras, .n_extras = 4};
    size_t n = 0;
    const muster__dns_extra *found;

    muster__dns_extras_prepare(&answer);
    found = muster__dns_extras_find(&answer, "b", &n);
    cr_assert_eq(n, 2);
    cr_expect_eq(found[0].address.size, 4);
    cr_expect_eq(found[1].address.size, 16);
    cr_expect_not_null(muster__dns_extras_find(&answer, "a", &n));
    cr_expect_eq(n, 1);
    cr_expect_not_null(muster__dns_extras_find(&answer, "c", &n));
    cr_expect_eq(n, 1);
    cr_expect_null(muster__dns_extras_find(&answer, "bb", &n));
    cr_expect_eq(n, 0);
    cr_expect_eq(answer.ttl_s, 60);
}

Test(dns_extras, are_none_of_an_answer_without_any)
{
    muster__dns_answer answer = {.ttl_s = 60};
    size_t n = 1;

    muster__dns_extras_prepare(&answer);
    cr_expect_null(muster__dns_extras_find(&answer, "a", &n));
    cr_expect_eq(n, 0);
}

Test(dns_extras, let_an_answer_live_no_longer_than_they_do)
{
    muster__dns_extra extras[] = {extra("a", 4, 60), extra("b", 4, 7)};
    muster__dns_answer answer = {.ttl_s = 60, .extras = extras, .n_extras = 2};

    muster__dns_extras_prepare(&answer);
    cr_expect_eq(answer.ttl_s, 7);
}
