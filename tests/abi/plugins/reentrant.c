/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose constructor calls the program that loads it, which calls
 * muster. */
#include <muster/plugin.h>

#include <dlfcn.h>
#include <string.h>

__attribute__((constructor)) static void call_program(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "test_called_by_constructor");
    void (*hook)(void);

    if (symbol != NULL) {
        memcpy(&hook, &symbol, sizeof hook);
        hook();
    }
}

static muster_verdict first_pick(void *self, void *table,
                                 const muster_pick_args *args,
                                 muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->index = 0;
    return MUSTER_PICK_INDEX;
}

static muster_status first_create(const muster_balancer_env *env,
                                  void **ret_self, muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = NULL;
    return MUSTER_OK;
}

static void first_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class first_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "reentrant_first",
    .create = first_create,
    .pick = first_pick,
    .destroy = first_destroy,
};
static const muster_balancer_class *const classes[] = {&first_class};

MUSTER_PLUGIN(reentrant, "reentrant\0balancer:reentrant_first\0",
              .balancers = classes, .n_balancers = 1);
