/* SPDX-License-Identifier: Apache-2.0 */
/* The file resolver: the list is in a file, read again when that changes. */
#include <muster/plugin.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <duration.h>

#include "content.h"
#include "folder_watch.h"
#include "source.h"

#define EXAMPLE "file:///etc/endpoints.json"
#define INTERVAL_DEFAULT "5s"

enum { SETTLE_MS = 100, INTERVAL_MIN_MS = 100 };

struct file_resolver {
    const muster_resolver_env *env;
    uint64_t interval_ms;
    muster__folder_watch watch;
    muster__file_state state;  /* of the file when it was last read */
    muster__file_state settle; /* when it was last seen to have changed */
    uint64_t digest;           /* of what was last read */
    uint64_t sequence;         /* of the last list that was reported */
    bool has_ticker;
    bool is_settling;  /* a second look is due soon */
    bool is_confirmed; /* the last thing we said was the list */
};

/* FNV-1a, to tell a file that was only touched: not for strangers' keys. */
static uint64_t digest_of(const char *text, size_t length)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++) {
        digest = (digest ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
}

/* ---- saying what was found ---- */

static void say_failure(struct file_resolver *self, const muster_error *why)
{
    char message[sizeof why->message + 64];

    (void)snprintf(message, sizeof message, "%s: %s", self->env->path,
                   why->message);
    for (char *at = message; *at != '\0'; at++) { /* it may quote the file */
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
    self->is_confirmed = false;
    muster_fail(self->env, why->code, message);
}

static muster_status report(struct file_resolver *self,
                            const muster__file_content *content,
                            muster_error *err)
{
    muster_update update = {
        .struct_size = (uint32_t)sizeof update,
        .endpoint_size = (uint32_t)sizeof *content->endpoints,
        .endpoints = content->endpoints,
        .n_endpoints = content->n_endpoints,
        .service_config = content->service_config,
        .flags = content->n_endpoints == 0 ? MUSTER_UPDATE_EMPTY_IS_FINAL : 0,
    };
    muster_status status =
        self->env->host->report(self->env->ctx, &update, &self->sequence);

    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "the list was not accepted");
    }
    self->is_confirmed = true;
    return MUSTER_OK;
}

static void take_text(struct file_resolver *self, char *text, size_t length)
{
    muster__file_content content = {0};
    muster_error why;
    muster_status status = muster__file_parse(text, length, &content, &why);

    if (status == MUSTER_OK) {
        status = report(self, &content, &why);
    }
    if (status != MUSTER_OK) {
        say_failure(self, &why);
    }
    muster__file_clear(&content);
}

/* Reads the file. What is as before is said again only when is_asked. */
static void read_file(struct file_resolver *self, bool is_asked)
{
    muster_error why;
    char *text = NULL;
    size_t length = 0;
    uint64_t digest;
    bool was_readable = self->state.is_known && self->digest != 0;

    if (muster__file_read(self->env->path, &text, &length, &self->state,
                          &why) != MUSTER_OK) {
        self->digest = 0;
        say_failure(self, &why);
        return;
    }
    digest = digest_of(text, length) | 1; /* 0: nothing was read */
    if (is_asked || !was_readable || digest != self->digest) {
        take_text(self, text, length);
    }
    self->digest = digest;
    free(text);
}

/* ---- looking ---- */

static void settle(void *arg);

/* Reads the file if it changed. */
static void look_now(struct file_resolver *self)
{
    muster__file_state state;

    muster__file_look(self->env->path, &state);
    if (!muster__file_is_same(&self->state, &state)) {
        read_file(self, false);
    }
}

/* As look_now(), but the change must be over: nothing may have happened to the
 * file between two looks. */
static void look_twice(struct file_resolver *self)
{
    muster__file_state state;

    muster__file_look(self->env->path, &state);
    if (self->is_settling || muster__file_is_same(&self->state, &state)) {
        return;
    }
    self->settle = state;
    self->settle.is_fresh = false; /* the second look decides */
    self->is_settling =
        muster_call_later(self->env, SETTLE_MS, settle, self) == MUSTER_OK;
    if (!self->is_settling) {
        read_file(self, false);
    }
}

/* Another file that was not seen being made was moved in, as a whole. The same
 * one may be half written. */
static void look_for_another(struct file_resolver *self)
{
    muster__file_state state;

    muster__file_look(self->env->path, &state);
    if (!self->is_settling && (state.inode != self->state.inode ||
                               state.device != self->state.device)) {
        read_file(self, false);
    } else {
        look_twice(self);
    }
}

static void settle(void *arg)
{
    struct file_resolver *self = arg;
    muster__file_state state;

    self->is_settling = false;
    muster__folder_watch_renew(&self->watch);
    muster__file_look(self->env->path, &state);
    if (muster__file_is_same(&self->settle, &state)) {
        look_now(self);
    } else {
        look_twice(self);
    }
}

static void tick(void *arg);

/* To be called last: a report would end the retry that a failure asks for. */
static void keep_ticking(struct file_resolver *self)
{
    const muster_error why = {MUSTER_NOMEM, "no memory to look again", 0};

    if (self->has_ticker) {
        return;
    }
    self->has_ticker = muster_call_later(self->env, self->interval_ms, tick,
                                         self) == MUSTER_OK;
    if (!self->has_ticker) {
        say_failure(self, &why);
    }
}

static void on_event(void *arg, muster__folder_event event)
{
    struct file_resolver *self = arg;

    if (event == MUSTER__FOLDER_WRITTEN) {
        look_now(self);
    } else if (event == MUSTER__FOLDER_MOVED) {
        look_for_another(self);
    } else {
        look_twice(self);
    }
    keep_ticking(self);
}

static void tick(void *arg)
{
    struct file_resolver *self = arg;

    self->has_ticker = false;
    muster__folder_watch_renew(&self->watch);
    look_twice(self);
    keep_ticking(self);
}

/* ---- the class ---- */

static muster_status read_interval(const muster_resolver_env *env,
                                   uint64_t *ret_interval_ms, muster_error *err)
{
    const char *text = muster_option(env, "interval", INTERVAL_DEFAULT);
    uint64_t interval_ms = muster__duration_ms(text);

    if (interval_ms < INTERVAL_MIN_MS) {
        return muster_error_set(err, MUSTER_INVAL,
                                "option interval: \"%.32s\" is not from 100ms "
                                "to 24h, as in 500ms, 5s or 1m",
                                text);
    }
    *ret_interval_ms = interval_ms;
    return MUSTER_OK;
}

static muster_status check_env(const muster_resolver_env *env,
                               muster_error *err)
{
    if (*env->authority != '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "%.200s: a file has no host: three slashes "
                                "begin its path, as in " EXAMPLE,
                                env->uri);
    }
    if (*env->path != '/' || env->path[1] == '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "%.200s is not the absolute path of a file, as "
                                "in " EXAMPLE,
                                env->uri);
    }
    return MUSTER_OK;
}

static muster_status file_create(const muster_resolver_env *env,
                                 void **ret_self, muster_error *err)
{
    struct file_resolver *self;
    uint64_t interval_ms = 0;
    muster_status status = check_env(env, err);

    if (status == MUSTER_OK) {
        status = read_interval(env, &interval_ms, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    self = calloc(1, sizeof *self);
    if (self == NULL ||
        muster__folder_watch_init(&self->watch, env, env->path, on_event,
                                  self) != MUSTER_OK) {
        free(self);
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    self->env = env;
    self->interval_ms = interval_ms;
    *ret_self = self;
    return MUSTER_OK;
}

/* The watch first: what changes after the read is then noticed. */
static void file_start(void *data)
{
    struct file_resolver *self = data;

    muster__folder_watch_renew(&self->watch);
    read_file(self, true);
    keep_ticking(self);
}

/* A failure is worth another try; a list that was read and did not change is
 * not. */
static void file_refresh(void *data)
{
    struct file_resolver *self = data;

    if (self->is_confirmed) {
        look_for_another(self);
    } else {
        read_file(self, true);
    }
    keep_ticking(self);
}

/* A list that the core could not take is said again: a refresh follows. */
static void file_applied(void *data, uint64_t sequence, muster_status status)
{
    struct file_resolver *self = data;

    if (sequence == self->sequence && status != MUSTER_OK) {
        self->is_confirmed = false;
    }
}

static void file_stop(void *data)
{
    struct file_resolver *self = data;

    muster__folder_watch_stop(&self->watch);
    self->env->host->stopped(self->env->ctx);
}

static void file_free(void *data)
{
    struct file_resolver *self = data;

    muster__folder_watch_fini(&self->watch);
    free(self);
}

static const muster_option_info options[] = {
    {"interval", "time between two looks besides inotify: 500ms, 5s, 1m"},
};

static const muster_resolver_class file_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .flags = MUSTER_RESOLVER_ABSOLUTE_PATH,
    .scheme = "file",
    .options = options,
    .n_options = 1,
    .create = file_create,
    .start = file_start,
    .refresh = file_refresh,
    .applied = file_applied,
    .stop = file_stop,
    .free = file_free,
};

static const muster_resolver_class *const classes[] = {&file_class};

MUSTER_PLUGIN(file, "file\0resolver:file\0", .version = "0.1.0",
              .resolvers = classes, .n_resolvers = 1);
