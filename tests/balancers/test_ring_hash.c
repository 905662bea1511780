/* SPDX-License-Identifier: Apache-2.0 */
/* The rings of the policy ring_hash, which are looked into, and what it shares
 * with the other policies that hash. test_ring_hash_states.c has the rest. */
#include "hashing_test.h"

#include <math.h>

#include "ring_hash/table.h"

const muster_plugin *muster_builtin_ring_hash(void);

static const muster_balancer_class *policy(void)
{
    return muster_builtin_ring_hash()->balancers[0];
}

static const ring_table *table_of(const muster_testkit_balancer *kit)
{
    muster_testkit_balancer_raw raw;

    muster_testkit_balancer_get_raw(kit, &raw);
    return raw.table;
}

static const ring *ring_of(const muster_testkit_balancer *kit)
{
    return table_of(kit)->ring;
}

static const hashing_member *owner_of(const ring *of, uint32_t point)
{
    return &of->roster->members[of->points[point].member];
}

/* ---- the very ring of Envoy and gRPC ---- */

/* ring_hash_lb_test.cc: Basic */
Test(ring_hash, makes_the_ring_that_envoy_makes)
{
    static const struct {
        char digit;
        uint64_t hash;
    } expected[] = {{'4', 833437586790550860u},   {'2', 928266305478181108u},
                    {'0', 1033482794131418490u},  {'5', 3551244743356806947u},
                    {'3', 3851675632748031481u},  {'1', 5583722120771150861u},
                    {'1', 6311230543546372928u},  {'3', 7700377290971790572u},
                    {'5', 13144177310400110813u}, {'2', 13444792449719432967u},
                    {'4', 15516499411664133160u}, {'0', 16117243373044804889u}};
    muster_testkit_balancer *kit =
        policy_test_create(policy(), "{\"minRingSize\": 12}", 1);

    hashing_test_set_ports(kit, "305142", NULL, false);
    cr_assert_eq(ring_of(kit)->n, 12);
    for (uint32_t i = 0; i < 12; i++) {
        const char *address = owner_of(ring_of(kit), i)->address;

        cr_expect_eq(ring_of(kit)->points[i].hash, expected[i].hash);
        cr_expect_eq(address[strlen(address) - 1], expected[i].digit);
    }
    policy_test_destroy(kit);
}

Test(ring_hash, finds_the_first_point_at_or_after_a_hash)
{
    muster_testkit_balancer *kit =
        policy_test_create(policy(), "{\"minRingSize\": 12}", 1);

    hashing_test_set_ports(kit, "012345", NULL, false);
    cr_expect_eq(muster__ring_find(ring_of(kit), 0), 0);
    cr_expect_eq(muster__ring_find(ring_of(kit), UINT64_MAX), 0);
    cr_expect_eq(muster__ring_find(ring_of(kit), 3551244743356806947u), 3);
    cr_expect_eq(muster__ring_find(ring_of(kit), 3551244743356806948u), 4);
    cr_expect_eq(muster__ring_find(ring_of(kit), 16117243373044804880u), 11);
    policy_test_destroy(kit);
}

/* Keys "a", "b", "c" of these weights. */
static void set_abc(muster_testkit_balancer *kit, uint32_t a, uint32_t b,
                    uint32_t c)
{
    static const muster_attribute keys[] = {
        {"hash_key", "a"}, {"hash_key", "b"}, {"hash_key", "c"}};
    const muster_endpoint endpoints[] = {{.address = "10.0.0.9:1",
                                          .weight = a,
                                          .attributes = &keys[0],
                                          .n_attributes = 1},
                                         {.address = "10.0.0.8:1",
                                          .weight = b,
                                          .attributes = &keys[1],
                                          .n_attributes = 1},
                                         {.address = "10.0.0.7:1",
                                          .weight = c,
                                          .attributes = &keys[2],
                                          .n_attributes = 1}};

    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, c > 0 ? 3 : 2,
                                             MUSTER_READY),
                 MUSTER_OK);
    policy_test_publish(kit);
}

static double share_of_points(const ring *of, const char *key)
{
    double n = 0;

    for (uint32_t i = 0; i < of->n; i++) {
        n += strcmp(owner_of(of, i)->key, key) == 0;
    }
    return n / of->n;
}

/* As grpc-go's equalApproximately(). */
static void expect_share(const ring *of, const char *key, double expected)
{
    double share = share_of_points(of, key);

    cr_expect_lt(fabs(share - expected) / ((share + expected) / 2), 0.25,
                 "%s: %f of %u", key, share, (unsigned)of->n);
}

/* grpc-go's TestRingNew */
Test(ring_hash, keeps_sizes_and_shares_as_grpc_does)
{
    static const uint32_t least[] = {3, 4, 6, 8};
    static const uint32_t most[] = {20, 8};
    char sizes[64];

    for (int i = 0; i < 8; i++) {
        muster_testkit_balancer *kit;

        (void)snprintf(sizes, sizeof sizes,
                       "{\"minRingSize\": %u, \"maxRingSize\": %u}",
                       (unsigned)least[i / 2], (unsigned)most[i % 2]);
        kit = policy_test_create(policy(), sizes, 1);
        set_abc(kit, 3, 3, 4);
        cr_expect_geq(ring_of(kit)->n, least[i / 2]);
        cr_expect_leq(ring_of(kit)->n, most[i % 2]);
        expect_share(ring_of(kit), "a", 0.3);
        expect_share(ring_of(kit), "b", 0.3);
        expect_share(ring_of(kit), "c", 0.4);
        policy_test_destroy(kit);
    }
}

/* grpc-go's TestRingNewWeightSumOverflow, ...ToNonZero */
Test(ring_hash, takes_weights_whose_sum_is_over_32_bits)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    set_abc(kit, 1u << 31, 1u << 31, 0);
    cr_expect_eq(ring_of(kit)->n, 1024);
    cr_expect_float_eq(share_of_points(ring_of(kit), "a"), 0.5, 1e-9);
    set_abc(kit, 1u << 31, 1u << 31, 1u << 30);
    cr_expect(ring_of(kit)->n >= 1024 && ring_of(kit)->n <= 4096);
    expect_share(ring_of(kit), "a", 0.4);
    expect_share(ring_of(kit), "c", 0.2);
    policy_test_destroy(kit);
}

/* grpc-go's TestRingPick, with more keys */
Test(ring_hash, picks_the_owner_of_a_keys_place)
{
    muster_testkit_balancer *kit = policy_test_create(
        policy(), "{\"minRingSize\": 10, \"maxRingSize\": 20}", 1);
    char key[16];

    set_abc(kit, 3, 3, 4);
    for (int number = 1; number <= 1000; number++) {
        const ring *of = ring_of(kit);
        uint32_t point = 0;
        uint64_t hash;

        (void)snprintf(key, sizeof key, "%d", number);
        hash = XXH64(key, strlen(key), 0);
        while (point < of->n && of->points[point].hash < hash) {
            point++;
        }
        cr_expect_eq(hashing_test_pick(kit, key).id,
                     owner_of(of, point % of->n)->id);
    }
    policy_test_destroy(kit);
}

/* ---- sizes ---- */

static uint32_t size_with(const char *sizes, size_t n_endpoints)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), sizes, 1);
    uint32_t n;

    policy_test_ready(kit, NULL, n_endpoints);
    n = ring_of(kit)->n;
    policy_test_destroy(kit);
    return n;
}

Test(ring_hash, makes_rings_of_1024_to_4096_points)
{
    cr_expect_eq(size_with(NULL, 1), 1024);
    cr_expect_eq(size_with(NULL, 100), 1100);
    cr_expect_eq(size_with(NULL, 1000), 2000);
    cr_expect_eq(size_with(NULL, 5000), 4096);
}

Test(ring_hash, caps_sizes_as_grpc_does_unless_told_otherwise)
{
    cr_expect_eq(size_with("{\"minRingSize\": 100000, \"maxRingSize\": "
                           "8388608}",
                           10),
                 4096);
    cr_expect_eq(size_with("{\"minRingSize\": 100000, \"maxRingSize\": "
                           "8388608, \"ringSizeCap\": 8388608}",
                           10),
                 100000);
}

Test(ring_hash, grows_with_the_endpoints_when_told_to)
{
    static const char each[] = "{\"pointsPerEndpoint\": 160}";

    cr_expect_eq(size_with(each, 2), 1024);
    cr_expect_eq(size_with(each, 100), 16000);
    cr_expect_eq(size_with(each, 500), 80000);
}

/* The least and the most that any endpoint owns, of an even share. */
static void measure(const char *sizes, uint32_t n, double *ret_least,
                    double *ret_most)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), sizes, 1);
    double *owned = calloc(n, sizeof *owned);
    const ring *of;

    policy_test_ready(kit, NULL, n);
    of = ring_of(kit);
    for (uint32_t i = 0; i < of->n; i++) {
        uint64_t from = of->points[i == 0 ? of->n - 1 : i - 1].hash;

        owned[of->points[i].member] +=
            (double)(of->points[i].hash - from) * 0x1p-64 * n;
    }
    *ret_least = owned[0];
    *ret_most = owned[0];
    for (uint32_t i = 0; i < n; i++) {
        *ret_least = fmin(*ret_least, owned[i]);
        *ret_most = fmax(*ret_most, owned[i]);
    }
    free(owned);
    policy_test_destroy(kit);
}

Test(ring_hash, spreads_better_the_more_points_there_are)
{
    double least;
    double most;

    measure(NULL, 100, &least, &most);
    cr_log_info("100, as gRPC: %.3f to %.2f", least, most);
    cr_expect(least > 0.2 && most < 2.5, "%f to %f", least, most);
    measure(NULL, 1000, &least, &most);
    cr_log_info("1000, as gRPC: %.3f to %.2f", least, most);
    cr_expect(least < 0.1 && most > 3, "%f to %f", least, most);
    measure("{\"pointsPerEndpoint\": 160}", 1000, &least, &most);
    cr_log_info("1000 of 160 points: %.3f to %.2f", least, most);
    cr_expect(least > 0.7 && most < 1.4, "%f to %f", least, most);
}

/* ---- what all policies that hash promise ---- */

Test(ring_hash, leaves_keys_where_they_are_when_another_endpoint_leaves)
{
    hashing_test_keeps_keys(policy(), 0);
}

Test(ring_hash, makes_the_same_ring_of_any_order)
{
    hashing_test_ignores_order(policy());
    hashing_test_ignores_order_of_twins(policy());
}

Test(ring_hash, tells_endpoints_of_one_key_apart)
{
    hashing_test_tells_namesakes_apart(policy());
}

Test(ring_hash, takes_the_key_from_the_header_that_it_is_told)
{
    hashing_test_reads_header(policy());
}

Test(ring_hash, spreads_calls_without_a_key)
{
    hashing_test_spreads_keyless(policy(),
                                 "{\"requestHashHeader\": \"x-user\", "
                                 "\"pointsPerEndpoint\": 1000}");
}

Test(ring_hash, keeps_every_endpoint_below_its_cap)
{
    hashing_test_bounds_all_loads(policy());
}

Test(ring_hash, sends_what_is_too_much_the_same_way_in_every_client)
{
    hashing_test_overflows_alike(policy());
}

Test(ring_hash, counts_no_calls_below_none)
{
    hashing_test_counts_no_calls_below_none(policy());
}

Test(ring_hash, has_exactly_the_endpoints_of_the_list_on_its_ring)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    for (size_t n = 300; n > 0; n -= 100) {
        uint8_t has_point[300] = {0};

        policy_test_ready(kit, NULL, n);
        cr_assert_eq(ring_of(kit)->roster->n, n);
        cr_expect_eq(table_of(kit)->n_ready, n);
        for (uint32_t i = 0; i < ring_of(kit)->n; i++) {
            has_point[ring_of(kit)->points[i].member] = 1;
        }
        for (size_t i = 0; i < n; i++) {
            cr_expect(has_point[i]);
        }
    }
    policy_test_destroy(kit);
}

Test(ring_hash, names_the_place_of_a_wrong_setting)
{
    hashing_test_refuses_common(policy());
    hashing_test_refuses(policy(), "{\"minRingSize\": 0}", "$.minRingSize");
    hashing_test_refuses(policy(), "{\"minRingSize\": \"1024\"}",
                         "$.minRingSize");
    hashing_test_refuses(policy(), "{\"maxRingSize\": 8388609}",
                         "$.maxRingSize");
    hashing_test_refuses(policy(), "{\"minRingSize\": 20, \"maxRingSize\": 10}",
                         "$.minRingSize: must be at most maxRingSize");
    hashing_test_refuses(policy(), "{\"minRingSize\": 4097}", "$.minRingSize");
    hashing_test_refuses(policy(), "{\"ringSizeCap\": -1}", "$.ringSizeCap");
    hashing_test_refuses(policy(), "{\"pointsPerEndpoint\": 1.5}",
                         "$.pointsPerEndpoint");
    hashing_test_refuses(policy(), "{\"connectAll\": 1}", "$.connectAll");
}

Test(ring_hash, goes_by_the_experimental_name_too)
{
    const muster_plugin *plugin = muster_builtin_ring_hash();

    cr_assert_eq(plugin->n_balancers, 2);
    cr_expect_str_eq(plugin->balancers[0]->name, "ring_hash");
    cr_expect_str_eq(plugin->balancers[1]->name, "ring_hash_experimental");
}
