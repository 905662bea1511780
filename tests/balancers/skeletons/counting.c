/* SPDX-License-Identifier: Apache-2.0 */
/* counting: adds up the calls of each endpoint in its states, over the child of
 * its configuration. */
#include "skeletons.h"

#include <wrapper.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LISTED = 8, NAME_SIZE = 32 };

/* The state of an endpoint. */
typedef struct tally {
    _Atomic uint64_t sum;
} tally;

/* Where the state of the endpoint of this address is. */
typedef struct listed {
    char address[NAME_SIZE];
    const tally *tally;
} listed;

typedef struct counting {
    wrapper base; /* first: the functions of wrapper.h see that */
    char label[NAME_SIZE];
    uint32_t step;
    struct counting *next;     /* guarded by mutex, as is the rest */
    listed listed[MAX_LISTED]; /* n_listed of them: the list */
    size_t n_listed;
} counting;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static counting *instances; /* guarded by mutex */

/* ---- what a test asks ---- */

static bool find(const counting *self, const char *address, uint64_t *ret_sum)
{
    for (size_t i = 0; i < self->n_listed; i++) {
        if (strcmp(self->listed[i].address, address) == 0) {
            *ret_sum = atomic_load(&self->listed[i].tally->sum);
            return true;
        }
    }
    return false;
}

uint64_t skeleton_counted(const char *label, const char *address)
{
    uint64_t sum = UINT64_MAX;

    (void)pthread_mutex_lock(&mutex);
    for (const counting *at = instances; at != NULL; at = at->next) {
        if (strcmp(at->label, label) == 0 && find(at, address, &sum)) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    return sum;
}

/* ---- life ---- */

static void read_label(config *settings, counting *self)
{
    const char *label = "";

    config_text(settings, "label", &label);
    if (strlen(label) < sizeof self->label) {
        strcpy(self->label, label);
    } else {
        config_refuse(settings, "label", "shorter");
    }
}

static muster_status counting_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    counting *self = calloc(1, sizeof *self);
    config settings = config_open(env->config_json, err);
    muster_status status;

    if (self == NULL) {
        (void)config_close(&settings);
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    self->base.env = *env;
    self->step = 1;
    read_label(&settings, self);
    config_integer(&settings, "step", 1, 1000000, &self->step);
    wrapper_child(&settings, "childPolicy", "round_robin", env,
                  &self->base.child);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    (void)pthread_mutex_lock(&mutex);
    self->next = instances;
    instances = self;
    (void)pthread_mutex_unlock(&mutex);
    *ret_self = self;
    return MUSTER_OK;
}

static void counting_destroy(void *arg)
{
    counting *self = arg;
    counting **at = &instances;

    (void)pthread_mutex_lock(&mutex);
    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    (void)pthread_mutex_unlock(&mutex);
    self->base.env.host->child_destroy(self->base.child);
    free(self);
}

/* ---- calls ---- */

static void counting_update(void *arg, const muster_balancer_update *update)
{
    counting *self = arg;

    (void)pthread_mutex_lock(&mutex);
    self->n_listed = 0;
    for (size_t i = 0; i < update->n_backends && i < MAX_LISTED; i++) {
        const void *at =
            (const char *)update->backends + i * update->backend_size;
        const muster_backend *backend = at;
        listed *entry = &self->listed[self->n_listed++];

        (void)strncpy(entry->address, backend->endpoint->address,
                      NAME_SIZE - 1);
        entry->tally = backend->state;
    }
    (void)pthread_mutex_unlock(&mutex);
    wrapper_update(arg, update);
}

static void counting_done(void *arg, uint64_t id, void *state,
                          const muster_outcome *outcome)
{
    const counting *self = arg;
    tally *of = state;

    (void)atomic_fetch_add(&of->sum, self->step);
    self->base.env.host->child_done(self->base.child, id, outcome);
}

const muster_balancer_class skeleton_counting = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "skeleton_counting",
    .state_size = (uint32_t)sizeof(tally),
    .create = counting_create,
    .update = counting_update,
    .want = wrapper_want,
    .build = wrapper_build,
    .pick = wrapper_pick,
    .done = counting_done,
    .table_destroy = wrapper_table_destroy,
    .destroy = counting_destroy,
};
