/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that does nothing. */
#include "asker.h"

#include <stddef.h>

const muster_plugin_host *asker_host;
void *asker_ctx;
muster_status (*asker_on_init)(muster_error *err);
void (*asker_on_fini)(void);

static muster_status asker_init(const muster_plugin_host *host, void *ctx,
                                void **ret_shared, muster_error *err)
{
    (void)ret_shared;
    asker_host = host;
    asker_ctx = ctx;
    return asker_on_init != NULL ? asker_on_init(err) : MUSTER_OK;
}

static void asker_fini(void *shared)
{
    (void)shared;
    if (asker_on_fini != NULL) {
        asker_on_fini();
    }
}

static muster_status asker_create(const muster_resolver_env *env,
                                  void **ret_self, muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = NULL;
    return MUSTER_OK;
}

static void do_nothing(void *self)
{
    (void)self;
}

const muster_plugin *asker_entry(void)
{
    static const muster_resolver_class class_ = {
        .struct_size = (uint32_t)sizeof class_,
        .scheme = "asker",
        .create = asker_create,
        .start = do_nothing,
        .free = do_nothing,
    };
    static const muster_resolver_class *const classes[] = {&class_};
    static const muster_plugin plugin = {
        .struct_size = (uint32_t)sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "asker",
        .resolvers = classes,
        .n_resolvers = 1,
        .init = asker_init,
        .fini = asker_fini,
    };

    return &plugin;
}
