/* SPDX-License-Identifier: Apache-2.0 */
/* A subscriber that remembers what it was told. */
#include "drill.h"

#include <stdio.h>

static void note(recorder *self)
{
    muster__resolution *resolution = self->subscriber.resolution;

    self->size = muster__set_size(muster__resolution_set(resolution));
    self->generation = muster__resolution_generation(resolution);
    self->is_held = muster__resolution_is_held(resolution);
    muster__resolution_stats(resolution, &self->stats);
}

static void on_changed(muster__subscriber *subscriber,
                       const muster__changes *changes)
{
    recorder *self = (recorder *)subscriber;

    drill_lock();
    note(self);
    self->n_changed++;
    self->n_changes = changes->n;
    drill_unlock();
    if (self->in_changed != NULL) {
        self->in_changed(self);
    }
}

static void on_failed(muster__subscriber *subscriber, muster_status status,
                      const char *message)
{
    recorder *self = (recorder *)subscriber;

    drill_lock();
    note(self);
    self->n_failed++;
    self->status = status;
    (void)snprintf(self->message, sizeof self->message, "%s", message);
    drill_unlock();
}

static void on_confirmed(muster__subscriber *subscriber)
{
    recorder *self = (recorder *)subscriber;

    drill_lock();
    note(self);
    self->n_confirmed++;
    drill_unlock();
}

static void on_ended(muster__subscriber *subscriber, muster_status status)
{
    recorder *self = (recorder *)subscriber;

    drill_lock();
    self->n_ended++;
    self->ended_status = status;
    drill_unlock();
}

typedef struct subscription {
    recorder *self;
    muster__target *target;
    const muster__resolver_options *options;
    muster_error *err;
    muster_status status;
} subscription;

static void subscribe(void *arg)
{
    subscription *wanted = arg;

    wanted->status =
        muster__resolution_subscribe(wanted->target, wanted->options,
                                     &wanted->self->subscriber, wanted->err);
}

static void init_recorder(recorder *self)
{
    self->subscriber.changed = on_changed;
    self->subscriber.failed = on_failed;
    self->subscriber.confirmed = on_confirmed;
    self->subscriber.ended = on_ended;
}

muster_status recorder_subscribe_to(recorder *self, muster__target *target)
{
    init_recorder(self);
    return muster__resolution_subscribe(target, NULL, &self->subscriber, NULL);
}

muster_status
recorder_subscribe(recorder *self, const char *target,
                   const muster__resolver_options *resolver_options,
                   muster_error *err)
{
    subscription wanted = {
        .self = self, .options = resolver_options, .err = err};
    muster_status status = muster__target_parse(target, &wanted.target, err);

    if (status != MUSTER_OK) {
        return status;
    }
    init_recorder(self);
    drill_call(subscribe, &wanted);
    return wanted.status;
}

static void unsubscribe(void *arg)
{
    muster__resolution_unsubscribe(&((recorder *)arg)->subscriber);
}

void recorder_end(recorder *self)
{
    drill_call(unsubscribe, self);
    AWAIT(self->n_ended > 0);
    drill_settle();
}
