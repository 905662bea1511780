/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that crashes in its constructor. */
#include <muster/plugin.h>

#include <signal.h>
#include <stdlib.h>

__attribute__((constructor)) static void crash(void)
{
    /* Not abort(): a sanitizer's handler for SIGSEGV stays out of it too. */
    (void)raise(SIGKILL);
}

static muster_status crash_create(const muster_resolver_env *env,
                                  void **ret_self, muster_error *err)
{
    (void)env;
    (void)ret_self;
    return muster_error_set(err, MUSTER_UNSUPPORTED, "crash: never made");
}

static void crash_start(void *self)
{
    (void)self;
}

static const muster_resolver_class crash_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "crash",
    .create = crash_create,
    .start = crash_start,
    .free = crash_start,
};
static const muster_resolver_class *const classes[] = {&crash_class};

MUSTER_PLUGIN(crash, "crash\0resolver:crash\0", .resolvers = classes,
              .n_resolvers = 1);
