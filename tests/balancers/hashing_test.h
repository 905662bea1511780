/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of hashing policies share: calls with keys, endpoints with
 * keys, and what all of these policies promise. */
#ifndef MUSTER_TESTS_HASHING_TEST_H
#define MUSTER_TESTS_HASHING_TEST_H

#include "policy_test.h"

#include <stdbool.h>
#include <string.h>

static inline muster_testkit_pick
hashing_test_pick(muster_testkit_balancer *kit, const char *key)
{
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                                   .hash_key = key};
    muster_testkit_pick pick;

    muster_testkit_balancer_pick(kit, &call, 0, &pick);
    return pick;
}

/* Of the number-th key of many. */
static inline const char *hashing_test_key(unsigned number)
{
    static char key[32];

    (void)snprintf(key, sizeof key, "key %u", number);
    return key;
}

/* The address that a key leads to. */
static inline const char *hashing_test_owner(muster_testkit_balancer *kit,
                                             const char *key)
{
    muster_testkit_pick pick = hashing_test_pick(kit, key);

    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    muster_testkit_balancer_done(kit, pick.id, NULL);
    return pick.endpoint->address;
}

/* "127.0.0.1:90" to ":95", READY, in the order that digits say. Each has its
 * port for a host name, and again for a hash_key if it is to have one. */
static inline void hashing_test_set_ports(muster_testkit_balancer *kit,
                                          const char *digits,
                                          const uint32_t *weights,
                                          bool has_hash_keys)
{
    static const char *const addresses[] = {"127.0.0.1:90", "127.0.0.1:91",
                                            "127.0.0.1:92", "127.0.0.1:93",
                                            "127.0.0.1:94", "127.0.0.1:95"};
    static const muster_attribute keys[] = {
        {"hash_key", "90"}, {"hash_key", "91"}, {"hash_key", "92"},
        {"hash_key", "93"}, {"hash_key", "94"}, {"hash_key", "95"}};
    muster_endpoint endpoints[6] = {{.address = NULL}};
    size_t n = strlen(digits);

    for (size_t i = 0; i < n; i++) {
        int which = digits[i] - '0';

        endpoints[i].address = addresses[which];
        endpoints[i].hostname = keys[which].value;
        endpoints[i].weight = weights == NULL ? 1 : weights[which];
        endpoints[i].attributes = &keys[which];
        endpoints[i].n_attributes = has_hash_keys ? 1 : 0;
    }
    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, n, MUSTER_READY),
                 MUSTER_OK);
    policy_test_publish(kit);
}

/* Which of the ports' endpoints an index of the view is. */
static inline char hashing_test_digit(muster_testkit_balancer *kit,
                                      uint32_t index)
{
    const char *address =
        muster_testkit_balancer_get_backend(kit, index)->endpoint->address;

    return address[strlen(address) - 1];
}

/* ---- the call's key ---- */

static inline const char *hashing_test_header(void *arg, const char *name)
{
    return strcmp(name, "x-user") == 0 ? arg : NULL;
}

static inline muster_testkit_pick
hashing_test_pick_header(muster_testkit_balancer *kit, char *value,
                         const char *key)
{
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                                   .hash_key = key,
                                   .header = hashing_test_header,
                                   .header_arg = value};
    muster_testkit_pick pick;

    muster_testkit_balancer_pick(kit, &call, 0, &pick);
    return pick;
}

/* A call's own key comes before the header, and an empty one is none. */
static inline void
hashing_test_reads_header(const muster_balancer_class *class_)
{
    muster_testkit_balancer *kit =
        policy_test_create(class_, "{\"requestHashHeader\": \"X-User\"}", 1);
    char value[32];

    policy_test_ready(kit, NULL, 50);
    for (unsigned i = 0; i < 50; i++) {
        uint32_t owner = hashing_test_pick(kit, hashing_test_key(i)).index;
        uint32_t other = hashing_test_pick(kit, "other").index;

        strcpy(value, hashing_test_key(i));
        cr_expect_eq(hashing_test_pick_header(kit, value, NULL).index, owner);
        cr_expect_eq(hashing_test_pick_header(kit, value, "").index, owner);
        cr_expect_eq(hashing_test_pick_header(kit, value, "other").index,
                     other);
    }
    policy_test_destroy(kit);
}

/* Calls without a key go anywhere, evenly. */
static inline void
hashing_test_spreads_keyless(const muster_balancer_class *class_,
                             const char *json)
{
    muster_testkit_balancer *kit = policy_test_create(class_, json, 1);
    uint64_t counts[10] = {0};
    char empty[] = "";

    policy_test_ready(kit, NULL, 10);
    for (int i = 0; i < 5000; i++) {
        counts[hashing_test_pick(kit, NULL).index]++;
        counts[hashing_test_pick_header(kit, empty, NULL).index]++;
    }
    for (int i = 0; i < 10; i++) {
        cr_expect(counts[i] > 700 && counts[i] < 1300, "%d: %lu of 10000", i,
                  (unsigned long)counts[i]);
    }
    policy_test_destroy(kit);
}

/* ---- settings ---- */

static inline void hashing_test_refuses(const muster_balancer_class *class_,
                                        const char *json, const char *place)
{
    cr_expect(strstr(policy_test_refuse(class_, json).message, place) != NULL,
              "%s", json);
}

static inline void
hashing_test_refuses_common(const muster_balancer_class *class_)
{
    static const char *const headers[] = {"7", "\"x user\"", "\":authority\"",
                                          "\"trace-bin\"", "\"Trace-BIN\""};
    char json[64];

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        (void)snprintf(json, sizeof json, "{\"requestHashHeader\": %s}",
                       headers[i]);
        hashing_test_refuses(class_, json, "$.requestHashHeader");
    }
    hashing_test_refuses(class_, "{\"hashBalanceFactor\": 99}",
                         "$.hashBalanceFactor");
    hashing_test_refuses(class_, "{\"hashBalanceFactor\": 1.25}",
                         "$.hashBalanceFactor");
    hashing_test_refuses(class_, "{\"useHostnameForHashing\": 1}",
                         "$.useHostnameForHashing");
}

/* ---- the set of endpoints ---- */

/* A key's endpoint stays when one of 20 others leaves; whose endpoint leaves is
 * spread; all is as before when it comes back. At most so many per mille of the
 * keys move that need not. */
static inline void hashing_test_keeps_keys(const muster_balancer_class *class_,
                                           unsigned per_mille)
{
    enum { N_KEYS = 2000 };
    muster_testkit_balancer *kit = policy_test_create(class_, NULL, 1);
    static uint64_t owners[N_KEYS];
    unsigned n_moved = 0;
    uint64_t leaver;

    policy_test_ready(kit, NULL, 20);
    leaver = muster_testkit_balancer_get_backend(kit, 7)->id;
    for (unsigned i = 0; i < N_KEYS; i++) {
        owners[i] = hashing_test_pick(kit, hashing_test_key(i)).id;
    }
    muster_testkit_balancer_set_state(kit, 7, MUSTER_TRANSIENT_FAILURE, "gone");
    policy_test_publish(kit);
    for (unsigned i = 0; i < N_KEYS; i++) {
        uint64_t id = hashing_test_pick(kit, hashing_test_key(i)).id;

        cr_expect_neq(id, leaver);
        n_moved += owners[i] != leaver && id != owners[i];
    }
    cr_expect_leq(n_moved, N_KEYS * per_mille / 1000, "%u of %u", n_moved,
                  (unsigned)N_KEYS);
    muster_testkit_balancer_set_state(kit, 7, MUSTER_READY, NULL);
    policy_test_publish(kit);
    for (unsigned i = 0; i < N_KEYS; i++) {
        cr_expect_eq(hashing_test_pick(kit, hashing_test_key(i)).id, owners[i]);
    }
    policy_test_destroy(kit);
}

/* Clients agree, whatever the order of their lists. */
static inline void
hashing_test_ignores_order(const muster_balancer_class *class_)
{
    muster_testkit_balancer *kit = policy_test_create(class_, NULL, 1);
    muster_testkit_balancer *other = policy_test_create(class_, NULL, 2);

    hashing_test_set_ports(kit, "012345", NULL, false);
    hashing_test_set_ports(other, "351042", NULL, false);
    for (unsigned i = 0; i < 1000; i++) {
        const char *key = hashing_test_key(i);

        cr_expect_str_eq(hashing_test_owner(kit, key),
                         hashing_test_owner(other, key));
    }
    policy_test_destroy(other);
    policy_test_destroy(kit);
}

/* The weight of the endpoint, of some that have their first address in common,
 * which a key leads to. */
static inline uint32_t hashing_test_twin(muster_testkit_balancer *kit,
                                         const char *key)
{
    muster_testkit_pick pick = hashing_test_pick(kit, key);

    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    return pick.endpoint->weight;
}

/* Endpoints that have their first address in common get the same keys in every
 * client, too. They are known by their weights, which are nearly the same. */
static inline void
hashing_test_ignores_order_of_twins(const muster_balancer_class *class_)
{
    static const char *const more[] = {"10.0.0.2:80", "10.0.0.3:80"};
    const muster_endpoint endpoints[] = {
        {.address = "10.0.0.1:80", .hostname = "b", .weight = 1001},
        {.address = "10.0.0.1:80",
         .hostname = "a",
         .more_addresses = &more[0],
         .n_more_addresses = 2,
         .weight = 1002},
        {.address = "10.0.0.1:80",
         .hostname = "a",
         .more_addresses = &more[0],
         .n_more_addresses = 1,
         .weight = 1003},
        {.address = "10.0.0.1:80",
         .hostname = "a",
         .more_addresses = &more[1],
         .n_more_addresses = 1,
         .weight = 1004}};
    const muster_endpoint turned[] = {endpoints[3], endpoints[2], endpoints[0],
                                      endpoints[1]};
    muster_testkit_balancer *kit = policy_test_create(class_, NULL, 1);
    muster_testkit_balancer *other = policy_test_create(class_, NULL, 2);

    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, 4, MUSTER_READY),
                 MUSTER_OK);
    cr_assert_eq(muster_testkit_balancer_set(other, turned, 4, MUSTER_READY),
                 MUSTER_OK);
    policy_test_publish(kit);
    policy_test_publish(other);
    for (unsigned i = 0; i < 300; i++) {
        const char *key = hashing_test_key(i);

        cr_expect_eq(hashing_test_twin(kit, key),
                     hashing_test_twin(other, key));
    }
    policy_test_destroy(other);
    policy_test_destroy(kit);
}

/* Endpoints of one key all get calls. */
static inline void
hashing_test_tells_namesakes_apart(const muster_balancer_class *class_)
{
    const muster_endpoint endpoints[] = {
        {.address = "10.0.0.1:80", .hostname = "twin"},
        {.address = "10.0.0.2:80", .hostname = "twin"},
        {.address = "10.0.0.3:80", .hostname = "single"}};
    muster_testkit_balancer *kit =
        policy_test_create(class_, "{\"useHostnameForHashing\": true}", 1);
    unsigned counts[3] = {0};

    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, 3, MUSTER_READY),
                 MUSTER_OK);
    policy_test_publish(kit);
    for (unsigned i = 0; i < 3000; i++) {
        counts[hashing_test_pick(kit, hashing_test_key(i)).index]++;
    }
    for (int i = 0; i < 3; i++) {
        cr_expect(counts[i] > 700, "%d: %u of 3000", i, counts[i]);
    }
    policy_test_destroy(kit);
}

/* ---- bounded load ---- */

/* ceil(1.25 * n_calls * weight / total), in whole numbers. */
static inline uint64_t hashing_test_cap(uint64_t n_calls, uint64_t weight,
                                        uint64_t total)
{
    return (125 * n_calls * weight + 100 * total - 1) / (100 * total);
}

typedef struct hashing_test_calls {
    uint64_t ids[2000];
    uint32_t indices[2000];
    uint32_t n;
    uint32_t n_each[20];
} hashing_test_calls;

/* One more call; the endpoint that it is placed on is not over its cap. */
static inline void hashing_test_begin(muster_testkit_balancer *kit,
                                      hashing_test_calls *calls,
                                      const char *key, const uint32_t *weights,
                                      uint32_t total)
{
    muster_testkit_pick pick = hashing_test_pick(kit, key);

    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    calls->ids[calls->n] = pick.id;
    calls->indices[calls->n++] = pick.index;
    calls->n_each[pick.index]++;
    cr_expect_leq(calls->n_each[pick.index],
                  hashing_test_cap(calls->n, weights[pick.index], total));
}

/* The number-th call ends. */
static inline void hashing_test_end(muster_testkit_balancer *kit,
                                    hashing_test_calls *calls, uint32_t number)
{
    muster_testkit_balancer_done(kit, calls->ids[number], NULL);
    calls->n_each[calls->indices[number]]--;
    calls->n--;
    calls->ids[number] = calls->ids[calls->n];
    calls->indices[number] = calls->indices[calls->n];
}

/* 1 000 calls of one key, then some of others end and begin among them, then
 * all end. */
static inline void hashing_test_bounds_load(const muster_balancer_class *class_,
                                            const uint32_t *weights)
{
    muster_testkit_balancer *kit =
        policy_test_create(class_, "{\"hashBalanceFactor\": 125}", 1);
    static hashing_test_calls calls;
    uint32_t total = 0;
    uint64_t owner;

    memset(&calls, 0, sizeof calls);
    for (int i = 0; i < 20; i++) {
        total += weights[i];
    }
    policy_test_ready(kit, weights, 20);
    for (int i = 0; i < 1000; i++) {
        hashing_test_begin(kit, &calls, "hot", weights, total);
    }
    owner = calls.ids[0];
    for (unsigned i = 0; i < 3000; i++) {
        hashing_test_end(kit, &calls, i * 7919 % calls.n);
        hashing_test_begin(kit, &calls,
                           i % 2 == 0 ? "hot" : hashing_test_key(i), weights,
                           total);
    }
    while (calls.n > 0) {
        hashing_test_end(kit, &calls, calls.n - 1);
    }
    cr_expect_eq(hashing_test_pick(kit, "hot").id, owner);
    policy_test_destroy(kit);
}

static inline void
hashing_test_bounds_all_loads(const muster_balancer_class *class_)
{
    uint32_t equal[20];
    uint32_t different[20];

    for (uint32_t i = 0; i < 20; i++) {
        equal[i] = 3;
        different[i] = 1 + i * i % 7;
    }
    hashing_test_bounds_load(class_, equal);
    hashing_test_bounds_load(class_, different);
}

/* An end more than there were calls changes nothing: two more calls of a key
 * find room at two endpoints. */
static inline void
hashing_test_counts_no_calls_below_none(const muster_balancer_class *class_)
{
    muster_testkit_balancer *kit =
        policy_test_create(class_, "{\"hashBalanceFactor\": 100}", 1);
    uint64_t owner;

    policy_test_ready(kit, NULL, 20);
    owner = hashing_test_pick(kit, "hot").id;
    for (int i = 0; i < 5; i++) {
        muster_testkit_balancer_done(kit, owner, NULL);
    }
    cr_expect_eq(hashing_test_pick(kit, "hot").id, owner);
    cr_expect_neq(hashing_test_pick(kit, "hot").id, owner);
    policy_test_destroy(kit);
}

/* A key's calls that are too many for its endpoint go the same way in every
 * client, and mostly the same one when another endpoint leaves. */
static inline void
hashing_test_overflows_alike(const muster_balancer_class *class_)
{
    muster_testkit_balancer *kits[2];
    unsigned n_same = 0;

    for (unsigned k = 0; k < 2; k++) {
        kits[k] = policy_test_create(class_, "{\"hashBalanceFactor\": 100}", k);
        policy_test_ready(kits[k], NULL, 20 - k);
    }
    for (unsigned i = 0; i < 200; i++) {
        const char *key = hashing_test_key(i);
        muster_testkit_pick picks[2][2];

        for (unsigned k = 0; k < 2; k++) {
            picks[k][0] = hashing_test_pick(kits[k], key);
            picks[k][1] = hashing_test_pick(kits[k], key);
            cr_expect_neq(picks[k][0].id, picks[k][1].id);
            muster_testkit_balancer_done(kits[k], picks[k][0].id, NULL);
            muster_testkit_balancer_done(kits[k], picks[k][1].id, NULL);
        }
        n_same += picks[0][1].index == picks[1][1].index;
    }
    cr_expect_geq(n_same, 170, "%u of 200", n_same);
    policy_test_destroy(kits[1]);
    policy_test_destroy(kits[0]);
}

#endif
