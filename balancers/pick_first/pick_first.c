/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "pick_first": the first endpoint that can be reached, and no other
 * as long as it is READY. README.md has the rules. */
#include <muster/plugin.h>

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../backends.h"
#include "../config.h"

/* gRFC A61: how long an attempt is alone before the next one begins. */
#define STAGGER_MS 250

/* Of an endpoint, while it stays in the list. Only the control thread looks. */
typedef struct lot {
    double number; /* from 0 to 1, both excluded; 0: not drawn yet */
} lot;

typedef struct candidate {
    uint64_t id;
    double key; /* candidates of one priority go in its order */
    uint32_t priority;
    uint32_t position; /* as the resolver has it */
    uint32_t place;    /* in the update */
    muster_connectivity connectivity;
    bool is_usable;
    bool has_failed;
} candidate;

typedef struct pick_first {
    muster_balancer_env env;
    bool is_shuffled;
    candidate *candidates; /* in the order they are tried */
    size_t n;
    size_t capacity;
    size_t n_begun;             /* the first of them; 0 while one is chosen */
    uint64_t timer;             /* when the next begins; 0: does not run */
    _Atomic uint64_t chosen_id; /* update() writes it, build() reads it; or 0 */
} pick_first;

typedef struct choice {
    uint32_t index; /* in the READY view */
} choice;

static muster_status pick_first_create(const muster_balancer_env *env,
                                       void **ret_self, muster_error *err)
{
    bool is_shuffled = false;
    config settings = config_open(env->config_json, err);
    muster_status status;
    pick_first *self;

    config_bool(&settings, "shuffleAddressList", &is_shuffled);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = calloc(1, sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "pick_first: no memory");
    }
    self->env = *env;
    self->is_shuffled = is_shuffled;
    atomic_init(&self->chosen_id, 0);
    *ret_self = self;
    return MUSTER_OK;
}

/* ---- the order ---- */

/* gRFC A113: descending u^(1/weight), that is ascending -log(u)/weight. */
static double draw_key(const pick_first *self, const muster_backend *backend)
{
    uint32_t weight = backend->endpoint->weight;
    lot *own = backend->state;

    if (own->number <= 0) {
        uint64_t bits = self->env.host->random(self->env.ctx) >> 11;

        own->number = ((double)bits + 0.5) * 0x1p-53;
    }
    return -log(own->number) / (weight == 0 ? 1 : weight);
}

static void read_candidate(const pick_first *self,
                           const muster_backend *backend, candidate *ret)
{
    bool is_ejected = (backend->flags & MUSTER_BACKEND_EJECTED) != 0;

    ret->id = backend->id;
    ret->priority = backend->endpoint->priority;
    ret->position = backend->position;
    ret->key = self->is_shuffled ? draw_key(self, backend) : 0;
    ret->connectivity = backend->connectivity;
    ret->is_usable = backend->connectivity == MUSTER_READY && !is_ejected;
    ret->has_failed =
        backend->connectivity == MUSTER_TRANSIENT_FAILURE || is_ejected;
}

static int compare(const void *a, const void *b)
{
    const candidate *left = a;
    const candidate *right = b;

    if (left->priority != right->priority) {
        return left->priority < right->priority ? -1 : 1;
    }
    if (left->key < right->key || left->key > right->key) {
        return left->key < right->key ? -1 : 1;
    }
    if (left->position != right->position) {
        return left->position < right->position ? -1 : 1;
    }
    return left->place < right->place ? -1 : left->place > right->place;
}

static bool reserve(pick_first *self, size_t n)
{
    candidate *candidates;

    if (n <= self->capacity) {
        return true;
    }
    candidates = realloc(self->candidates, n * sizeof *candidates);
    if (candidates == NULL) {
        return false;
    }
    self->candidates = candidates;
    self->capacity = n;
    return true;
}

/* Without memory the candidates stay those of before: those of them that have
 * left the list do no harm, and the next update is another try. */
static void read_list(pick_first *self, const muster_balancer_update *update)
{
    if (!reserve(self, update->n_backends)) {
        return;
    }
    self->n = update->n_backends;
    for (size_t i = 0; i < self->n; i++) {
        self->candidates[i].place = (uint32_t)i;
        read_candidate(self, backends_listed(update, i), &self->candidates[i]);
    }
    if (self->n > 1) {
        qsort(self->candidates, self->n, sizeof *self->candidates, compare);
    }
}

/* ---- the choice ---- */

/* The chosen one as long as it can be used and none of a better priority can;
 * else the first that can. NULL: none can. */
static const candidate *choose(const pick_first *self)
{
    uint64_t chosen_id =
        atomic_load_explicit(&self->chosen_id, memory_order_relaxed);
    const candidate *best = NULL;

    for (size_t i = 0; i < self->n; i++) {
        const candidate *at = &self->candidates[i];

        if (best != NULL && at->priority > best->priority) {
            break;
        }
        if (at->is_usable && (best == NULL || at->id == chosen_id)) {
            best = at;
        }
    }
    return best;
}

static void stop_timer(pick_first *self)
{
    if (self->timer != 0) {
        self->env.host->cancel(self->env.ctx, self->timer);
        self->timer = 0;
    }
}

static void next_is_due(void *arg);

static void start_timer(pick_first *self)
{
    stop_timer(self);
    if (self->n_begun < self->n) {
        /* Without it the next one begins when the last one has failed. */
        (void)self->env.host->call_later(self->env.ctx, STAGGER_MS, next_is_due,
                                         self, &self->timer);
    }
}

/* Begins one if none has begun, and as many as it takes for the last one that
 * has begun not to have failed. */
static void go_on(pick_first *self)
{
    size_t n_before = self->n_begun;

    if (self->n_begun > self->n) {
        self->n_begun = self->n;
    }
    while (self->n_begun < self->n &&
           (self->n_begun == 0 ||
            self->candidates[self->n_begun - 1].has_failed)) {
        self->n_begun++;
    }
    if (self->n_begun != n_before || self->timer == 0) {
        start_timer(self);
    }
}

/* The last one has had its time alone, unless the core has not even let it
 * begin: its priority is not tried yet, or too many others connect. */
static void next_is_due(void *arg)
{
    pick_first *self = arg;

    self->timer = 0;
    if (self->n_begun == 0 || self->n_begun >= self->n) {
        return;
    }
    if (self->candidates[self->n_begun - 1].connectivity != MUSTER_IDLE) {
        self->n_begun++;
        self->env.host->republish(self->env.ctx);
    }
    start_timer(self);
}

static void pick_first_update(void *policy,
                              const muster_balancer_update *update)
{
    pick_first *self = policy;
    const candidate *chosen;

    read_list(self, update);
    chosen = choose(self);
    /* Relaxed, for nothing else is told by it. */
    atomic_store_explicit(&self->chosen_id, chosen == NULL ? 0 : chosen->id,
                          memory_order_relaxed);
    if (chosen != NULL) {
        stop_timer(self);
        self->n_begun = 0;
    } else {
        go_on(self);
    }
}

/* While one is chosen, those of a better priority are wanted too: they take
 * over when they can. */
static bool is_wanted(const pick_first *self, const candidate *chosen, size_t i)
{
    const candidate *at = &self->candidates[i];

    if (chosen == NULL) {
        return i < self->n_begun;
    }
    return at->id == chosen->id || at->priority < chosen->priority;
}

static void pick_first_want(void *policy, const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    const pick_first *self = policy;
    const candidate *chosen = choose(self);

    memset(ret_wanted, 0, update->n_backends);
    for (size_t i = 0; i < self->n; i++) {
        const candidate *at = &self->candidates[i];

        if (at->place < update->n_backends &&
            backends_listed(update, at->place)->id == at->id) {
            ret_wanted[at->place] = is_wanted(self, chosen, i);
        }
    }
}

/* ---- picks ---- */

/* One that is READY and is not the chosen one is used while that is on its way,
 * such as the one of a former list. */
static muster_status pick_first_build(void *policy,
                                      const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    const pick_first *self = policy;
    uint64_t chosen_id =
        atomic_load_explicit(&self->chosen_id, memory_order_relaxed);
    choice *table = calloc(1, sizeof *table);

    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "pick_first: no memory");
    }
    for (size_t i = 0; i < args->n_ready; i++) {
        if (backends_ready(args, i)->id == chosen_id) {
            table->index = (uint32_t)i;
        }
    }
    *ret_table = table;
    return MUSTER_OK;
}

static muster_verdict pick_first_pick(void *self, void *table,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    const choice *made = table;

    (void)self;
    (void)args;
    result->index = made->index;
    return MUSTER_PICK_INDEX;
}

static void pick_first_table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void pick_first_destroy(void *policy)
{
    pick_first *self = policy;

    free(self->candidates);
    free(self);
}

static const muster_balancer_class pick_first_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS | MUSTER_BALANCER_IGNORES_HEALTH,
    .name = "pick_first",
    .state_size = (uint32_t)sizeof(lot),
    .create = pick_first_create,
    .update = pick_first_update,
    .want = pick_first_want,
    .build = pick_first_build,
    .pick = pick_first_pick,
    .table_destroy = pick_first_table_destroy,
    .destroy = pick_first_destroy,
};

static const muster_balancer_class *const classes[] = {&pick_first_class};

MUSTER_PLUGIN(pick_first, "pick_first\0balancer:pick_first\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
