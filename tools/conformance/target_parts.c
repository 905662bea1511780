/* SPDX-License-Identifier: Apache-2.0 */
/* Takes targets apart by a resolver that keeps what create() gets. */
#include "target_parts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>
#include <muster/watch.h>

static muster_resolver_class taker_class;
static const muster_resolver_class *const taker_classes[] = {&taker_class};
static const muster_plugin taker = {
    .struct_size = (uint32_t)sizeof taker,
    .abi_major = MUSTER_ABI_MAJOR,
    .abi_minor = MUSTER_ABI_MINOR,
    .name = "muster-plugins-check",
    .resolvers = taker_classes,
    .n_resolvers = 1,
};

/* Written on the control thread before the one that waits for it goes on. */
static target_parts taken;
static bool is_taken;

static muster_status take(const muster_resolver_env *env, void **ret_self,
                          muster_error *err)
{
    (void)ret_self;
    taken.uri = strdup(env->uri);
    taken.authority = strdup(env->authority);
    taken.path = strdup(env->path);
    taken.options = calloc(env->n_options + 1u, sizeof *taken.options);
    is_taken = taken.uri != NULL && taken.authority != NULL &&
               taken.path != NULL && taken.options != NULL;
    for (uint32_t i = 0; is_taken && i < env->n_options; i++) {
        taken.options[i].key = strdup(env->options[i].key);
        taken.options[i].value = strdup(env->options[i].value);
        taken.n_options = i + 1;
        is_taken =
            taken.options[i].key != NULL && taken.options[i].value != NULL;
    }
    return muster_error_set(err, MUSTER_UNSUPPORTED, "taken apart");
}

static void do_nothing(void *self)
{
    (void)self;
}

static const muster_plugin *taker_entry(void)
{
    return &taker;
}

static void ignore(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

muster_status target_parts_read(const muster_resolver_class *class_,
                                const char *target, target_parts *ret_parts,
                                muster_error *err)
{
    muster_watch *watch = NULL;
    muster_status status;

    taker_class = (muster_resolver_class){
        .struct_size = (uint32_t)sizeof taker_class,
        .flags = class_->flags & MUSTER_RESOLVER_ABSOLUTE_PATH,
        .scheme = class_->scheme,
        .options = class_->options,
        .n_options = class_->n_options,
        .create = take,
        .start = do_nothing,
        .free = do_nothing,
    };
    status = muster_plugin_register(taker_entry, err);
    if (status == MUSTER_OK) {
        status = muster_watch_create(target, ignore, NULL, &watch, err);
        muster_watch_destroy(watch);
    }
    if (!is_taken) {
        target_parts_release(&taken);
        return status != MUSTER_OK
                   ? status
                   : muster_error_set(err, MUSTER_INVAL,
                                      "%s: not a target of this resolver",
                                      target);
    }
    *ret_parts = taken;
    return MUSTER_OK;
}

void target_parts_release(target_parts *self)
{
    for (uint32_t i = 0; i < self->n_options; i++) {
        free((char *)(uintptr_t)self->options[i].key);
        free((char *)(uintptr_t)self->options[i].value);
    }
    free(self->options);
    free(self->path);
    free(self->authority);
    free(self->uri);
    *self = (target_parts){.uri = NULL};
}
