/* SPDX-License-Identifier: Apache-2.0 */
/* Subsetting by many clients: how many connections move when the list changes,
 * and how evenly servers are loaded. Prints the table of the README. */
#include "policy_test.h"

#include <math.h>
#include <random_numbers.h>
#include <string.h>

const muster_plugin *muster_builtin_subsetting(void);
const muster_plugin *muster_builtin_round_robin(void);

enum { MAX_SERVERS = 700 };

typedef enum kind { RANDOM, BALANCED } kind;

typedef struct fleet {
    kind kind;
    uint32_t n_clients;
    uint32_t size; /* of a subset */
    muster_testkit_balancer **clients;
    muster_endpoint servers[MAX_SERVERS];
    char addresses[MAX_SERVERS][24];
    uint32_t n_servers;
    uint32_t n_made;
    uint64_t random;
} fleet;

/* What a change did. */
typedef struct effect {
    double moved; /* new connections, in percent of all there are then */
    double least; /* connections of a server, in percent of the mean */
    double most;
} effect;

/* ---- servers ---- */

static void add_servers(fleet *self, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = self->n_servers++;

        cr_assert_lt(at, MAX_SERVERS);
        (void)snprintf(self->addresses[at], sizeof self->addresses[at],
                       "10.%u.%u.%u:8080", self->n_made >> 16 & 255,
                       self->n_made >> 8 & 255, self->n_made & 255);
        self->n_made++;
        self->servers[at] = (muster_endpoint){.address = self->addresses[at]};
    }
}

static void remove_servers(fleet *self, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = below(&self->random, self->n_servers);

        self->n_servers--;
        memmove(self->addresses[at], self->addresses[self->n_servers],
                sizeof self->addresses[at]);
    }
}

/* ---- clients ---- */

static void start(fleet *self, uint32_t client)
{
    const muster_balancer_class *policy =
        muster_builtin_subsetting()->balancers[self->kind == RANDOM ? 0 : 2];
    char config[160];
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .config_json = config,
        .children = muster_builtin_round_robin()->balancers,
        .n_children = 1,
        .seed = next_random(&self->random)};
    muster_error err = {.code = MUSTER_OK};

    (void)snprintf(config, sizeof config,
                   "{\"subsetSize\": %u, \"clientIndex\": %u, "
                   "\"clientCount\": %u, "
                   "\"childPolicy\": [{\"round_robin\": {}}]}",
                   self->size, client, self->n_clients);
    cr_assert_eq(
        muster_testkit_balancer_create(&options, &self->clients[client], &err),
        MUSTER_OK, "%s", err.message);
}

/* The client gets the list. Connections to servers that it wants and did not
 * want before are new. */
static uint32_t tell(fleet *self, uint32_t client)
{
    muster_testkit_balancer *kit = self->clients[client];
    static uint64_t before[MAX_SERVERS];
    uint32_t n_before = 0;
    uint32_t n_new = 0;
    const muster_backend *backend;

    for (size_t i = 0;
         (backend = muster_testkit_balancer_get_backend(kit, i)) != NULL; i++) {
        if (muster_testkit_balancer_is_wanted(kit, i)) {
            before[n_before++] = backend->id;
        }
    }
    (void)muster_testkit_balancer_set(kit, self->servers, self->n_servers,
                                      MUSTER_IDLE);
    policy_test_publish(kit);
    for (size_t i = 0; i < self->n_servers; i++) {
        uint32_t k = 0;

        backend = muster_testkit_balancer_get_backend(kit, i);
        while (k < n_before && before[k] != backend->id) {
            k++;
        }
        n_new += k == n_before && muster_testkit_balancer_is_wanted(kit, i);
    }
    return n_new;
}

static void measure_load(const fleet *self, effect *ret)
{
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    double total = 0;

    for (uint32_t i = 0; i < self->n_servers; i++) {
        uint32_t n = 0;

        for (uint32_t k = 0; k < self->n_clients; k++) {
            n += muster_testkit_balancer_is_wanted(self->clients[k], i) != 0;
        }
        least = n < least ? n : least;
        most = n > most ? n : most;
        total += n;
    }
    ret->least = 100 * least / (total / self->n_servers);
    ret->most = 100 * most / (total / self->n_servers);
}

/* Some servers come and others go: all clients get the list. */
static effect change(fleet *self, uint32_t n_added, uint32_t n_removed)
{
    uint32_t size;
    uint32_t n_new = 0;
    effect result;

    remove_servers(self, n_removed);
    add_servers(self, n_added);
    for (uint32_t i = 0; i < self->n_clients; i++) {
        n_new += tell(self, i);
    }
    size = self->size < self->n_servers ? self->size : self->n_servers;
    result.moved = 100.0 * n_new / size / self->n_clients;
    measure_load(self, &result);
    return result;
}

static fleet *open_fleet(kind of, uint32_t n_clients, uint32_t n_servers,
                         uint32_t size, effect *ret_first)
{
    fleet *self = calloc(1, sizeof *self);

    self->kind = of;
    self->n_clients = n_clients;
    self->size = size;
    self->random = 1;
    self->clients = calloc(n_clients, sizeof self->clients[0]);
    for (uint32_t i = 0; i < n_clients; i++) {
        start(self, i);
    }
    *ret_first = change(self, n_servers, 0);
    return self;
}

static void close_fleet(fleet *self)
{
    for (uint32_t i = 0; i < self->n_clients; i++) {
        policy_test_destroy(self->clients[i]);
    }
    free(self->clients);
    free(self);
}

/* ---- the table ---- */

typedef struct row {
    uint32_t n_clients;
    uint32_t n_servers;
    uint32_t size;
    uint32_t n_added;
    uint32_t n_removed;
} row;

static const row rows[] = {
    {300, 300, 30, 1, 0},  {300, 300, 30, 0, 1},   {300, 300, 30, 30, 0},
    {300, 300, 30, 0, 30}, {300, 300, 30, 30, 30}, {300, 300, 30, 300, 0},
    {300, 300, 90, 1, 0},  {37, 100, 20, 1, 0},    {1000, 100, 20, 1, 0},
};

/* Connections that have to move: those that left servers take with them, and
 * what new servers must have of all. */
static double least_moved(const row *of)
{
    double n = of->n_servers;
    double left = of->n_removed / n;
    double come = of->n_added / (n + of->n_added - of->n_removed);

    return 100 * (left > come ? left : come);
}

static void print_row(const row *of, const effect *first, const effect *then)
{
    printf("| %u, %u, %u ", of->n_clients, of->n_servers, of->size);
    printf("| %u | %.2f %% ", of->n_servers + of->n_added - of->n_removed,
           least_moved(of));
    for (int i = 0; i < 2; i++) {
        printf("| %.0f-%.0f | %.2f %%, %.0f-%.0f ", first[i].least,
               first[i].most, then[i].moved, then[i].least, then[i].most);
    }
    printf("|\n");
}

/* The balanced kind is even, and no further off than the README says. */
static void check_balanced(const row *of, const effect *first,
                           const effect *then)
{
    double mean = (double)of->n_clients * of->size / of->n_servers;
    double slack = 100 * 2.0 / of->size;

    cr_expect_geq(first->least, 100 * floor(mean) / mean - 1e-9);
    cr_expect_leq(first->most, 100 * ceil(mean) / mean + 1e-9);
    cr_expect_geq(then->least, 100 - slack - 100 / mean);
    cr_expect_leq(then->most, 100 + slack + 100 / mean);
}

Test(subsetting_fleet, moves_few_connections, .timeout = 300)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *of = &rows[i];
        effect first[2];
        effect then[2];

        for (int number = 0; number < 2; number++) {
            fleet *self =
                open_fleet(number == 0 ? RANDOM : BALANCED, of->n_clients,
                           of->n_servers, of->size, &first[number]);

            then[number] = change(self, of->n_added, of->n_removed);
            close_fleet(self);
        }
        print_row(of, first, then);
        check_balanced(of, &first[1], &then[1]);
        if (of->n_clients == 300 && of->n_added + of->n_removed == 1) {
            cr_expect_leq(then[0].moved, 0.5);
            cr_expect_leq(then[1].moved, 0.5);
            cr_expect_float_eq(first[1].least, 100, 1e-9);
            cr_expect_float_eq(first[1].most, 100, 1e-9);
        }
        cr_expect_leq(then[0].moved, 1.5 * least_moved(of) + 1);
        cr_expect_leq(then[1].moved, 1.5 * least_moved(of) + 1);
    }
}

/* ---- clients that started at different times ---- */

/* Every round a server is replaced, and six clients are started anew: after a
 * hundred rounds all have lived through different lists. */
Test(subsetting_fleet, stays_even_when_clients_come_later, .timeout = 300)
{
    effect now;
    fleet *self = open_fleet(BALANCED, 300, 300, 30, &now);
    double moved = 0;
    double least = 100;
    double most = 100;

    for (int round = 0; round < 100; round++) {
        now = change(self, 1, 1);
        moved += now.moved;
        least = now.least < least ? now.least : least;
        most = now.most > most ? now.most : most;
        for (int i = 0; i < 6; i++) {
            uint32_t client = below(&self->random, 300);

            policy_test_destroy(self->clients[client]);
            start(self, client);
            (void)tell(self, client);
        }
    }
    printf("replaced one by one: %.2f %% moved each time, %.0f-%.0f at worst\n",
           moved / 100, least, most);
    cr_expect_leq(moved / 100, 1.0);
    cr_expect_geq(least, 86);
    cr_expect_leq(most, 114);
    close_fleet(self);
}

/* The first half of the clients alone, before the others are started. */
Test(subsetting_fleet, is_even_while_clients_are_missing)
{
    effect all;
    fleet *self = open_fleet(BALANCED, 300, 300, 30, &all);
    effect half;

    self->n_clients = 150;
    measure_load(self, &half);
    printf("half of the clients: %.0f-%.0f\n", half.least, half.most);
    cr_expect_geq(half.least, 80);
    cr_expect_leq(half.most, 120);
    self->n_clients = 300;
    close_fleet(self);
}
