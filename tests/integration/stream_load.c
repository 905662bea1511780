/* SPDX-License-Identifier: Apache-2.0 */
/* Many streams that echo in turn, on a thread of their own. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cluster.h"
#include "stream.h"

/* Echoes of a stream that is closed and opened again. */
enum { SHORT_LIFE = 10, PAUSE_MS = 5 };

struct stream_load {
    muster_channel *channel;
    size_t n_streams;
    bool are_short;
    stream **streams;
    unsigned *n_echoes; /* of each of them */
    pthread_t thread;
    bool is_stopped;
    sem_t have_echoed;
    atomic_bool is_ending;
    _Atomic uint64_t n_ended;
    _Atomic uint64_t n_failed;
};

static void end(stream_load *self, size_t i, bool is_sound)
{
    const grpc_status_code status = stream_finish(self->streams[i]);

    atomic_fetch_add(&self->n_ended, 1);
    if (status != GRPC_STATUS_OK || !is_sound) {
        atomic_fetch_add(&self->n_failed, 1);
    }
    self->streams[i] = NULL;
}

static bool is_done(const stream_load *self, size_t i)
{
    return (self->are_short || i % 2 == 1) && self->n_echoes[i] >= SHORT_LIFE;
}

static void echo(stream_load *self, size_t i)
{
    bool is_sound;

    if (self->streams[i] == NULL) {
        self->streams[i] = stream_open(self->channel);
        self->n_echoes[i] = 0;
    }
    is_sound = stream_echo(self->streams[i]);
    self->n_echoes[i]++;
    if (!is_sound || is_done(self, i)) {
        end(self, i, is_sound);
    }
}

static void *run(void *arg)
{
    stream_load *self = arg;

    for (bool is_first = true; !atomic_load(&self->is_ending);
         is_first = false) {
        for (size_t i = 0; i < self->n_streams; i++) {
            echo(self, i);
        }
        if (is_first) {
            (void)sem_post(&self->have_echoed);
        }
        (void)poll(NULL, 0, PAUSE_MS); /* leaves the processors to the calls */
    }
    for (size_t i = 0; i < self->n_streams; i++) {
        if (self->streams[i] != NULL) {
            end(self, i, true);
        }
    }
    return NULL;
}

static stream_load *start(muster_channel *channel, size_t n_streams,
                          bool are_short)
{
    stream_load *self = calloc(1, sizeof *self);

    if (self == NULL) {
        cluster_die("out of memory");
    }
    self->channel = channel;
    self->n_streams = n_streams;
    self->are_short = are_short;
    self->streams = calloc(n_streams, sizeof(stream *));
    self->n_echoes = calloc(n_streams, sizeof(unsigned));
    (void)sem_init(&self->have_echoed, 0, 0);
    if (self->streams == NULL || self->n_echoes == NULL ||
        pthread_create(&self->thread, NULL, run, self) != 0) {
        cluster_die("no streams");
    }
    while (sem_wait(&self->have_echoed) != 0) {
    }
    return self;
}

stream_load *stream_load_start(muster_channel *channel, size_t n_streams)
{
    return start(channel, n_streams, false);
}

stream_load *stream_load_start_short(muster_channel *channel, size_t n_streams)
{
    return start(channel, n_streams, true);
}

uint64_t stream_load_ended(const stream_load *self)
{
    return atomic_load(&self->n_ended);
}

uint64_t stream_load_failed(const stream_load *self)
{
    return atomic_load(&self->n_failed);
}

void stream_load_stop(stream_load *self)
{
    if (!self->is_stopped) {
        self->is_stopped = true;
        atomic_store(&self->is_ending, true);
        (void)pthread_join(self->thread, NULL);
    }
}

void stream_load_destroy(stream_load *self)
{
    stream_load_stop(self);
    (void)sem_destroy(&self->have_echoed);
    free(self->n_echoes);
    free(self->streams);
    free(self);
}
