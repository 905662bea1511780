/* SPDX-License-Identifier: Apache-2.0 */
/* Balancing policies of a channel: instances, their host, their states. */
#include "policy.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "log_internal.h"

struct muster__policy_timer {
    muster__policy_timer *next;
    muster__policy *policy;
    uint64_t number;
    void (*fn)(void *arg);
    void *arg;
    muster__timer *timer;
};

/* ---- states ---- */

static uint32_t state_chunks_needed(const muster_channel *channel, uint32_t n)
{
    return (muster__table_limit(&channel->table, n) + MUSTER__STATE_CHUNK - 1) /
           MUSTER__STATE_CHUNK;
}

/* Chunks are added, never moved: readers index the directory meanwhile, but
 * only with numbers of subchannels that were published after their chunk. */
static muster_status reserve_states(muster__policy *policy, uint32_t n_chunks)
{
    muster__published_policy *published = &policy->published;

    if (policy->states == NULL) {
        return MUSTER_OK;
    }
    if (n_chunks > MUSTER__STATE_CHUNKS) {
        return MUSTER_EXHAUSTED;
    }
    while (published->n_state_chunks < n_chunks) {
        char *chunk = aligned_alloc(64, (size_t)MUSTER__STATE_CHUNK *
                                            published->state_size);
        if (chunk == NULL) {
            return MUSTER_NOMEM;
        }
        memset(chunk, 0, (size_t)MUSTER__STATE_CHUNK * published->state_size);
        policy->states[published->n_state_chunks++] = chunk;
    }
    return MUSTER_OK;
}

muster_status muster__policy_reserve_states(muster_channel *channel, uint32_t n)
{
    uint32_t n_chunks = state_chunks_needed(channel, n);
    muster_status status = MUSTER_OK;

    for (muster__policy *policy = channel->policies;
         policy != NULL && status == MUSTER_OK; policy = policy->next) {
        status = reserve_states(policy, n_chunks);
    }
    return status;
}

void *muster__policy_state(const muster__policy *policy, uint32_t number)
{
    if (policy->states == NULL) {
        return NULL;
    }
    return policy->states[number / MUSTER__STATE_CHUNK] +
           (size_t)(number % MUSTER__STATE_CHUNK) *
               policy->published.state_size;
}

/* A build of a view from before may look at the state on its worker, and gets
 * what was or zeros, for an endpoint that has gone: so it is no memset(), which
 * would be a data race. Relaxed: nothing is ordered by it. The size is a
 * multiple of 16, and states are of policies' own types. */
static void clear_state(void *state, size_t size)
{
    typedef uint64_t __attribute__((may_alias)) word;
    word *words = state;

    for (size_t i = 0; i < size / sizeof *words; i++) {
        __atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
    }
}

void muster__policy_reset_states(muster_channel *channel, uint32_t number)
{
    for (muster__policy *policy = channel->policies; policy != NULL;
         policy = policy->next) {
        if (policy->states != NULL) {
            clear_state(muster__policy_state(policy, number),
                        policy->published.state_size);
        }
    }
}

static muster_status create_states(muster__policy *policy)
{
    uint32_t size = policy->class_->state_size;

    if (size == 0) {
        return MUSTER_OK;
    }
    policy->published.state_size = (size + 15u) & ~15u;
    policy->states = calloc(MUSTER__STATE_CHUNKS, sizeof *policy->states);
    if (policy->states == NULL) {
        return MUSTER_NOMEM;
    }
    policy->published.state_chunks = policy->states;
    return reserve_states(policy, state_chunks_needed(policy->channel, 0));
}

static void destroy_states(muster__policy *policy)
{
    for (uint32_t i = 0; i < policy->published.n_state_chunks; i++) {
        free(policy->states[i]);
    }
    free(policy->states);
}

/* ---- the host's functions; ctx is the instance ---- */

static uint64_t host_now_ns(void *ctx)
{
    (void)ctx;
    return muster__now_ns();
}

static uint64_t host_random(void *ctx)
{
    (void)ctx;
    return muster__random();
}

static void timer_free(muster__policy_timer *timer)
{
    muster__policy_timer **at = &timer->policy->timers;

    while (*at != timer) {
        at = &(*at)->next;
    }
    *at = timer->next;
    muster__timer_destroy(timer->timer);
    free(timer);
}

static void timer_fired(void *arg)
{
    muster__policy_timer *timer = arg;
    void (*fn)(void *) = timer->fn;
    void *fn_arg = timer->arg;
    const char *name = timer->policy->class_->name;

    timer_free(timer);
    muster__loop_enter_plugin(name, "a timer");
    fn(fn_arg);
    muster__loop_leave_plugin();
}

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     void (*fn)(void *arg), void *arg,
                                     uint64_t *ret_timer)
{
    muster__policy *policy = ctx;
    muster__policy_timer *timer = calloc(1, sizeof *timer);

    if (timer == NULL ||
        muster__timer_create(timer_fired, timer, &timer->timer) != MUSTER_OK) {
        free(timer);
        return MUSTER_NOMEM;
    }
    timer->policy = policy;
    timer->number = ++policy->last_timer;
    timer->fn = fn;
    timer->arg = arg;
    timer->next = policy->timers;
    policy->timers = timer;
    muster__timer_start(timer->timer, delay_ms);
    if (ret_timer != NULL) {
        *ret_timer = timer->number;
    }
    return MUSTER_OK;
}

static void host_cancel(void *ctx, uint64_t number)
{
    muster__policy *policy = ctx;

    for (muster__policy_timer *timer = policy->timers; timer != NULL;
         timer = timer->next) {
        if (timer->number == number) {
            timer_free(timer);
            return;
        }
    }
}

static void host_republish(void *ctx)
{
    muster__policy *policy = ctx;

    muster__nudge_post(&policy->channel->republish_nudge);
}

/* Only the policy that is wanted ejects: what another says would never be taken
 * back. */
static void host_set_ejected(void *ctx, uint64_t id, int is_ejected)
{
    muster__policy *policy = ctx;
    muster_channel *channel = policy->channel;
    muster__subchannel *subchannel = muster__table_by_id(&channel->table, id);

    if (policy->root != channel->publisher.policy || subchannel == NULL ||
        subchannel->is_ejected == (is_ejected != 0)) {
        return;
    }
    muster__priorities_subtract(&channel->priorities, subchannel);
    subchannel->is_ejected = is_ejected != 0;
    muster__priorities_add(&channel->priorities, subchannel);
    channel->is_reconcile_due = true; /* not from inside the policy's call */
    muster__nudge_post(&channel->republish_nudge);
}

static void host_request_resolution(void *ctx)
{
    muster__policy *policy = ctx;

    muster__nudge_post(&policy->channel->refresh_nudge);
}

static void host_log(void *ctx, muster_log_level level, const char *message)
{
    const muster__policy *policy = ctx;

    muster__log(level, "policy %s: %s", policy->class_->name, message);
}

static void host_count(void *ctx, const char *name,
                       const muster_attribute *labels, size_t n_labels,
                       uint64_t delta)
{
    muster__policy *policy = ctx;

    muster__counters_add(&policy->channel->counters, name, labels, n_labels,
                         delta);
}

static void host_include_unfit(void *ctx)
{
    muster__policy *policy = ctx;

    policy->root->includes_unfit = true;
}

const muster_balancer_host muster__policy_host = {
    .struct_size = (uint32_t)sizeof muster__policy_host,
    .now_ns = host_now_ns,
    .random = host_random,
    .call_later = host_call_later,
    .cancel = host_cancel,
    .republish = host_republish,
    .set_ejected = host_set_ejected,
    .request_resolution = host_request_resolution,
    .child_create = muster__child_create,
    .child_update = muster__child_update,
    .child_want = muster__child_want,
    .child_build = muster__child_build,
    .child_pick = muster__child_pick,
    .child_done = muster__child_done,
    .child_table_destroy = muster__child_table_destroy,
    .child_destroy = muster__child_destroy,
    .log = host_log,
    .count = host_count,
    .include_unfit = host_include_unfit,
};

/* ---- life ---- */

static muster_status instance_create(muster__policy *policy, muster_error *err)
{
    void *shared = NULL;
    muster_status status = muster__plugin_use(policy->plugin, &shared, err);

    if (status != MUSTER_OK) {
        policy->plugin = NULL;
        return status;
    }
    policy->env.struct_size = (uint32_t)sizeof policy->env;
    policy->env.host = &muster__policy_host;
    policy->env.ctx = policy;
    policy->env.shared = shared;
    policy->env.config_json = policy->config_json;
    muster__loop_enter_plugin(policy->class_->name, "create");
    status = policy->class_->create(&policy->env, &policy->self, err);
    muster__loop_leave_plugin();
    err->message[sizeof err->message - 1] = '\0'; /* theirs */
    return status;
}

static void policy_free(muster__policy *policy)
{
    muster__policy **at = &policy->channel->policies;

    while (*at != NULL && *at != policy) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = policy->next;
    }
    while (policy->timers != NULL) {
        timer_free(policy->timers);
    }
    if (policy->plugin != NULL) {
        muster__plugin_unuse(policy->plugin);
    }
    destroy_states(policy);
    free(policy->config_json);
    free(policy);
}

static muster__policy *policy_new(muster_channel *channel,
                                  const muster__policy *parent,
                                  const char *config_json)
{
    muster__policy *policy = calloc(1, sizeof *policy);

    if (policy == NULL) {
        return NULL;
    }
    policy->config_json = strdup(config_json == NULL ? "{}" : config_json);
    if (policy->config_json == NULL) {
        free(policy);
        return NULL;
    }
    policy->channel = channel;
    policy->root = parent == NULL ? policy : parent->root;
    policy->refs = 1;
    policy->next = channel->policies;
    channel->policies = policy;
    return policy;
}

static muster_status policy_start(muster__policy *policy, const char *name,
                                  muster_error *err)
{
    muster_status status =
        muster__registry_balancer(name, &policy->class_, &policy->plugin, err);

    if (status != MUSTER_OK) {
        return status;
    }
    policy->published.class_ = policy->class_;
    policy->published.has_done = policy->class_->done != NULL;
    policy->published.number = ++policy->channel->publisher.n_policies;
    status = create_states(policy);
    if (status != MUSTER_OK) {
        policy->plugin = NULL; /* not used yet */
        return muster_error_set(err, status, "policy %s: %s", name,
                                muster_status_text(status));
    }
    status = instance_create(policy, err);
    policy->published.self = policy->self;
    return status;
}

muster_status muster__policy_create(muster_channel *channel,
                                    const muster__policy *parent,
                                    const char *name, const char *config_json,
                                    muster__policy **ret_policy,
                                    muster_error *err)
{
    muster__policy *policy = policy_new(channel, parent, config_json);

    if (policy == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "policy %s: out of memory",
                                name);
    }
    muster_status status = policy_start(policy, name, err);
    if (status != MUSTER_OK) {
        policy_free(policy);
        return status;
    }
    *ret_policy = policy;
    return MUSTER_OK;
}

muster__policy *muster__policy_ref(muster__policy *policy)
{
    policy->refs++;
    return policy;
}

void muster__policy_unref(muster__policy *policy)
{
    if (policy == NULL || --policy->refs > 0) {
        return;
    }
    muster__loop_enter_plugin(policy->class_->name, "destroy");
    policy->class_->destroy(policy->self);
    muster__loop_leave_plugin();
    policy_free(policy);
}
