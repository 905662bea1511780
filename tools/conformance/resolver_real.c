/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of resolvers without the test kit. */
#include "resolver_real.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include <muster/watch.h>

/* ---- authority ---- */

typedef struct question {
    const muster_resolver_class *resolver;
    const char *path;
    char answer[512];
    bool is_ended; /* the answer is a string */
} question;

static void *ask(void *arg)
{
    question *self = arg;

    memset(self->answer, 0x7f, sizeof self->answer);
    if (self->resolver->authority(self->path, self->answer,
                                  sizeof self->answer) != MUSTER_OK) {
        self->answer[0] = '\0';
    }
    self->is_ended = memchr(self->answer, '\0', sizeof self->answer) != NULL;
    return NULL;
}

static void ask_twice(trial *self, const char *path)
{
    question first = {.resolver = self->resolver, .path = path};
    question second = first;
    pthread_t thread;

    (void)ask(&first);
    if (pthread_create(&thread, NULL, ask, &second) != 0) {
        return;
    }
    (void)pthread_join(thread, NULL);
    if (!first.is_ended || !second.is_ended) {
        trial_fail(self, "authority() of the path \"%.100s\" writes no end",
                   path);
    } else if (strcmp(first.answer, second.answer) != 0) {
        trial_fail(
            self,
            "authority() of the path \"%.100s\" answers \"%.100s\", then "
            "\"%.100s\"",
            path, first.answer, second.answer);
    }
}

void resolver_real_authority(trial *self)
{
    static const char *const paths[] = {
        "", "web", "web.prod:50051", "[::1]:1", "a/b/c", ":", "%", "\xc3\xa4"};
    char long_path[2048];

    if (self->resolver->struct_size <
            offsetof(muster_resolver_class, authority) +
                sizeof self->resolver->authority ||
        self->resolver->authority == NULL) {
        trial_skip(self, "the class has no authority()");
        return;
    }
    trial_step(self, "authority()");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ask_twice(self, paths[i]);
    }
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    ask_twice(self, long_path);
}

/* ---- the real host ---- */

typedef struct sighting {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    bool is_there;          /* guarded by mutex */
    muster_watch_type type; /* guarded by mutex */
    char message[256];      /* guarded by mutex */
} sighting;

static void note(void *arg, const muster_watch_event *event)
{
    sighting *self = arg;

    (void)pthread_mutex_lock(&self->mutex);
    self->is_there = true;
    self->type = event->type;
    (void)snprintf(self->message, sizeof self->message, "%s", event->message);
    (void)pthread_cond_signal(&self->came);
    (void)pthread_mutex_unlock(&self->mutex);
}

static bool await(sighting *self, uint64_t timeout_ms)
{
    struct timespec deadline;
    bool is_there;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += (time_t)(timeout_ms / 1000);
    (void)pthread_mutex_lock(&self->mutex);
    while (!self->is_there &&
           pthread_cond_timedwait(&self->came, &self->mutex, &deadline) == 0) {
    }
    is_there = self->is_there;
    (void)pthread_mutex_unlock(&self->mutex);
    return is_there;
}

static void judge(trial *self, sighting *seen)
{
    if (!await(seen, self->timeout_ms * 6 / 10)) {
        trial_fail(self, "muster gets no list and no failure within %llu ms",
                   (unsigned long long)self->timeout_ms * 6 / 10);
    } else if (seen->type == MUSTER_WATCH_ERROR) {
        trial_fail(self, "the source fails: %s", seen->message);
    }
}

static void watch_once(trial *self, unsigned n_refreshes)
{
    sighting seen = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                     .came = PTHREAD_COND_INITIALIZER};
    muster_watch *watch = NULL;
    muster_error err = {.code = MUSTER_OK};

    trial_step(self, "muster_watch_create()");
    if (muster_watch_create(self->target, note, &seen, &watch, &err) !=
        MUSTER_OK) {
        trial_fail(self, "it cannot be watched: %.500s", err.message);
        return;
    }
    trial_step(self, "its work, under muster itself,");
    judge(self, &seen);
    for (unsigned i = 0; i < n_refreshes; i++) {
        muster_watch_refresh(watch);
    }
    trial_step(self, "muster_watch_destroy()");
    muster_watch_destroy(watch);
}

void resolver_real_host(trial *self)
{
    enum { WATCHES = 3, REFRESHES = 100 };
    size_t length = strlen(self->resolver->scheme);
    muster_error err = {.code = MUSTER_OK};

    if (self->target == NULL ||
        strncasecmp(self->target, self->resolver->scheme, length) != 0 ||
        self->target[length] != ':') {
        trial_skip(self, "it needs a --target of this scheme");
        return;
    }
    if (muster_plugin_load(self->file, &err) != MUSTER_OK) {
        trial_fail(self, "%s", err.message);
        return;
    }
    for (unsigned i = 0; i < WATCHES && !trial_is_over(self); i++) {
        watch_once(self, REFRESHES);
    }
}
