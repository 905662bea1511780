/* SPDX-License-Identifier: Apache-2.0 */
/* A peer: round robin and counts of calls in flight under one mutex. */
#include <pthread.h>
#include <stdlib.h>

#include "picker.h"

typedef struct mutex_picker {
    pthread_mutex_t mutex;
    uint32_t n;
    uint32_t next;
    uint32_t in_flight[];
} mutex_picker;

static void *create(uint32_t n_endpoints)
{
    mutex_picker *self =
        calloc(1, sizeof *self + n_endpoints * sizeof *self->in_flight);

    if (self != NULL) {
        (void)pthread_mutex_init(&self->mutex, NULL);
        self->n = n_endpoints;
    }
    return self;
}

static uint32_t pick(mutex_picker *self)
{
    uint32_t index;

    (void)pthread_mutex_lock(&self->mutex);
    index = self->next++ % self->n;
    self->in_flight[index]++;
    (void)pthread_mutex_unlock(&self->mutex);
    return index;
}

static void finish(mutex_picker *self, uint32_t index)
{
    (void)pthread_mutex_lock(&self->mutex);
    self->in_flight[index]--;
    (void)pthread_mutex_unlock(&self->mutex);
}

static void run(void *self, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        finish(self, pick(self));
    }
}

static void destroy(void *self)
{
    mutex_picker *picker = self;

    (void)pthread_mutex_destroy(&picker->mutex);
    free(picker);
}

const picker_class picker_mutex = {"pthread_mutex", create, run, destroy};
