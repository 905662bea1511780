/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a target's last good answer in its cache file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <text.h>

#include "cache.h"
#include "instance.h"

enum {
    /* A change is written so long after the one before, at least. */
    INTERVAL_MS = 1000,
    /* What is the same is written again, so as to be young. */
    RENEWAL_MS = 600000
};

static void tell(const muster__consul_instance *self, muster_log_level level,
                 const char *message)
{
    self->env->host->log(self->env->ctx, level, message);
}

muster_status muster__consul_store_init(muster__consul_instance *self)
{
    muster__consul_store *store = &self->store;

    if (self->options.cache == NULL) {
        return MUSTER_OK;
    }
    if (asprintf(&store->key, "%s%s", self->agent->text, self->query) < 0) {
        store->key = NULL;
        return MUSTER_NOMEM;
    }
    store->path = muster__consul_cache_path(self->options.cache, store->key);
    return store->path != NULL ? MUSTER_OK : MUSTER_NOMEM;
}

void muster__consul_store_load(muster__consul_instance *self)
{
    const muster__consul_view view = {.address = self->options.address,
                                      .has_all = !self->options.is_passing};
    muster__consul_entries entries = {.n_endpoints = 0};
    muster__consul_cached cached = {.text = NULL};
    char message[MUSTER__QUOTED_MAX + 160];
    muster_error err;
    muster_status status =
        muster__consul_cache_read(self->store.path, self->store.key,
                                  self->options.cache_age_ms, &cached, &err);

    if (status == MUSTER_OK) {
        status = muster__consul_entries_parse(cached.body, cached.size, &view,
                                              &entries, &err);
    }
    if (status == MUSTER_OK) {
        muster__consul_watch_cut(self, &entries);
        (void)snprintf(message, sizeof message,
                       "service %s: %zu instances from the cache, as they were "
                       "%" PRIu64 " s ago",
                       muster__quote(self->service).text, entries.n_endpoints,
                       cached.age_ms / 1000);
        tell(self, MUSTER_LOG_INFO, message);
        (void)muster__consul_say_list(self, &entries, false);
        /* An agent that began with this program may not know them yet. */
        self->has_lost_agent = true;
    } else if (status != MUSTER_NOTFOUND) {
        tell(self, MUSTER_LOG_WARNING, err.message);
    }
    muster__consul_entries_clear(&entries);
    free(cached.text);
}

static void write_now(muster__consul_instance *self, const char *body,
                      size_t size)
{
    muster__consul_store *store = &self->store;
    muster_error err;

    store->written_ms = muster__consul_now_ms(self->scope);
    if (muster__consul_cache_write(store->path, store->key, body, size, &err) ==
        MUSTER_OK) {
        store->has_failed = false;
    } else if (!store->has_failed) {
        store->has_failed = true;
        tell(self, MUSTER_LOG_WARNING, err.message);
    }
}

static void write_pending(muster__consul_instance *self)
{
    muster__consul_store *store = &self->store;

    if (store->pending != NULL) {
        write_now(self, store->pending, store->pending_size);
        free(store->pending);
        store->pending = NULL;
    }
}

static void on_timer(void *arg)
{
    muster__consul_instance *self = arg;

    self->store.timer = 0;
    write_pending(self);
}

/* The newest that is to be written when the time has come. */
static void write_later(muster__consul_instance *self, const char *body,
                        size_t size, uint64_t delay_ms)
{
    muster__consul_store *store = &self->store;
    const muster_resolver_host *host = self->env->host;

    free(store->pending);
    store->pending = malloc(size);
    if (store->pending == NULL) {
        return;
    }
    memcpy(store->pending, body, size);
    store->pending_size = size;
    if (store->timer == 0 &&
        host->call_later(self->env->ctx, delay_ms, on_timer, self,
                         &store->timer) != MUSTER_OK) {
        store->timer = 0; /* the end of the target writes it */
    }
}

void muster__consul_store_save(muster__consul_instance *self, const char *body,
                               size_t size)
{
    muster__consul_store *store = &self->store;
    uint64_t now_ms = muster__consul_now_ms(self->scope);
    uint64_t digest = XXH64(body, size, 0);
    uint64_t due_ms = store->written_ms;

    if (store->path == NULL) {
        return;
    }
    if (store->is_begun) {
        due_ms += digest == store->digest ? RENEWAL_MS : INTERVAL_MS;
    }
    if (digest != store->digest && store->is_begun && due_ms > now_ms) {
        write_later(self, body, size, due_ms - now_ms);
    } else if (due_ms <= now_ms && store->pending == NULL) {
        write_now(self, body, size);
    }
    store->is_begun = true;
    store->digest = digest;
}

void muster__consul_store_fini(muster__consul_instance *self)
{
    muster__consul_store *store = &self->store;

    if (store->timer != 0) {
        self->env->host->cancel(self->env->ctx, store->timer);
        store->timer = 0;
    }
    write_pending(self);
    free(store->path);
    free(store->key);
    store->path = NULL;
    store->key = NULL;
}
