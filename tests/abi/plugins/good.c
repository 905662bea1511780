/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin with nothing wrong. The loader's tests make bad ones from its file;
 * an environment variable tells them whether a line of it ran. */
#include <muster/plugin.h>

#include <stdlib.h>

typedef struct good {
    const muster_resolver_env *env;
} good;

__attribute__((constructor)) static void leave_a_trace(void)
{
    (void)setenv("MUSTER_TEST_GOOD_RAN", "1", 1);
}

static muster_status good_create(const muster_resolver_env *env,
                                 void **ret_self, muster_error *err)
{
    good *self = malloc(sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "good: out of memory");
    }
    self->env = env;
    *ret_self = self;
    return MUSTER_OK;
}

static void good_start(void *self)
{
    const good *resolver = self;
    const muster_endpoint endpoint = {.address = "127.0.0.1:1"};

    (void)muster_report(resolver->env, &endpoint, 1);
}

static void good_free(void *self)
{
    free(self);
}

static const muster_resolver_class good_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "good",
    .create = good_create,
    .start = good_start,
    .free = good_free,
};
static const muster_resolver_class *const classes[] = {&good_class};

MUSTER_PLUGIN(good, "good\0resolver:good\0", .version = "1",
              .resolvers = classes, .n_resolvers = 1);
