/* SPDX-License-Identifier: Apache-2.0 */
/* silent:///anything: a source that never answers. */
#include <muster/plugin.h>

static muster_status create(const muster_resolver_env *env, void **ret_self,
                            muster_error *err)
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

static const muster_resolver_class silent = {
    .struct_size = sizeof silent,
    .scheme = "silent",
    .create = create,
    .start = do_nothing,
    .free = do_nothing,
};
static const muster_resolver_class *const resolvers[] = {&silent};
MUSTER_PLUGIN(silent, "silent\0resolver:silent\0", .version = "1.0",
              .resolvers = resolvers, .n_resolvers = 1);
