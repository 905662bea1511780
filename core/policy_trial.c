/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a policy takes a configuration: made without a channel. */
#include "policy_trial.h"

#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "registry.h"
#include "request.h"

typedef struct trial {
    muster__request request; /* first: the request is the trial */
    muster_channel *channel; /* no more of one than a policy sees */
    char *name;
    char *config_json;
    muster_status status;
    muster_error err;
} trial;

/* ---- the channel a policy gets to see ---- */

static void ignore_nudge(void *arg)
{
    (void)arg;
}

static muster_channel *stage_new(void)
{
    muster_channel *channel = calloc(1, sizeof *channel);

    if (channel != NULL) {
        channel->is_closing = true;
        muster__table_init(&channel->table);
        muster__nudge_init(&channel->refresh_nudge, ignore_nudge, NULL);
        muster__nudge_init(&channel->republish_nudge, ignore_nudge, NULL);
    }
    return channel;
}

static void stage_free(muster__task *task)
{
    muster_channel *channel =
        (muster_channel *)(void *)((char *)task -
                                   offsetof(muster_channel, free_task));

    muster__table_fini(&channel->table);
    muster__counters_fini(&channel->counters);
    free(channel);
    muster__loop_release();
}

/* Behind the nudges that the policy may have given. */
static void stage_close(muster_channel *channel)
{
    channel->free_task.fn = stage_free;
    muster__loop_post(&channel->free_task);
}

/* ---- the trial ---- */

static void try_on_control(muster__request *request)
{
    trial *self = (trial *)request;
    muster__policy *policy = NULL;

    self->status =
        muster__policy_create(self->channel, NULL, self->name,
                              self->config_json, &policy, &self->err);
    muster__policy_unref(policy);
    stage_close(self->channel);
}

static void trial_free(muster__request *request)
{
    trial *self = (trial *)request;

    muster__request_fini(request);
    free(self->name);
    free(self->config_json);
    free(self);
}

static muster_status trial_create(const char *name, const char *config_json,
                                  trial **ret_trial)
{
    trial *self = calloc(1, sizeof *self);

    if (self == NULL || muster__request_init(&self->request, try_on_control,
                                             trial_free) != MUSTER_OK) {
        free(self);
        return MUSTER_NOMEM;
    }
    self->name = strdup(name);
    self->config_json = strdup(config_json);
    self->channel = stage_new();
    if (self->name == NULL || self->config_json == NULL ||
        self->channel == NULL) {
        free(self->channel);
        trial_free(&self->request);
        return MUSTER_NOMEM;
    }
    *ret_trial = self;
    return MUSTER_OK;
}

static muster_status run(const char *name, const char *config_json,
                         muster_error *err)
{
    trial *self = NULL;
    muster_status status = muster__loop_acquire(err);

    if (status != MUSTER_OK) {
        return status;
    }
    status = trial_create(name, config_json, &self);
    if (status != MUSTER_OK) {
        muster__loop_release();
        return muster_error_set(err, status, "%s", muster_status_text(status));
    }
    status = muster__request_run(&self->request, err);
    if (status != MUSTER_OK) {
        return status; /* the trial is the control thread's now */
    }
    status = self->status;
    if (status != MUSTER_OK) {
        *err = self->err;
    }
    trial_free(&self->request);
    return status;
}

muster_status muster__policy_try(const char *name, const char *config_json,
                                 muster_error *err)
{
    const muster_balancer_class *class_ = NULL;
    muster__plugin *plugin = NULL;
    muster_status status =
        muster__registry_balancer(name, &class_, &plugin, err);

    if (status != MUSTER_OK) {
        return status;
    }
    status = run(name, config_json, err);
    /* The policy is there: what it does not find is its own affair. */
    return status == MUSTER_NOTFOUND ? MUSTER_INVAL : status;
}
