/* SPDX-License-Identifier: Apache-2.0 */
/* The levels of a list: its endpoints by priority. */
#include "levels.h"

#define NS_PER_MS 1000000u

/* ---- life ---- */

void muster__levels_read(levels *self, config *settings)
{
    self->failover_ns = UINT64_C(10000000000);
    self->keep_ns = UINT64_C(900000000000);
    config_duration(settings, "failoverTimeout", &self->failover_ns);
    config_duration(settings, "retention", &self->keep_ns);
}

/* A level of a priority that there was not; it is not among the items yet. One
 * that has no endpoints any more is taken for it. */
static level *level_new(levels *self, uint32_t priority, muster_error *err)
{
    group *of = self->groups.newest;

    while (of != NULL && level_of(of)->is_item) {
        of = of->next;
    }
    if (of == NULL &&
        groups_add(&self->groups, sizeof(level), &of, err) != MUSTER_OK) {
        return NULL;
    }
    level_of(of)->priority = priority;
    return level_of(of);
}

muster_status muster__levels_init(levels *self, const muster_balancer_env *env,
                                  muster_error *err)
{
    group *first;
    muster_status status;

    groups_init(&self->groups, env);
    status = groups_add(&self->groups, sizeof(level), &first, err);
    if (status != MUSTER_OK) {
        groups_fini(&self->groups);
    }
    return status;
}

void muster__levels_destroy(void *policy)
{
    levels *self = policy;

    free(self->items);
    groups_fini(&self->groups);
    free(self);
}

/* ---- which there are ---- */

/* The place of priority among the items, or where it would be. */
static uint32_t find(const levels *self, uint32_t priority)
{
    uint32_t low = 0;
    uint32_t high = self->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (self->items[middle]->priority < priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool has_room(levels *self)
{
    if (self->n == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 4 : self->capacity * 2;
        level **items = realloc(self->items, capacity * sizeof *items);

        if (items == NULL) {
            return false;
        }
        self->items = items;
        self->capacity = capacity;
    }
    return true;
}

/* NULL when memory is short. */
static level *find_or_add(levels *self, uint32_t priority)
{
    uint32_t place = find(self, priority);
    muster_error err;
    level *of;

    if (place < self->n && self->items[place]->priority == priority) {
        return self->items[place];
    }
    of = has_room(self) ? level_new(self, priority, &err) : NULL;
    if (of == NULL) {
        return NULL;
    }
    memmove(&self->items[place + 1], &self->items[place],
            (self->n - place) * sizeof self->items[0]);
    self->items[place] = of;
    of->is_item = true;
    self->n++;
    return of;
}

/* What a level was is nothing to the priority that it is for next. */
static void forget(level *of)
{
    group kept = of->group;

    kept.is_in_panic = false;
    memset(of, 0, sizeof *of);
    of->group = kept;
}

static void drop_empty(levels *self)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < self->n; i++) {
        if (self->items[i]->counts.listed > 0) {
            self->items[kept++] = self->items[i];
        } else {
            forget(self->items[i]);
        }
    }
    self->n = kept;
}

/* Puts every endpoint into its level. */
static void take(levels *self, const muster_balancer_update *update)
{
    groups_begin_list(&self->groups);
    for (uint32_t i = 0; i < self->n; i++) {
        memset(&self->items[i]->counts, 0, sizeof self->items[i]->counts);
    }
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        level *of = find_or_add(self, backend->endpoint->priority);

        if (of == NULL) { /* it stays where it was; the next update helps */
            self->groups.env.host->log(self->groups.env.ctx, MUSTER_LOG_ERROR,
                                       "no memory for a level");
            continue;
        }
        of->counts.listed++;
        groups_set(&self->groups, backend, &of->group);
    }
    drop_empty(self);
}

/* ---- how they are ---- */

static uint32_t *kind_of(const levels *self, level_counts *counts,
                         level_endpoint *endpoint,
                         const muster_backend *backend)
{
    if (backend->flags != 0 ||
        backend->connectivity == MUSTER_TRANSIENT_FAILURE) {
        endpoint->is_known = true;
        return &counts->failing;
    }
    if (backend->connectivity == MUSTER_READY) {
        endpoint->is_known = true;
        return &counts->healthy;
    }
    if (backend->connectivity == MUSTER_IDLE && !endpoint->is_wanted) {
        return &counts->idle;
    }
    return !endpoint->is_known && endpoint->late_ns > self->now_ns
               ? &counts->pending
               : &counts->late;
}

/* What a call has connected is no less on its way than what a child wants. */
static void note_want(const levels *self, level_endpoint *endpoint,
                      const muster_backend *backend, bool is_wanted)
{
    endpoint->is_asked =
        !is_wanted && backend->connectivity == MUSTER_CONNECTING;
    is_wanted |= endpoint->is_asked;
    if (!is_wanted) {
        endpoint->is_known = false;
        endpoint->late_ns = 0;
    } else if (endpoint->late_ns == 0) {
        endpoint->late_ns = self->now_ns + self->failover_ns;
    }
    endpoint->is_wanted = is_wanted;
}

/* wanted is NULL when the children were not asked. */
static void count(levels *self, const muster_balancer_update *update,
                  const uint8_t *wanted)
{
    for (uint32_t i = 0; i < self->n; i++) {
        memset(&self->items[i]->counts, 0, sizeof self->items[i]->counts);
    }
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        level_endpoint *endpoint = backend->state;
        group *of = groups_of(backend);
        uint32_t *kind;

        if (of == NULL) {
            continue;
        }
        if (wanted != NULL) {
            note_want(self, endpoint, backend, wanted[i] != 0);
        }
        level_counts *counts = &level_of(of)->counts;
        counts->listed++;
        counts->connected += groups_is_connected(backend) ? 1 : 0;
        kind = kind_of(self, counts, endpoint, backend);
        (*kind)++;
        counts->asked += kind == &counts->pending && endpoint->is_asked;
    }
}

static muster_connectivity state_of(const level_counts *counts)
{
    if (counts->healthy > 0) {
        return MUSTER_READY;
    }
    if (counts->pending + counts->late > 0) {
        return MUSTER_CONNECTING;
    }
    return counts->idle > 0 && counts->failing == 0 ? MUSTER_IDLE
                                                    : MUSTER_TRANSIENT_FAILURE;
}

/* The failover timer runs while a level connects that has just been started, or
 * was READY or IDLE after it had failed. */
static void judge(const levels *self, level *of)
{
    muster_connectivity state = state_of(&of->counts);

    if (state == MUSTER_CONNECTING) {
        if (of->state != MUSTER_CONNECTING && of->has_come) {
            of->deadline_ns = self->now_ns + self->failover_ns;
        }
    } else {
        of->deadline_ns = 0;
        of->has_come = state != MUSTER_TRANSIENT_FAILURE;
    }
    of->state = state;
}

static void judge_all(const levels *self)
{
    for (uint32_t i = 0; i < self->n; i++) {
        if (self->items[i]->is_started) {
            judge(self, self->items[i]);
        }
    }
}

/* ---- which are in use ---- */

bool muster__level_start(const levels *self, level *of)
{
    bool has_changed = !of->is_started;

    if (has_changed) {
        of->is_started = true;
        of->state = MUSTER_CONNECTING;
        of->has_come = false;
        of->deadline_ns = self->now_ns + self->failover_ns;
    }
    of->stops_ns = 0;
    return has_changed;
}

void muster__level_retire(const levels *self, level *of)
{
    if (of->is_started && of->stops_ns == 0) {
        of->stops_ns = self->now_ns + self->keep_ns;
    }
}

static bool stop_retired(const levels *self)
{
    bool has_changed = false;

    for (uint32_t i = 0; i < self->n; i++) {
        level *of = self->items[i];

        if (of->stops_ns != 0 && of->stops_ns <= self->now_ns) {
            of->is_started = false;
            of->stops_ns = 0;
            of->deadline_ns = 0;
            has_changed = true;
        }
    }
    return has_changed;
}

static bool is_in_use(const group *of)
{
    return ((const level *)(const void *)of)->is_started;
}

/* ---- the timer ---- */

static void look_again(void *arg)
{
    levels *self = arg;

    self->timer = 0;
    self->groups.env.host->republish(self->groups.env.ctx); /* want() */
}

static void earlier(const levels *self, uint64_t at_ns, uint64_t *next_ns)
{
    if (at_ns > self->now_ns && at_ns < *next_ns) {
        *next_ns = at_ns;
    }
}

static void arm(levels *self, uint64_t next_ns)
{
    const muster_balancer_host *host = self->groups.env.host;
    void *ctx = self->groups.env.ctx;

    if (self->timer != 0 && self->timer_ns == next_ns) {
        return;
    }
    host->cancel(ctx, self->timer);
    self->timer = 0;
    self->timer_ns = next_ns;
    if (next_ns != UINT64_MAX) {
        uint64_t wait_ns = next_ns - self->now_ns;

        /* Out of memory: the next change is waited for. */
        (void)host->call_later(ctx, (wait_ns + NS_PER_MS - 1) / NS_PER_MS,
                               look_again, self, &self->timer);
    }
}

/* For whatever is next to change by itself. */
static void arm_next(levels *self, const muster_balancer_update *update)
{
    uint64_t next_ns = UINT64_MAX;

    for (uint32_t i = 0; i < self->n; i++) {
        earlier(self, self->items[i]->deadline_ns, &next_ns);
        earlier(self, self->items[i]->stops_ns, &next_ns);
    }
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        const level_endpoint *endpoint = backend->state;

        if (!endpoint->is_known && endpoint->is_wanted) {
            earlier(self, endpoint->late_ns, &next_ns);
        }
    }
    arm(self, next_ns);
}

/* ---- the class's functions ---- */

/* One step: what each level is like, and what follows. */
static bool step(levels *self, const muster_balancer_update *update,
                 const uint8_t *wanted)
{
    count(self, update, wanted);
    judge_all(self);
    return self->decide(self);
}

void muster__levels_update(void *policy, const muster_balancer_update *update)
{
    levels *self = policy;

    self->now_ns = self->groups.env.host->now_ns(self->groups.env.ctx);
    take(self, update);
    if (!self->was_asked) { /* what is wanted decides, where it is asked */
        (void)step(self, update, NULL);
    }
    groups_tell(&self->groups, update);
}

/* What the children want tells which levels connect, and so which levels are in
 * use, whose children are then to be asked. */
void muster__levels_want(void *policy, const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    levels *self = policy;
    bool has_changed;

    self->was_asked = true;
    self->now_ns = self->groups.env.host->now_ns(self->groups.env.ctx);
    has_changed = stop_retired(self);
    for (uint32_t i = 0; i <= self->n + 1; i++) {
        groups_want(&self->groups, update, is_in_use, ret_wanted);
        has_changed = step(self, update, ret_wanted);
        if (!groups_are_told(&self->groups)) {
            groups_tell(&self->groups, update);
            has_changed = true;
        }
        if (!has_changed) {
            break;
        }
    }
    arm_next(self, update);
}
