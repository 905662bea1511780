/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin that is checked: loaded, looked up, made ready. */
#include "subject.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#define LOADING "a constructor of it, or " MUSTER_PLUGIN_SYMBOL "(),"

/* ---- loading ---- */

/* With a "/" in the name, or dlopen() would search for it. */
static void *open_again(trial *self)
{
    bool has_slash = strchr(self->file, '/') != NULL;
    char path[PATH_MAX];
    void *handle;

    (void)snprintf(path, sizeof path, "%s%s", has_slash ? "" : "./",
                   self->file);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        trial_fail(self, "it cannot be loaded: %s", dlerror());
    }
    return handle;
}

static const muster_plugin *entry_of(trial *self, void *handle)
{
    muster_plugin_entry_fn entry = NULL;
    void *symbol = dlsym(handle, MUSTER_PLUGIN_SYMBOL);

    if (symbol == NULL) {
        trial_fail(self, "it exports no " MUSTER_PLUGIN_SYMBOL "()");
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof entry);
    return entry();
}

/* Whether a library that it asks for is muster's. */
static void check_needed(trial *self, void *handle)
{
    struct link_map *map = NULL;
    const char *strings = NULL;

    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
        return;
    }
    for (const ElfW(Dyn) *at = map->l_ld; at->d_tag != DT_NULL; at++) {
        if (at->d_tag == DT_STRTAB) {
            strings = (const char *)at->d_un.d_ptr;
        }
    }
    for (const ElfW(Dyn) *at = map->l_ld; at->d_tag != DT_NULL; at++) {
        if (at->d_tag == DT_NEEDED && strings != NULL &&
            strncmp(strings + at->d_un.d_val, "libmuster", 9) == 0) {
            trial_fail(self,
                       "it links %s; a plugin calls the core through its host "
                       "table only",
                       strings + at->d_un.d_val);
        }
    }
}

static void list_classes(trial *self, const muster_plugin *plugin)
{
    char *to = self->report->classes;
    size_t size = sizeof self->report->classes;
    size_t used = 0;

    for (uint32_t i = 0; i < plugin->n_resolvers && used < size; i++) {
        used += (size_t)snprintf(to + used, size - used, "%sresolver:%s",
                                 used == 0 ? "" : " ",
                                 plugin->resolvers[i]->scheme);
    }
    for (uint32_t i = 0; i < plugin->n_balancers && used < size; i++) {
        used +=
            (size_t)snprintf(to + used, size - used, "%sbalancer:%s",
                             used == 0 ? "" : " ", plugin->balancers[i]->name);
    }
}

void subject_load(trial *self)
{
    const muster_plugin *plugin;
    muster_error err = {.code = MUSTER_OK};
    void *handle;

    trial_step(self, LOADING);
    self->report->status = muster_plugin_load(self->file, &err);
    if (self->report->status != MUSTER_OK) {
        trial_fail(self, "%s", err.message);
        return;
    }
    /* The loader knows it already: nothing is mapped a second time. */
    handle = open_again(self);
    plugin = handle == NULL ? NULL : entry_of(self, handle);
    if (plugin == NULL) {
        return;
    }
    if (entry_of(self, handle) != plugin) {
        trial_fail(self, MUSTER_PLUGIN_SYMBOL
                   "() answers something else the second time");
    }
    check_needed(self, handle);
    list_classes(self, plugin);
}

/* ---- the class ---- */

static bool is_named(const char *name, size_t length, const char *prefix,
                     const char *own)
{
    size_t prefix_length = strlen(prefix);

    return length > prefix_length &&
           strncmp(name, prefix, prefix_length) == 0 &&
           strlen(own) == length - prefix_length &&
           strncmp(name + prefix_length, own, length - prefix_length) == 0;
}

static void *opened;

void *subject_handle(void)
{
    return opened;
}

bool subject_open(trial *self, const char *name, size_t length)
{
    trial_step(self, LOADING);
    opened = open_again(self);
    self->plugin = opened == NULL ? NULL : entry_of(self, opened);
    if (self->plugin == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < self->plugin->n_resolvers; i++) {
        if (is_named(name, length,
                     "resolver:", self->plugin->resolvers[i]->scheme)) {
            self->resolver = self->plugin->resolvers[i];
        }
    }
    for (uint32_t i = 0; i < self->plugin->n_balancers; i++) {
        if (is_named(name, length,
                     "balancer:", self->plugin->balancers[i]->name)) {
            self->balancer = self->plugin->balancers[i];
        }
    }
    return self->resolver != NULL || self->balancer != NULL;
}

/* ---- init and fini ---- */

/* A resolver that does nothing: the kit calls the plugin's init() before it
 * makes one, and fini() when it is gone. */
static muster_testkit_resolver *keeper;
static void *kept; /* what init() gave */

static muster_status keep(const muster_resolver_env *env, void **ret_self,
                          muster_error *err)
{
    (void)err;
    kept = env->shared;
    *ret_self = NULL;
    return MUSTER_OK;
}

static void do_nothing(void *self)
{
    (void)self;
}

static const muster_resolver_class keeper_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "the-plugin",
    .create = keep,
    .start = do_nothing,
    .free = do_nothing,
};

bool subject_init(trial *self, void **ret_shared)
{
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = self->plugin,
        .resolver_class = &keeper_class,
    };
    muster_error err = {.code = MUSTER_OK};
    muster_status status;

    trial_step(self, "the plugin's init()");
    status = muster_testkit_resolver_create(&options, &keeper, &err);
    if (status != MUSTER_OK) {
        trial_fail(self, "the plugin's init() fails: %.400s", err.message);
        return false;
    }
    *ret_shared = kept;
    return true;
}

void subject_fini(trial *self)
{
    trial_step(self, "the plugin's fini()");
    (void)muster_testkit_resolver_stop(keeper);
    trial_take_violations(self, muster_testkit_resolver_violations(keeper));
    muster_testkit_resolver_destroy(keeper);
    keeper = NULL;
}
