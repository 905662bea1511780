/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "p2c_ewma": of two random endpoints the one that should answer
 * first, by a peak-sensitive average of its latencies and its calls in flight.
 * README.md has the method. */
#include <muster/plugin.h>

#include "../candidates.h"
#include "../config.h"

#define N_CURSORS 64u /* a power of two: shards are taken modulo */
#define CACHE_LINE 64
#define NONE UINT32_MAX

#define MIN_DECAY_NS UINT64_C(1000000)
#define LOG2_E 1.44269504f

/* In a decay time, at least: what one tick does to an average is little. */
#define TICKS_A_DECAY 1024u

/* An average of more than this many times the usual one is bad. */
#define BAD_FACTOR 2.0f

/* Of an endpoint. The average and the tick of its last change are one word, so
 * that a change of both is one exchange. */
typedef struct latency_state {
    _Atomic uint64_t heard; /* 0: nothing was heard of it */
    _Atomic uint32_t n_calls;
} latency_state;

_Static_assert(sizeof(latency_state) <= CANDIDATE_STATE_SIZE, "one cache line");

typedef struct heard {
    float average_ns; /* 0: nothing was measured */
    uint32_t tick;    /* 0 then: nothing was heard */
} heard;

/* The average of those that a shard's picks take. */
typedef struct cursor {
    _Alignas(CACHE_LINE) _Atomic float usual_ns;
} cursor;

typedef struct p2c_ewma {
    cursor cursors[N_CURSORS];
    /* When calls ended last. A pick reads it instead of the clock, which costs
     * more than the rest of the pick. */
    _Alignas(CACHE_LINE) _Atomic uint32_t tick;
    _Alignas(CACHE_LINE) muster_balancer_env env; /* nothing else changes */
    uint64_t default_ns;
    uint64_t max_penalty_ns;
    uint32_t n_redraws;
    uint32_t tick_shift;   /* a tick has 2^tick_shift ns */
    float halves_per_tick; /* how often an average halves in a tick */
} p2c_ewma;

/* The candidates of a pick. */
typedef struct contest {
    candidate_draw draw;
    uint64_t n_left; /* to be drawn */
    uint32_t best;
    double cost;
    float best_ns;    /* the average of the best */
    float fastest_ns; /* the lowest average of all */
} contest;

/* ---- settings ---- */

/* A tick is a power of two, so that picks and ends need not divide. */
static void read_decay(p2c_ewma *self, config *settings)
{
    uint64_t decay_ns = UINT64_C(10000000000);

    config_duration(settings, "decayTime", &decay_ns);
    if (decay_ns < MIN_DECAY_NS) {
        config_refuse(settings, "decayTime", "\"0.001s\" or more");
        return;
    }
    while (decay_ns >> self->tick_shift >= UINT64_C(2) * TICKS_A_DECAY) {
        self->tick_shift++;
    }
    self->halves_per_tick =
        LOG2_E *
        (float)((double)(UINT64_C(1) << self->tick_shift) / (double)decay_ns);
}

static void read_settings(p2c_ewma *self, config *settings)
{
    self->default_ns = 10000000;
    self->max_penalty_ns = UINT64_C(30000000000);
    self->n_redraws = 4;
    read_decay(self, settings);
    config_duration(settings, "defaultRtt", &self->default_ns);
    if (self->default_ns == 0) {
        config_refuse(settings, "defaultRtt", "longer than \"0s\"");
    }
    config_duration(settings, "maxPenalty", &self->max_penalty_ns);
    config_integer(settings, "redraws", 0, 16, &self->n_redraws);
}

static muster_status p2c_ewma_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    p2c_ewma *self = aligned_alloc(CACHE_LINE, sizeof *self);
    config settings;
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "p2c_ewma: no memory");
    }
    memset(self, 0, sizeof *self);
    for (unsigned i = 0; i < N_CURSORS; i++) {
        atomic_init(&self->cursors[i].usual_ns, 0);
    }
    atomic_init(&self->tick, 0);
    self->env = *env;
    settings = config_open(env->config_json, err);
    read_settings(self, &settings);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

/* ---- averages ---- */

static heard unpack(uint64_t word)
{
    heard result = {.tick = (uint32_t)(word >> 32)};
    uint32_t bits = (uint32_t)word;

    memcpy(&result.average_ns, &bits, sizeof bits);
    return result;
}

static uint64_t pack(heard of)
{
    uint32_t bits;

    memcpy(&bits, &of.average_ns, sizeof bits);
    return (uint64_t)of.tick << 32 | bits;
}

/* Relaxed, as everything here: averages order nothing. */
static heard heard_of(const latency_state *state)
{
    return unpack(atomic_load_explicit(&state->heard, memory_order_relaxed));
}

/* Two to the power of minus halves, within a thousandth, for picks have no time
 * for exp(): the exponent's bits for the whole halves, a cubic for the rest. */
static float fade(float halves)
{
    uint32_t whole = (uint32_t)halves;
    uint32_t bits = (127 - whole) << 23;
    float part = halves - (float)whole;
    float scale;

    memcpy(&scale, &bits, sizeof scale);
    return scale *
           (1 - part * (0.69315f - part * (0.24023f - part * 0.04708f)));
}

/* What is left of an average at tick. Ticks go round in 2^32; one that seems to
 * lie ahead is another thread's. */
static float weight_at(const p2c_ewma *self, heard of, uint32_t tick)
{
    uint32_t n_ticks = tick - of.tick;
    float halves = (float)n_ticks * self->halves_per_tick;

    if (n_ticks == 0 || n_ticks > INT32_MAX) {
        return 1;
    }
    return halves < 126 ? fade(halves) : 0;
}

/* A peak counts at once and in full; what is below moves the average by the
 * time since its last change. When that is too little for the average to move
 * at all, the time goes on adding up. */
static heard observe(const p2c_ewma *self, heard of, float latency_ns,
                     uint32_t tick)
{
    float weight;
    float average_ns;

    if (latency_ns >= of.average_ns) {
        return (heard){latency_ns, tick};
    }
    weight = weight_at(self, of, tick);
    average_ns = of.average_ns * weight + latency_ns * (1 - weight);
    return average_ns == of.average_ns ? of : (heard){average_ns, tick};
}

/* ---- picking ---- */

/* A call in flight says nothing yet, so an endpoint that has one counts in
 * full. An idle one counts the less the longer ago it was heard of: so it is
 * tried again, by one call at a time. One never heard of is tried at once; one
 * that has answered, but was not measured, is no better than one that failed
 * long ago. */
static double cost_of(const p2c_ewma *self, const candidate *of, heard now,
                      uint32_t tick)
{
    const latency_state *state = of->state;
    uint32_t n_calls = candidates_count(&state->n_calls);
    double latency_ns = (double)now.average_ns;

    if (now.average_ns == 0 && (n_calls > 0 || now.tick != 0)) {
        latency_ns = (double)self->default_ns;
    }
    if (n_calls == 0) {
        latency_ns *= (double)weight_at(self, now, tick);
    }
    return latency_ns * (n_calls * of->by_weight + 1);
}

/* Draws n more that call (NULL: no call) has not tried. */
static void draw_more(const p2c_ewma *self, const candidate_table *table,
                      const muster_call_info *call, contest *entered,
                      uint32_t n)
{
    uint32_t tick = atomic_load_explicit(&self->tick, memory_order_relaxed);

    for (; n > 0 && entered->n_left > 0; entered->n_left--) {
        uint32_t index = candidates_next(&entered->draw);
        const candidate *of = &table->of[index];
        heard now;
        double cost;

        if (call != NULL && candidates_is_tried(call, of->id)) {
            continue;
        }
        n--;
        now = heard_of(of->state);
        cost = cost_of(self, of, now, tick);
        if (entered->best == NONE || now.average_ns < entered->fastest_ns) {
            entered->fastest_ns = now.average_ns;
        }
        if (entered->best == NONE || cost < entered->cost) {
            entered->best = index;
            entered->cost = cost;
            entered->best_ns = now.average_ns;
        }
    }
}

/* Nearer to that of the pick: quickly down and slowly up, so that it stays near
 * the good ones when many are bad. Plain loads and stores will do: two threads
 * of one shard may lose a step. */
static void learn_usual(cursor *of, float usual_ns, float picked_ns)
{
    float step = picked_ns < usual_ns ? 1.0f / 4 : 1.0f / 32;

    if (picked_ns > 0 && picked_ns != usual_ns) {
        usual_ns = usual_ns == 0 ? picked_ns
                                 : usual_ns + (picked_ns - usual_ns) * step;
        atomic_store_explicit(&of->usual_ns, usual_ns, memory_order_relaxed);
    }
}

static contest compete(const p2c_ewma *self, const candidate_table *table,
                       const muster_call_info *call, uint64_t random,
                       float usual_ns)
{
    contest entered = {.draw = candidates_draw(table, random, 2), .best = NONE};

    entered.n_left = (uint64_t)entered.draw.n_weighed + table->n;
    draw_more(self, table, call, &entered, 2);
    for (uint32_t i = 0; i < self->n_redraws && usual_ns > 0 &&
                         entered.fastest_ns > BAD_FACTOR * usual_ns;
         i++) {
        draw_more(self, table, call, &entered, 2);
    }
    return entered;
}

static muster_verdict p2c_ewma_pick(void *policy, void *policy_table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    p2c_ewma *self = policy;
    const candidate_table *table = policy_table;
    cursor *own = &self->cursors[args->shard % N_CURSORS];
    uint64_t random = self->env.host->random(self->env.ctx);
    float usual_ns = atomic_load_explicit(&own->usual_ns, memory_order_relaxed);
    contest entered = compete(self, table, args->call, random, usual_ns);
    latency_state *state;

    if (entered.best == NONE) {
        entered = compete(self, table, NULL, random, usual_ns);
    }
    learn_usual(own, usual_ns, entered.best_ns);
    state = table->of[entered.best].state;
    candidates_begin_call(&state->n_calls);
    result->index = entered.best;
    return MUSTER_PICK_INDEX;
}

/* ---- learning ---- */

/* Statuses by which an endpoint fails, not what it was asked: UNKNOWN,
 * DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
static bool is_failure(int status)
{
    const unsigned failures =
        1u << 2 | 1u << 4 | 1u << 8 | 1u << 13 | 1u << 14 | 1u << 15;

    return status > 0 && status < 32 && (failures >> status & 1u) != 0;
}

/* A pick given back says nothing, nor does a call that was not measured unless
 * it went well or failed. */
static bool says_something(const muster_outcome *outcome)
{
    if ((outcome->flags & MUSTER_OUTCOME_GIVEN_BACK) != 0) {
        return false;
    }
    return outcome->latency_ns > 0 || outcome->status == 0 ||
           is_failure(outcome->status);
}

/* As if it had taken twice the average, for an endpoint that fails fast should
 * not be liked for it. */
static float penalty_of(const p2c_ewma *self, heard of)
{
    float average_ns =
        of.average_ns > 0 ? of.average_ns : (float)self->default_ns;
    float most_ns = (float)self->max_penalty_ns;

    return 2 * average_ns < most_ns ? 2 * average_ns : most_ns;
}

/* Of a call that went well, and was not measured: it takes back what failures
 * were taken for, and is never a peak. When nothing was measured before, all
 * there is to know is when it was. */
static heard learn_success(const p2c_ewma *self, heard of, uint32_t tick)
{
    float default_ns = (float)self->default_ns;

    if (of.average_ns == 0) {
        return (heard){0, tick};
    }
    return default_ns < of.average_ns ? observe(self, of, default_ns, tick)
                                      : of;
}

/* A call that was cancelled would have taken longer: it may only be a peak. */
static heard learn(const p2c_ewma *self, heard of,
                   const muster_outcome *outcome, uint32_t tick)
{
    const int CANCELLED = 1;
    float latency_ns = (float)outcome->latency_ns;

    if (outcome->status == 0 && outcome->latency_ns == 0) {
        return learn_success(self, of, tick);
    }
    if (outcome->status == CANCELLED && latency_ns < of.average_ns) {
        return of;
    }
    if (is_failure(outcome->status)) {
        float penalty_ns = penalty_of(self, of);

        latency_ns = latency_ns > penalty_ns ? latency_ns : penalty_ns;
    }
    return latency_ns > 0 ? observe(self, of, latency_ns, tick) : of;
}

/* The clock is written once a tick. A late thread may set it back by as much as
 * it is late, until the next call ends. */
static uint32_t tick_now(p2c_ewma *self)
{
    uint32_t tick =
        (uint32_t)(self->env.host->now_ns(self->env.ctx) >> self->tick_shift);

    if (atomic_load_explicit(&self->tick, memory_order_relaxed) != tick) {
        atomic_store_explicit(&self->tick, tick, memory_order_relaxed);
    }
    return tick;
}

static void p2c_ewma_done(void *policy, uint64_t id, void *policy_state,
                          const muster_outcome *outcome)
{
    p2c_ewma *self = policy;
    latency_state *state = policy_state;
    uint32_t tick = tick_now(self); /* by any end, so that penalties decay */
    uint64_t before;
    uint64_t after;

    (void)id;
    candidates_end_call(&state->n_calls);
    if (!says_something(outcome)) {
        return;
    }
    before = atomic_load_explicit(&state->heard, memory_order_relaxed);
    do {
        after = pack(learn(self, unpack(before), outcome, tick));
    } while (after != before &&
             !atomic_compare_exchange_weak_explicit(&state->heard, &before,
                                                    after, memory_order_relaxed,
                                                    memory_order_relaxed));
}

/* ---- tables ---- */

static muster_status p2c_ewma_build(void *self, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    (void)self;
    return candidates_build(args, ret_table, err);
}

static void p2c_ewma_table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void p2c_ewma_destroy(void *self)
{
    free(self);
}

#define P2C_EWMA(class_name)                                                   \
    {                                                                          \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .flags = MUSTER_BALANCER_USES_WEIGHTS, .name = (class_name),           \
        .state_size = CANDIDATE_STATE_SIZE, .create = p2c_ewma_create,         \
        .build = p2c_ewma_build, .pick = p2c_ewma_pick, .done = p2c_ewma_done, \
        .table_destroy = p2c_ewma_table_destroy, .destroy = p2c_ewma_destroy,  \
    }

static const muster_balancer_class p2c_ewma_class = P2C_EWMA("p2c_ewma");
static const muster_balancer_class peak_ewma_class = P2C_EWMA("peak_ewma");

static const muster_balancer_class *const classes[] = {&p2c_ewma_class,
                                                       &peak_ewma_class};

MUSTER_PLUGIN(p2c_ewma, "p2c_ewma\0balancer:p2c_ewma\0balancer:peak_ewma\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 2);
