/* SPDX-License-Identifier: Apache-2.0 */
/* The latencies of a channel's methods. */
#include "latencies.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Who invents method names must not fill memory. */
#define MAX_METHODS 1000

typedef struct method_entry {
    const char *method; /* of an entry that is kept: behind it */
    muster__latency latency;
} method_entry;

static int compare(const void *a, const void *b)
{
    return strcmp(((const method_entry *)a)->method,
                  ((const method_entry *)b)->method);
}

bool muster__latencies_init(muster__latencies *latencies)
{
    latencies->methods = NULL;
    latencies->n = 0;
    return pthread_mutex_init(&latencies->mutex, NULL) == 0;
}

static void destroy(void *node)
{
    method_entry *self = node;

    muster__latency_fini(&self->latency);
    free(self);
}

void muster__latencies_fini(muster__latencies *latencies)
{
    tdestroy(latencies->methods, destroy);
    (void)pthread_mutex_destroy(&latencies->mutex);
}

static method_entry *create(const char *method)
{
    const size_t size = strlen(method) + 1;
    method_entry *self = malloc(sizeof *self + size);

    if (self == NULL) {
        return NULL;
    }
    if (!muster__latency_init(&self->latency)) {
        free(self);
        return NULL;
    }
    self->method = memcpy(self + 1, method, size);
    return self;
}

static method_entry *add_locked(muster__latencies *latencies,
                                const char *method)
{
    method_entry *self = latencies->n < MAX_METHODS ? create(method) : NULL;

    if (self == NULL) {
        return NULL;
    }
    if (tsearch(self, &latencies->methods, compare) == NULL) {
        destroy(self);
        return NULL;
    }
    latencies->n++;
    return self;
}

muster__latency *muster__latencies_find(muster__latencies *latencies,
                                        const char *method)
{
    const method_entry wanted = {.method = method};
    method_entry **node;
    method_entry *found;

    pthread_mutex_lock(&latencies->mutex);
    node = tfind(&wanted, &latencies->methods, compare);
    found = node == NULL ? add_locked(latencies, method) : *node;
    pthread_mutex_unlock(&latencies->mutex);
    return found == NULL ? NULL : &found->latency;
}
