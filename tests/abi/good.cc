// SPDX-License-Identifier: Apache-2.0
// A plugin in C++: compiled by check-note.
#include <muster/plugin.h>

static muster_status good_create(const muster_resolver_env *, void **,
                                 muster_error *err)
{
    return muster_error_set(err, MUSTER_UNSUPPORTED, "good: never made");
}

static void good_use(void *)
{
}

static const muster_resolver_class good_class = {
    .struct_size = sizeof(muster_resolver_class),
    .scheme = "good",
    .create = good_create,
    .start = good_use,
    .free = good_use,
};
static const muster_resolver_class *const classes[] = {&good_class};

MUSTER_PLUGIN(good, "good\0resolver:good\0", .version = "1",
              .resolvers = classes, .n_resolvers = 1);
