/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that wants a symbol which nobody has. */
#include <muster/plugin.h>

void nobody_has_this(void);

static muster_status undefined_create(const muster_resolver_env *env,
                                      void **ret_self, muster_error *err)
{
    (void)env;
    (void)ret_self;
    return muster_error_set(err, MUSTER_UNSUPPORTED, "undefined: never made");
}

static void undefined_start(void *self)
{
    (void)self;
    nobody_has_this();
}

static const muster_resolver_class undefined_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "undefined",
    .create = undefined_create,
    .start = undefined_start,
    .free = undefined_start,
};
static const muster_resolver_class *const classes[] = {&undefined_class};

MUSTER_PLUGIN(undefined, "undefined\0resolver:undefined\0",
              .resolvers = classes, .n_resolvers = 1);
