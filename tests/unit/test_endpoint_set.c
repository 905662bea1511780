/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint sets: what changes, what stays, and what short memory does. */
#include <criterion/criterion.h>

#include <stdlib.h>

static int n_allocations_left = -1; /* -1: as many as wanted */

static bool allocation_fails(void)
{
    return n_allocations_left >= 0 && n_allocations_left-- == 0;
}

static void *failing_malloc(size_t size)
{
    return allocation_fails() ? NULL : malloc(size);
}

static void *failing_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : realloc(memory, size);
}

static void *failing_calloc(size_t n, size_t size)
{
    return allocation_fails() ? NULL : calloc(n, size);
}

/* The code under test, with allocations that can fail. */
#define malloc failing_malloc
#define realloc failing_realloc
#define calloc failing_calloc
#include "../../core/endpoint_record.c"
#include "../../core/endpoint_set.c"
#include "../../core/endpoint_table.c"
#undef malloc
#undef realloc
#undef calloc

enum { TEXT_SIZE = 24, MODEL_MAX = 64 };

static muster__set *set;
static muster__changes changes;

static void make_set(void)
{
    cr_assert_eq(muster__set_create(&set), MUSTER_OK);
}

static void destroy_set(void)
{
    muster__set_destroy(set);
}

TestSuite(endpoint_set, .init = make_set, .fini = destroy_set);

/* A list of n endpoints 10.x.x.x:1 by number, each of weight weights[i], 1 when
 * weights is NULL. */
static muster__list *list_of(const uint32_t *numbers, const uint32_t *weights,
                             size_t n)
{
    muster_endpoint *endpoints = calloc(n + 1, sizeof *endpoints);
    char(*texts)[TEXT_SIZE] = calloc(n + 1, sizeof *texts);
    muster__list *list = NULL;
    muster_error err;

    for (size_t i = 0; i < n; i++) {
        snprintf(texts[i], sizeof texts[i], "10.%u.%u.%u:50051",
                 (numbers[i] >> 16) & 255, (numbers[i] >> 8) & 255,
                 numbers[i] & 255);
        endpoints[i].address = texts[i];
        endpoints[i].weight = weights != NULL ? weights[i] : 1;
    }
    cr_assert_eq(
        muster__list_copy(endpoints, n, sizeof *endpoints, &list, &err),
        MUSTER_OK, "%s", err.message);
    free(texts);
    free(endpoints);
    return list;
}

static muster_status apply(const uint32_t *numbers, const uint32_t *weights,
                           size_t n)
{
    muster__list *list = list_of(numbers, weights, n);
    muster_status status = muster__set_apply_list(set, list, &changes);

    muster__list_destroy(list);
    return status;
}

static muster_status apply_delta(const uint32_t *upserted, size_t n_upserted,
                                 const uint32_t *removed, size_t n_removed)
{
    muster__list *in = list_of(upserted, NULL, n_upserted);
    muster__list *out = list_of(removed, NULL, n_removed);
    muster_status status = muster__set_apply_delta(set, in, out, &changes);

    muster__list_destroy(in);
    muster__list_destroy(out);
    return status;
}

#define NUMBERS(...) ((const uint32_t[]){__VA_ARGS__})
#define APPLY(...)                                                             \
    cr_assert_eq(apply(NUMBERS(__VA_ARGS__), NULL,                             \
                       sizeof NUMBERS(__VA_ARGS__) / sizeof(uint32_t)),        \
                 MUSTER_OK)

Test(endpoint_set, adds_in_the_order_of_the_list)
{
    APPLY(1, 2, 3);
    cr_assert_eq(changes.n, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_null(changes.items[i].before);
        cr_assert_eq(changes.items[i].index, i);
        cr_assert_eq(muster__set_at(set, i), changes.items[i].after);
    }
    cr_assert_str_eq(muster__set_at(set, 0)->data.address, "10.0.0.1:50051");
    cr_assert_str_eq(muster__set_at(set, 2)->data.address, "10.0.0.3:50051");
    cr_assert_eq(muster__set_size(set), 3);
    cr_assert_eq(muster__set_limit(set), 3);
    cr_assert_null(muster__set_at(set, 3));
}

Test(endpoint_set, sees_no_change_in_another_order_with_duplicates)
{
    APPLY(1, 2, 3);
    APPLY(3, 1, 2, 2, 3);
    cr_assert_eq(changes.n, 0);
    cr_assert_eq(muster__set_size(set), 3);
}

Test(endpoint_set, removes_first_and_reuses_the_number)
{
    APPLY(1, 2, 3);
    APPLY(1, 4, 3);
    cr_assert_eq(changes.n, 2);
    cr_assert_str_eq(changes.items[0].before->data.address, "10.0.0.2:50051");
    cr_assert_null(changes.items[0].after);
    cr_assert_null(changes.items[1].before);
    cr_assert_str_eq(changes.items[1].after->data.address, "10.0.0.4:50051");
    cr_assert_eq(changes.items[1].index, changes.items[0].index);
    cr_assert_eq(muster__set_limit(set), 3);
}

Test(endpoint_set, replaces_the_record_when_details_change)
{
    muster__endpoint *before;

    APPLY(1, 2);
    before = muster__set_at(set, 1);
    cr_assert_eq(apply(NUMBERS(1, 2), NUMBERS(1, 5), 2), MUSTER_OK);
    cr_assert_eq(changes.n, 1);
    cr_assert_eq(changes.items[0].before, before);
    cr_assert_eq(changes.items[0].before->data.weight, 1);
    cr_assert_eq(changes.items[0].after->data.weight, 5);
    cr_assert_eq(changes.items[0].index, 1);
    cr_assert_eq(muster__set_at(set, 1), changes.items[0].after);
}

Test(endpoint_set, heeds_the_last_of_duplicates)
{
    cr_assert_eq(apply(NUMBERS(1, 1, 1), NUMBERS(2, 3, 4), 3), MUSTER_OK);
    cr_assert_eq(changes.n, 1);
    cr_assert_eq(changes.items[0].after->data.weight, 4);
    cr_assert_eq(changes.items[0].after, muster__set_at(set, 0));
    cr_assert_eq(apply(NUMBERS(1, 1), NUMBERS(9, 4), 2), MUSTER_OK);
    cr_assert_eq(changes.n, 0, "the last one is as before");
    cr_assert_eq(apply(NUMBERS(1, 1), NUMBERS(4, 9), 2), MUSTER_OK);
    cr_assert_eq(changes.n, 1);
    cr_assert_eq(changes.items[0].after->data.weight, 9);
}

Test(endpoint_set, tells_hostnames_and_address_sets_apart)
{
    const char *more[] = {"10.0.0.2:1"};
    const char *more_swapped[] = {"10.0.0.1:1"};
    muster_endpoint endpoints[] = {
        {.address = "10.0.0.1:1"},
        {.address = "10.0.0.1:1", .hostname = "h"},
        {.address = "10.0.0.1:1",
         .more_addresses = more,
         .n_more_addresses = 1},
        {.address = "10.0.0.2:1",
         .more_addresses = more_swapped,
         .n_more_addresses = 1},
    };
    muster__list *list = NULL;

    cr_assert_eq(
        muster__list_copy(endpoints, 4, sizeof *endpoints, &list, NULL),
        MUSTER_OK);
    cr_assert_eq(muster__set_apply_list(set, list, &changes), MUSTER_OK);
    cr_assert_eq(muster__set_size(set), 3, "the last two are the same");
    muster__list_destroy(list);
}

Test(endpoint_set, keeps_a_former_record_until_the_next_apply)
{
    muster__endpoint *before;

    APPLY(1);
    before = muster__endpoint_ref(muster__set_at(set, 0));
    cr_assert_eq(apply(NULL, NULL, 0), MUSTER_OK);
    cr_assert_eq(changes.items[0].before, before);
    cr_assert_eq(before->refs, 2);
    cr_assert_eq(apply(NULL, NULL, 0), MUSTER_OK);
    cr_assert_eq(before->refs, 1);
    muster__endpoint_unref(before);
    muster__endpoint_unref(NULL);
}

Test(endpoint_set, applies_deltas)
{
    APPLY(1, 2, 3);
    cr_assert_eq(apply_delta(NUMBERS(4, 2), 2, NUMBERS(1, 9), 2), MUSTER_OK);
    cr_assert_eq(changes.n, 2);
    cr_assert_str_eq(changes.items[0].before->data.address, "10.0.0.1:50051");
    cr_assert_str_eq(changes.items[1].after->data.address, "10.0.0.4:50051");
    cr_assert_eq(muster__set_size(set), 3);
}

Test(endpoint_set, lets_removal_win_in_a_delta)
{
    APPLY(1, 2);
    cr_assert_eq(apply_delta(NUMBERS(2, 3, 4), 3, NUMBERS(2, 3, 3), 3),
                 MUSTER_OK);
    cr_assert_eq(changes.n, 2);
    cr_assert_str_eq(changes.items[0].before->data.address, "10.0.0.2:50051");
    cr_assert_str_eq(changes.items[1].after->data.address, "10.0.0.4:50051");
    cr_assert_eq(muster__set_at(set, changes.items[1].index),
                 changes.items[1].after);
    cr_assert_eq(muster__set_size(set), 2);
}

Test(endpoint_set, takes_deltas_with_one_side_only)
{
    muster__list *list = list_of(NUMBERS(7), NULL, 1);

    cr_assert_eq(muster__set_apply_delta(set, list, NULL, &changes), MUSTER_OK);
    cr_assert_eq(muster__set_size(set), 1);
    cr_assert_eq(muster__set_apply_delta(set, NULL, list, &changes), MUSTER_OK);
    cr_assert_eq(muster__set_size(set), 0);
    cr_assert_eq(changes.n, 1);
    cr_assert_eq(muster__set_apply_delta(set, NULL, NULL, &changes), MUSTER_OK);
    cr_assert_eq(changes.n, 0);
    muster__list_destroy(list);
}

/* ---- against a model ---- */

struct model {
    uint32_t weight[MODEL_MAX];              /* by number; 0: not in the set */
    muster__endpoint *mirror[4 * MODEL_MAX]; /* by index, kept by changes */
};

/* Follows the changes as a subscriber does, and checks each of them. */
static void follow(struct model *model)
{
    bool is_removing = true;

    for (size_t i = 0; i < changes.n; i++) {
        const muster__change *change = &changes.items[i];

        cr_assert(change->before != NULL || change->after != NULL);
        cr_assert_lt(change->index, 4 * MODEL_MAX);
        cr_assert_eq(model->mirror[change->index], change->before);
        cr_assert(is_removing || change->after != NULL, "removals come first");
        is_removing = change->after == NULL;
        model->mirror[change->index] = change->after;
    }
}

static void check(const struct model *model)
{
    size_t n = 0;

    for (uint32_t i = 0; i < MODEL_MAX; i++) {
        n += model->weight[i] != 0;
    }
    cr_assert_eq(muster__set_size(set), n);
    cr_assert_leq(muster__set_limit(set), 4 * MODEL_MAX);
    for (uint32_t i = 0; i < 4 * MODEL_MAX; i++) {
        muster__endpoint *endpoint = muster__set_at(set, i);
        unsigned number;

        cr_assert_eq(endpoint, model->mirror[i]);
        if (endpoint != NULL) {
            cr_assert_eq(sscanf(endpoint->data.address, "10.0.0.%u:", &number),
                         1);
            cr_assert_eq(endpoint->data.weight, model->weight[number]);
            n--;
        }
    }
    cr_assert_eq(n, 0);
}

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static size_t draw_list(uint32_t *numbers, uint32_t *weights)
{
    size_t n = draw(2 * MODEL_MAX);

    for (size_t i = 0; i < n; i++) {
        numbers[i] = draw(MODEL_MAX);
        weights[i] = 1 + draw(3);
    }
    return n;
}

static void step(struct model *model)
{
    uint32_t numbers[2][2 * MODEL_MAX];
    uint32_t weights[2][2 * MODEL_MAX];
    size_t n[2] = {draw_list(numbers[0], weights[0]),
                   draw_list(numbers[1], weights[1])};
    muster__list *in = list_of(numbers[0], weights[0], n[0]);
    muster__list *out = list_of(numbers[1], weights[1], n[1] / 2);
    struct model next = *model;
    bool is_delta = draw(2) == 0;
    muster_status status;

    if (!is_delta) {
        memset(next.weight, 0, sizeof next.weight);
    }
    for (size_t i = 0; i < n[0]; i++) {
        next.weight[numbers[0][i]] = weights[0][i];
    }
    for (size_t i = 0; is_delta && i < n[1] / 2; i++) {
        next.weight[numbers[1][i]] = 0;
    }
    n_allocations_left = draw(4) == 0 ? (int)draw(40) : -1;
    status = is_delta ? muster__set_apply_delta(set, in, out, &changes)
                      : muster__set_apply_list(set, in, &changes);
    n_allocations_left = -1;
    if (status == MUSTER_OK) {
        memcpy(model->weight, next.weight, sizeof next.weight);
        follow(model);
    } else {
        cr_assert_eq(status, MUSTER_NOMEM);
    }
    check(model);
    muster__list_destroy(in);
    muster__list_destroy(out);
}

Test(endpoint_set, equals_a_model_also_when_memory_is_short)
{
    static struct model model;

    for (int i = 0; i < 3000; i++) {
        step(&model);
    }
}

/* ---- size ---- */

static uint32_t *count_up(uint32_t n)
{
    uint32_t *numbers = malloc(n * sizeof *numbers);

    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = i;
    }
    return numbers;
}

Test(endpoint_set, gives_memory_back_when_most_leave)
{
    uint32_t *numbers = count_up(20000);

    cr_assert_eq(apply(numbers, NULL, 20000), MUSTER_OK);
    cr_assert_eq(apply(numbers, NULL, 10), MUSTER_OK);
    cr_assert_eq(muster__set_size(set), 10);
    cr_assert_leq(muster__set_limit(set), 10);
    cr_assert_leq(set->capacity, 100);
    cr_assert_leq(set->table.mask, 127);
    cr_assert_eq(apply(numbers, NULL, 20000), MUSTER_OK);
    cr_assert_eq(muster__set_size(set), 20000);
    free(numbers);
}

Test(endpoint_set, keeps_to_its_room_when_giving_back_fails)
{
    uint32_t *numbers = count_up(2000);

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(apply(numbers, NULL, 2000), MUSTER_OK);
        n_allocations_left = i;
        (void)apply(numbers, NULL, 100);
        n_allocations_left = -1;
        cr_assert_eq(apply(numbers, NULL, 1500), MUSTER_OK);
        cr_assert_eq(muster__set_size(set), 1500);
    }
    free(numbers);
}

Test(endpoint_set, does_not_grow_by_replacement)
{
    uint32_t *numbers = count_up(20000);

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(apply(numbers + (i % 2) * 10000, NULL, 10000), MUSTER_OK);
        cr_assert_eq(muster__set_limit(set), 10000);
    }
    cr_assert_leq(set->table.mask, 16383);
    free(numbers);
}

Test(endpoint_set, fails_to_be_made_without_memory)
{
    muster__set *other = NULL;

    for (int i = 0; i < 2; i++) {
        n_allocations_left = i;
        cr_assert_eq(muster__set_create(&other), MUSTER_NOMEM);
    }
    n_allocations_left = -1;
    cr_assert_null(other);
    muster__set_destroy(NULL);
}
