/* SPDX-License-Identifier: Apache-2.0 */
/* The dns resolver: the list is in the DNS, asked again when its time to live
 * runs out. */
#include <muster/plugin.h>

#include <ares.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "server.h"

#define VERSION "0.1.0"

enum {
    /* RFC 8305 section 3: what comes so soon after another answer is waited
     * for, so that a list is not said family by family. */
    WINDOW_MS = 50,
    /* The same while some question was never answered: a list that is not whole
     * yet is worth having, but not as soon. */
    WHOLE_MS = 1000,
    SHORTEST_MS = 100,
    RETRY_MS = 1000,
    ASKING_MS = 500,
    COOLDOWN_MS = 100, /* the least ttl_min, which is what hints go by */
    /* Also when there is nothing to wait for: memory may have been short. */
    LONGEST_MS = 3600 * 1000
};

static void look(muster__dns_instance *self);

/* ---- when to look ---- */

static void on_timer(void *arg)
{
    muster__dns_instance *self = arg;

    self->timer = 0;
    look(self);
}

static void set_timer(muster__dns_instance *self, uint64_t due_ms)
{
    const muster_resolver_host *host = self->env->host;
    uint64_t now_ms = muster__dns_now_ms(self->scope);
    /* What is due and not under way could not be asked: memory is short. */
    uint64_t delay_ms = due_ms > now_ms ? due_ms - now_ms : SHORTEST_MS;

    if (delay_ms > LONGEST_MS) {
        delay_ms = LONGEST_MS;
    }
    if (self->timer != 0) {
        host->cancel(self->env->ctx, self->timer);
        self->timer = 0;
    }
    if (host->call_later(self->env->ctx, delay_ms, on_timer, self,
                         &self->timer) != MUSTER_OK) {
        self->timer = 0;
        /* What fails, the core asks to refresh until it does not. */
        muster_fail(self->env, MUSTER_NOMEM,
                    "out of memory: there is no timer");
    }
}

static void on_posted(void *arg)
{
    muster__dns_instance *self = arg;

    self->is_posted = false;
    look(self);
}

void muster__dns_instance_nudge(muster__dns_instance *self)
{
    self->has_news = true;
    if (self->is_posted || self->is_stopped) {
        return;
    }
    self->is_posted =
        self->env->host->post(self->env->ctx, on_posted, self) == MUSTER_OK;
}

/* ---- looking ---- */

/* Whether to wait for the answers that are under way before saying anything;
 * then *ret_due_ms is how long at most. */
static bool waits(muster__dns_instance *self, const muster__dns_view *view,
                  uint64_t *ret_due_ms)
{
    uint64_t now_ms = muster__dns_now_ms(self->scope);

    if (!view->is_asking) {
        self->window_ms = 0;
        return false;
    }
    *ret_due_ms = view->due_ms;
    if (!self->has_news) {
        return true;
    }
    if (self->window_ms == 0) {
        self->window_ms = now_ms + (view->is_incomplete ? WHOLE_MS : WINDOW_MS);
    }
    if (now_ms < self->window_ms) {
        *ret_due_ms = self->window_ms;
        return true;
    }
    self->window_ms = 0;
    return view->is_incomplete && view->outcome != MUSTER__DNS_ANSWER;
}

/* An address in the place of a name is its own answer. */
static void say_literal(muster__dns_instance *self)
{
    const muster_endpoint endpoint = {.address = self->name.literal};

    if (muster_report(self->env, &endpoint, 1) != MUSTER_OK) {
        set_timer(self, muster__dns_now_ms(self->scope) + RETRY_MS);
    }
}

/* While an answer is awaited somebody looks after it: a post or a timer on its
 * way may have found no memory. */
static uint64_t limit_due(const muster__dns_instance *self,
                          const muster__dns_view *view, uint64_t due_ms)
{
    uint64_t limit_ms = muster__dns_now_ms(self->scope) + ASKING_MS;

    return view->is_asking && limit_ms < due_ms ? limit_ms : due_ms;
}

static void look(muster__dns_instance *self)
{
    muster__dns_view view;
    muster_error why;
    uint64_t due_ms = UINT64_MAX;
    muster_status status;

    if (self->is_stopped) {
        return;
    }
    if (*self->name.literal != '\0') {
        say_literal(self);
        return;
    }
    if (self->has_news) { /* times are counted from the new answers */
        muster__dns_pace_draw(&self->pace,
                              self->env->host->random(self->env->ctx));
    }
    status = muster__dns_lookup(self, &view, &why);
    if (status != MUSTER_OK) {
        muster__dns_say_failure(self, status, why.message);
        set_timer(self, muster__dns_now_ms(self->scope) + RETRY_MS);
        return;
    }
    if (!waits(self, &view, &due_ms)) {
        due_ms = muster__dns_say(self, &view);
        self->has_news = false;
    }
    set_timer(self, limit_due(self, &view, due_ms));
}

/* ---- the class ---- */

static muster_status check_kind(const muster__dns_instance *self,
                                muster_error *err)
{
    bool is_srv = self->options.kind == MUSTER__DNS_KIND_SRV;

    if (is_srv && *self->name.literal != '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "option type: an address has no SRV records");
    }
    if (self->name.has_port &&
        (is_srv || (self->options.kind == MUSTER__DNS_KIND_AUTO &&
                    self->name.is_service))) {
        return muster_error_set(err, MUSTER_INVAL,
                                "port %s: SRV records say the port; leave it "
                                "out, or say type=both",
                                self->name.port);
    }
    return MUSTER_OK;
}

static muster_status read_target(muster__dns_instance *self, muster_error *err)
{
    const muster_resolver_env *env = self->env;
    muster_status status = muster__dns_name_parse(env->path, &self->name, err);

    if (status == MUSTER_OK) {
        status = muster__dns_options_read(env, &self->options, err);
    }
    if (status == MUSTER_OK && *env->authority != '\0') {
        status = muster__dns_places_parse(env->authority, self->places,
                                          &self->n_places, err);
    }
    return status == MUSTER_OK ? check_kind(self, err) : status;
}

static muster_status dns_create(const muster_resolver_env *env, void **ret_self,
                                muster_error *err)
{
    muster__dns_instance *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    self->env = env;
    self->scope = env->shared;
    status = read_target(self, err);
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    self->pace.options = &self->options;
    muster__dns_pace_draw(&self->pace, env->host->random(env->ctx));
    self->percentile = (unsigned)(env->host->random(env->ctx) % 100);
    (void)gethostname(self->hostname, sizeof self->hostname - 1);
    *ret_self = self;
    return MUSTER_OK;
}

/* The name as it is written; of a service the domain, which is what its
 * certificates are made out to (RFC 6125 section 6.5). */
static muster_status dns_authority(const char *path, char *buffer, size_t size)
{
    muster__dns_name name;
    muster_error err;
    const char *text = path;

    if (muster__dns_name_parse(path, &name, &err) != MUSTER_OK) {
        return MUSTER_INVAL;
    }
    if (name.is_service) {
        text = muster__dns_name_skip_labels(name.text);
    }
    if (strlen(text) >= size) {
        return MUSTER_INVAL;
    }
    memcpy(buffer, text, strlen(text) + 1);
    return MUSTER_OK;
}

static void dns_start(void *data)
{
    look(data);
}

/* Asked again is what is older than ttl_min, now or when it is. */
static void dns_refresh(void *data)
{
    muster__dns_instance *self = data;

    self->pace.hinted_event = ++self->scope->n_events;
    look(self);
}

/* A list that the core could not take is said again. */
static void dns_applied(void *data, uint64_t sequence, muster_status status)
{
    muster__dns_instance *self = data;

    (void)sequence;
    if (status != MUSTER_OK && !self->is_stopped) {
        self->said.is_refused = true;
        set_timer(self, muster__dns_now_ms(self->scope) + RETRY_MS);
    }
}

static void dns_stop(void *data)
{
    muster__dns_instance *self = data;

    self->is_stopped = true;
    if (self->timer != 0) {
        self->env->host->cancel(self->env->ctx, self->timer);
    }
    muster__dns_lookup_end(self);
    self->env->host->stopped(self->env->ctx);
}

static void dns_free(void *data)
{
    muster__dns_instance *self = data;

    muster__dns_lookup_end(self);
    muster__dns_answer_unref(self->config_answer);
    free(self->service_config);
    free(self);
}

static const muster_resolver_class dns_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "dns",
    .options = muster__dns_option_infos,
    .n_options = MUSTER__DNS_N_OPTIONS,
    .cooldown_ms = COOLDOWN_MS,
    .create = dns_create,
    .start = dns_start,
    .refresh = dns_refresh,
    .applied = dns_applied,
    .stop = dns_stop,
    .free = dns_free,
    .authority = dns_authority,
};

/* ---- the plugin ---- */

static muster_status dns_init(const muster_plugin_host *host, void *ctx,
                              void **ret_shared, muster_error *err)
{
    muster__dns_scope *scope = calloc(1, sizeof *scope);
    int status;

    if (scope == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = ares_library_init(ARES_LIB_INIT_ALL);
    if (status != ARES_SUCCESS) {
        free(scope);
        return muster_error_set(err, MUSTER_UNAVAILABLE, "c-ares: %s",
                                ares_strerror(status));
    }
    scope->host = host;
    scope->ctx = ctx;
    *ret_shared = scope;
    return MUSTER_OK;
}

static void dns_fini(void *shared)
{
    muster__dns_scope *scope = shared;

    muster__dns_servers_destroy(scope);
    muster__dns_systems_forget(scope);
    ares_library_cleanup();
    free(scope);
}

static const muster_resolver_class *const classes[] = {&dns_class};

MUSTER_PLUGIN(dns, "dns\0resolver:dns\0", .version = VERSION,
              .resolvers = classes, .n_resolvers = 1, .init = dns_init,
              .fini = dns_fini);
