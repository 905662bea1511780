/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin files that were refused after they were mapped. */
#include "plugin_refused.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct refused_file {
    struct refused_file *next;
    muster__plugin_file file;
    muster_error err;
} refused_file;

static struct {
    pthread_mutex_t mutex;
    refused_file *first; /* guarded by mutex; never taken out */
} refused = {PTHREAD_MUTEX_INITIALIZER, NULL};

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* An inode that is held open is no other file's; but it may be written. */
static bool is_same_file(const muster__plugin_file *a,
                         const muster__plugin_file *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && is_same_time(&a->modified, &b->modified) &&
           is_same_time(&a->changed, &b->changed);
}

void muster__refused_add(const muster__plugin_file *file,
                         const muster_error *err)
{
    refused_file *added = malloc(sizeof *added);

    if (added == NULL) {
        return;
    }
    added->file = *file;
    added->err = *err;
    (void)pthread_mutex_lock(&refused.mutex);
    added->next = refused.first;
    refused.first = added;
    (void)pthread_mutex_unlock(&refused.mutex);
}

muster_status muster__refused_find(const muster__plugin_file *file,
                                   muster_error *err)
{
    const refused_file *at;

    (void)pthread_mutex_lock(&refused.mutex);
    at = refused.first;
    while (at != NULL && !is_same_file(&at->file, file)) {
        at = at->next;
    }
    (void)pthread_mutex_unlock(&refused.mutex);
    if (at == NULL) {
        return MUSTER_OK;
    }
    return muster_error_set(err, at->err.code, "%s", at->err.message);
}
