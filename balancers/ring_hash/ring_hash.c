/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "ring_hash": a key's calls go to the owner of its place on a ring,
 * which is connected when it is first needed (gRFC A42, A61, A76). */
#include <muster/plugin.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "table.h"

#define DEFAULT_MIN_SIZE 1024
#define DEFAULT_MAX_SIZE 4096
#define DEFAULT_CAP 4096

typedef struct ring_sizes {
    uint32_t least;
    uint32_t most;
    uint32_t points_each; /* of an endpoint, on average, at least; 0: any */
} ring_sizes;

typedef struct ring_hash {
    hashing_bound bound;
    muster_balancer_env env;
    hashing_settings settings;
    ring_sizes sizes;
    bool wants_all;
    bool has_served;            /* control thread: something was READY */
    _Atomic uint64_t wanted_id; /* of pick() to want(); 0: none */
    ring *ring;                 /* build()'s, of the roster of its last run */
    pthread_mutex_t mutex;      /* update() and build() may run at a time */
    roster *roster;             /* guarded by mutex */
    uint8_t *states;            /* of the roster; guarded by mutex */
} ring_hash;

/* The state of an endpoint. */
typedef struct ring_state {
    hashing_load load;
    bool is_wanted; /* the control thread's */
} ring_state;

/* ---- settings ---- */

/* As gRPC does: first they are compared, then capped. */
static void read_sizes(config *settings, ring_sizes *ret_sizes)
{
    uint32_t least = DEFAULT_MIN_SIZE;
    uint32_t most = DEFAULT_MAX_SIZE;
    uint32_t cap = DEFAULT_CAP;

    config_integer(settings, "minRingSize", 1, RING_MAX_SIZE, &least);
    config_integer(settings, "maxRingSize", 1, RING_MAX_SIZE, &most);
    config_integer(settings, "ringSizeCap", 1, RING_MAX_SIZE, &cap);
    config_integer(settings, "pointsPerEndpoint", 1, 10000,
                   &ret_sizes->points_each);
    if (settings->status == MUSTER_OK && least > most) {
        config_refuse(settings, "minRingSize", "at most maxRingSize");
    }
    ret_sizes->least = least < cap ? least : cap;
    ret_sizes->most = most < cap ? most : cap;
}

static ring_hash *allocate(const muster_balancer_env *env)
{
    ring_hash *self = aligned_alloc(_Alignof(ring_hash), sizeof *self);

    if (self != NULL) {
        memset(self, 0, sizeof *self);
        self->env = *env;
        atomic_init(&self->wanted_id, 0);
        (void)pthread_mutex_init(&self->mutex, NULL);
    }
    return self;
}

static muster_status ring_hash_create(const muster_balancer_env *env,
                                      void **ret_self, muster_error *err)
{
    hashing_settings common = {.balance_factor = 0};
    ring_sizes sizes = {.points_each = 0};
    bool connects_all = false;
    config settings = config_open(env->config_json, err);
    muster_status status;
    ring_hash *self;

    hashing_read(&settings, &common);
    read_sizes(&settings, &sizes);
    config_bool(&settings, "connectAll", &connects_all);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = allocate(env);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "ring_hash: no memory");
    }
    hashing_bound_init(&self->bound, &common);
    self->settings = common;
    self->sizes = sizes;
    /* What is too much for one endpoint needs others to go to. */
    self->wants_all = connects_all || common.balance_factor > 0;
    *ret_self = self;
    return MUSTER_OK;
}

/* ---- the list ---- */

/* The caller's to free(); NULL when memory is short. */
static uint8_t *copy_states(const muster_balancer_update *update,
                            uint32_t priority)
{
    uint8_t *states = malloc(update->n_backends + 1);
    size_t n = 0;

    for (size_t i = 0; i < update->n_backends && states != NULL; i++) {
        const muster_backend *backend = backends_listed(update, i);

        if (backend->endpoint->priority == priority) {
            states[n++] = muster__ring_group_state(backend);
        }
    }
    return states;
}

/* Whether the same view would show something else. What changes the view makes
 * the core ask for a table by itself. */
static bool needs_table(const uint8_t *states, const uint8_t *former, size_t n)
{
    bool has_changed = false;

    for (size_t i = 0; i < n; i++) {
        if (states[i] != former[i] &&
            (states[i] == MUSTER_READY || former[i] == MUSTER_READY)) {
            return false;
        }
        has_changed |= states[i] != former[i];
    }
    return has_changed;
}

/* Takes both over. */
static void set_list(ring_hash *self, roster *members, uint8_t *states)
{
    roster *former_members = self->roster;
    uint8_t *former_states = self->states;
    bool is_due = members != former_members ||
                  needs_table(states, former_states, members->n);

    (void)pthread_mutex_lock(&self->mutex);
    self->roster = members;
    self->states = states;
    (void)pthread_mutex_unlock(&self->mutex);
    muster__roster_unref(former_members);
    free(former_states);
    if (is_due) {
        self->env.host->republish(self->env.ctx);
    }
}

static void ring_hash_update(void *policy, const muster_balancer_update *update)
{
    ring_hash *self = policy;
    group chosen = muster__ring_group_choose(update);
    uint8_t *states = copy_states(update, chosen.priority);
    roster *members;

    self->has_served |= chosen.n_by_state[MUSTER_READY] > 0;
    if (self->roster != NULL &&
        muster__roster_is_of(self->roster, &self->settings, update->backends,
                             update->backend_size, update->n_backends,
                             chosen.priority)) {
        members = muster__roster_ref(self->roster);
    } else {
        members = muster__roster_create(&self->settings, update->backends,
                                        update->backend_size,
                                        update->n_backends, chosen.priority);
    }
    if (states == NULL || members == NULL) {
        self->env.host->log(self->env.ctx, MUSTER_LOG_ERROR,
                            "no memory for the list, the old one serves on");
        muster__roster_unref(members);
        free(states);
        return;
    }
    set_list(self, members, states);
}

/* ---- who is to be connected ---- */

/* Nobody waits for a pick to connect the next one after a failure (A42: calls
 * may be rare), nor after a list of which nothing is READY has replaced one
 * that served: until then the core serves from the old one. */
static bool needs_another(const ring_hash *self, const group *of)
{
    return of->n_by_state[MUSTER_READY] + of->n_by_state[MUSTER_CONNECTING] ==
               0 &&
           (self->has_served || of->n_by_state[MUSTER_TRANSIENT_FAILURE] > 0);
}

/* What is wanted stays so; picks that answer CONNECT add to it, in the core. */
static void ring_hash_want(void *policy, const muster_balancer_update *update,
                           uint8_t *ret_wanted)
{
    ring_hash *self = policy;
    group chosen = muster__ring_group_choose(update);
    bool is_one_due = needs_another(self, &chosen);
    /* Relaxed: the id is all there is to know. */
    uint64_t wanted_id =
        atomic_exchange_explicit(&self->wanted_id, 0, memory_order_relaxed);

    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        ring_state *state = backend->state;
        uint8_t now = muster__ring_group_state(backend);

        if (now == MUSTER_READY || self->wants_all) {
            state->is_wanted = true;
        } else if (now == MUSTER_IDLE && is_one_due &&
                   backend->endpoint->priority == chosen.priority) {
            is_one_due = false;
            state->is_wanted = true;
        } else if (backend->id == wanted_id &&
                   chosen.n_by_state[MUSTER_CONNECTING] == 0) {
            state->is_wanted = true;
        }
        ret_wanted[i] = state->is_wanted;
    }
}

/* ---- tables ---- */

static ring *make_ring(const ring_hash *self, roster *members)
{
    uint64_t grown = (uint64_t)self->sizes.points_each * members->n;
    uint32_t least = self->sizes.least;
    uint32_t most = self->sizes.most;

    grown = grown < RING_MAX_SIZE ? grown : RING_MAX_SIZE;
    least = least < grown ? (uint32_t)grown : least;
    most = most < grown ? (uint32_t)grown : most;
    return muster__ring_create(members, least, most);
}

/* The ring of members, which is that of the last table unless the list has
 * changed; NULL when memory is short. */
static ring *keep_ring(ring_hash *self, roster *members)
{
    if (self->ring == NULL || self->ring->roster != members) {
        ring *fresh = make_ring(self, members);

        if (fresh != NULL) {
            muster__ring_unref(self->ring);
            self->ring = fresh;
        }
        return fresh;
    }
    return self->ring;
}

/* While nothing of a new list is READY, the view still has endpoints of the old
 * one, which are better than none. */
static ring_table *table_of_view(const ring_hash *self,
                                 const muster_build_args *args)
{
    roster *members =
        muster__roster_create(&self->settings, args->ready, args->backend_size,
                              args->n_ready, args->ready->endpoint->priority);
    ring *of = members == NULL ? NULL : make_ring(self, members);
    uint8_t *states = calloc(args->n_ready, 1);
    ring_table *table = NULL;

    if (of != NULL && states != NULL) {
        table = muster__ring_table_create(of, states, args,
                                          self->settings.balance_factor > 0);
    }
    free(states);
    muster__ring_unref(of);
    muster__roster_unref(members);
    return table;
}

static ring_table *table_of_list(ring_hash *self, roster *members,
                                 const uint8_t *states,
                                 const muster_build_args *args)
{
    ring *of = members->n == 0 ? NULL : keep_ring(self, members);
    ring_table *table;

    if (members->n > 0 && of == NULL) {
        return NULL;
    }
    table = muster__ring_table_create(of, states, args,
                                      self->settings.balance_factor > 0);
    if (table != NULL && table->n_ready == 0 && args->n_ready > 0) {
        muster__ring_table_destroy(table);
        return table_of_view(self, args);
    }
    return table;
}

/* The list of the last update, with a reference; false when memory is short, or
 * was at the first. */
static bool take_list(ring_hash *self, roster **ret_members,
                      uint8_t **ret_states)
{
    roster *members = NULL;
    uint8_t *states = NULL;

    (void)pthread_mutex_lock(&self->mutex);
    if (self->roster != NULL) {
        states = malloc(self->roster->n + 1);
    }
    if (states != NULL) {
        members = muster__roster_ref(self->roster);
        memcpy(states, self->states, members->n);
    }
    (void)pthread_mutex_unlock(&self->mutex);
    *ret_members = members;
    *ret_states = states;
    return states != NULL;
}

static muster_status ring_hash_build(void *policy,
                                     const muster_build_args *args,
                                     void **ret_table, muster_error *err)
{
    ring_hash *self = policy;
    roster *members;
    uint8_t *states;
    ring_table *table = NULL;

    if (take_list(self, &members, &states)) {
        table = table_of_list(self, members, states, args);
    }
    free(states);
    muster__roster_unref(members);
    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "ring_hash: no memory for a ring");
    }
    *ret_table = table;
    return MUSTER_OK;
}

static void ring_hash_table_destroy(void *self, void *table)
{
    (void)self;
    muster__ring_table_destroy(table);
}

/* ---- picks ---- */

/* Connects one more, one at a time. */
static void ask_for(ring_hash *self, uint64_t id)
{
    uint64_t none = 0;

    /* Relaxed: the id is all there is to know. */
    if (id != 0 && atomic_compare_exchange_strong_explicit(
                       &self->wanted_id, &none, id, memory_order_relaxed,
                       memory_order_relaxed)) {
        self->env.host->republish(self->env.ctx);
    }
}

static muster_verdict pick_any(ring_hash *self, const ring_table *table,
                               uint64_t hash, muster_pick_result *result)
{
    uint64_t idle_id;
    muster_verdict verdict =
        muster__ring_table_walk_any(table, hash, result, &idle_id);

    if (verdict == MUSTER_PICK_INDEX) {
        ask_for(self, idle_id); /* one verdict cannot say both */
    }
    return verdict;
}

static muster_verdict ring_hash_pick(void *policy, void *policy_table,
                                     const muster_pick_args *args,
                                     muster_pick_result *result)
{
    ring_hash *self = policy;
    const ring_table *table = policy_table;
    const char *key = hashing_call_key(&self->settings, args->call);
    muster_verdict verdict;
    uint64_t hash;

    if (key == NULL) {
        hash = self->env.host->random(self->env.ctx);
        verdict = pick_any(self, table, hash, result);
    } else {
        hash = XXH64(key, strlen(key), 0);
        verdict = muster__ring_table_walk(table, hash, result);
    }
    if (verdict == MUSTER_PICK_INDEX && table->seats != NULL) {
        result->index =
            hashing_place(&self->bound, table->seats, table->n_seats, hash,
                          muster__ring_table_owner, table);
    }
    return verdict;
}

static void ring_hash_done(void *policy, uint64_t id, void *state,
                           const muster_outcome *outcome)
{
    ring_hash *self = policy;

    (void)id;
    (void)outcome;
    if (self->settings.balance_factor > 0) {
        hashing_end(&self->bound, &((ring_state *)state)->load);
    }
}

static void ring_hash_destroy(void *policy)
{
    ring_hash *self = policy;

    muster__ring_unref(self->ring);
    muster__roster_unref(self->roster);
    free(self->states);
    (void)pthread_mutex_destroy(&self->mutex);
    free(self);
}

#define RING_HASH_CLASS(class_name)                                            \
    {                                                                          \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .flags =                                                               \
            MUSTER_BALANCER_USES_WEIGHTS | MUSTER_BALANCER_PICKS_WHEN_EMPTY,   \
        .name = (class_name), .state_size = (uint32_t)sizeof(ring_state),      \
        .create = ring_hash_create, .update = ring_hash_update,                \
        .want = ring_hash_want, .build = ring_hash_build,                      \
        .pick = ring_hash_pick, .done = ring_hash_done,                        \
        .table_destroy = ring_hash_table_destroy,                              \
        .destroy = ring_hash_destroy,                                          \
    }

static const muster_balancer_class ring_hash_class =
    RING_HASH_CLASS("ring_hash");
static const muster_balancer_class experimental_class =
    RING_HASH_CLASS("ring_hash_experimental");

static const muster_balancer_class *const classes[] = {&ring_hash_class,
                                                       &experimental_class};

MUSTER_PLUGIN(ring_hash,
              "ring_hash\0balancer:ring_hash\0"
              "balancer:ring_hash_experimental\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 2);
