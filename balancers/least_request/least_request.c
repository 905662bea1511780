/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "least_request": of a few random endpoints, or of all, the one
 * with the fewest calls in flight for its weight. */
#include <muster/plugin.h>

#include <math.h>

#include "../candidates.h"
#include "../config.h"

enum { N_CHOICES, FULL_SCAN };

#define MAX_CHOICES 10u
#define N_POWERS 256u
#define NONE UINT32_MAX

/* Of an endpoint. */
typedef struct load {
    _Atomic uint32_t n_calls;
} load;

_Static_assert(sizeof(load) <= CANDIDATE_STATE_SIZE, "one cache line");

/* Nothing in it changes. */
typedef struct least_request {
    muster_balancer_env env;
    uint32_t n_choices;
    bool is_full_scan;
    double powers[N_POWERS]; /* of a number of calls: it, to the bias */
} least_request;

/* The best candidate so far. */
typedef struct contest {
    uint32_t best;
    double cost;
    double alike; /* the weights of all that cost as much; 0: it is alone */
} contest;

static muster_status least_request_create(const muster_balancer_env *env,
                                          void **ret_self, muster_error *err)
{
    static const char *const methods[] = {"N_CHOICES", "FULL_SCAN"};
    config settings = config_open(env->config_json, err);
    uint32_t n_choices = 2;
    unsigned method = N_CHOICES;
    double bias = 1;
    muster_status status;
    least_request *self;

    config_integer(&settings, "choiceCount", 2, UINT32_MAX, &n_choices);
    config_choice(&settings, "selectionMethod", methods, 2,
                  "N_CHOICES or FULL_SCAN", &method);
    config_number(&settings, "activeRequestBias", 0, 10, &bias);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = malloc(sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "least_request: no memory");
    }
    self->env = *env;
    self->n_choices = n_choices < MAX_CHOICES ? n_choices : MAX_CHOICES;
    self->is_full_scan = method == FULL_SCAN;
    for (uint32_t i = 0; i < N_POWERS; i++) {
        self->powers[i] = bias > 0 ? pow(i, bias) : 0;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static muster_status least_request_build(void *self,
                                         const muster_build_args *args,
                                         void **ret_table, muster_error *err)
{
    (void)self;
    return candidates_build(args, ret_table, err);
}

/* Beyond the powers it goes on in a straight line from 0 through the last. */
static double cost_of(const least_request *self, const candidate *of)
{
    uint32_t n_calls = candidates_count(&((const load *)of->state)->n_calls);
    double power = n_calls < N_POWERS ? self->powers[n_calls]
                                      : self->powers[N_POWERS - 1] *
                                            ((double)n_calls / (N_POWERS - 1));

    return power * of->by_weight;
}

/* Of two that cost the same; the scan has passed others alike before. */
static bool takes_over(contest *entered, candidate_draw *draw,
                       const candidate *of)
{
    double point = (double)(candidates_random(draw) >> 11) * 0x1p-53;

    if (entered->alike == 0) {
        entered->alike = 1 / draw->table->of[entered->best].by_weight;
    }
    entered->alike += 1 / of->by_weight;
    return point * entered->alike * of->by_weight < 1;
}

/* Of those that cost the same the first drawn stays, for it was drawn by
 * chance. A scan goes in order: there each takes the place of the one before
 * with the chance that its weight has among those alike. */
static void enter(const least_request *self, contest *entered,
                  candidate_draw *draw, uint32_t index)
{
    const candidate *of = &draw->table->of[index];
    double cost = cost_of(self, of);

    if (entered->best == NONE || cost < entered->cost) {
        *entered = (contest){.best = index, .cost = cost};
    } else if (self->is_full_scan && cost <= entered->cost &&
               takes_over(entered, draw, of)) {
        entered->best = index;
    }
}

/* NONE when call (NULL: no call) has tried all of them. */
static uint32_t least_of(const least_request *self,
                         const candidate_table *table,
                         const muster_call_info *call, uint64_t random)
{
    uint32_t n_left = self->is_full_scan ? table->n : self->n_choices;
    candidate_draw draw =
        candidates_draw(table, random, self->is_full_scan ? 0 : n_left);
    uint64_t n_draws = (uint64_t)draw.n_weighed + table->n;
    contest entered = {.best = NONE};

    if (self->is_full_scan) {
        draw.step = 1; /* as memory has them */
    }
    for (; n_draws > 0 && n_left > 0; n_draws--) {
        uint32_t index = candidates_next(&draw);

        if (call == NULL || !candidates_is_tried(call, table->of[index].id)) {
            enter(self, &entered, &draw, index);
            n_left--;
        }
    }
    return entered.best;
}

static muster_verdict least_request_pick(void *policy, void *policy_table,
                                         const muster_pick_args *args,
                                         muster_pick_result *result)
{
    const least_request *self = policy;
    const candidate_table *table = policy_table;
    uint64_t random = self->env.host->random(self->env.ctx);
    uint32_t best = least_of(self, table, args->call, random);

    if (best == NONE) {
        best = least_of(self, table, NULL, random);
    }
    candidates_begin_call(&((load *)table->of[best].state)->n_calls);
    result->index = best;
    return MUSTER_PICK_INDEX;
}

static void least_request_done(void *self, uint64_t id, void *state,
                               const muster_outcome *outcome)
{
    (void)self;
    (void)id;
    (void)outcome;
    candidates_end_call(&((load *)state)->n_calls);
}

static void least_request_table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void least_request_destroy(void *self)
{
    free(self);
}

#define LEAST_REQUEST(class_name)                                              \
    {                                                                          \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .flags = MUSTER_BALANCER_USES_WEIGHTS, .name = (class_name),           \
        .state_size = CANDIDATE_STATE_SIZE, .create = least_request_create,    \
        .build = least_request_build, .pick = least_request_pick,              \
        .done = least_request_done,                                            \
        .table_destroy = least_request_table_destroy,                          \
        .destroy = least_request_destroy,                                      \
    }

static const muster_balancer_class least_request_class =
    LEAST_REQUEST("least_request");
static const muster_balancer_class experimental_class =
    LEAST_REQUEST("least_request_experimental");

static const muster_balancer_class *const classes[] = {&least_request_class,
                                                       &experimental_class};

MUSTER_PLUGIN(least_request,
              "least_request\0balancer:least_request\0"
              "balancer:least_request_experimental\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 2);
