/* SPDX-License-Identifier: Apache-2.0 */
/* Lists longer than a target's text may be. */
#define MUSTER_BUILTIN
#include "many.h"

#include <muster/resolver.h>

#include <stdio.h>
#include <stdlib.h>

enum { MAX_ENDPOINTS = 1 << 24, ADDRESS_SIZE = 24 };

typedef struct many {
    const muster_resolver_env *env;
    uint32_t n;
} many;

static muster_status many_create(const muster_resolver_env *env,
                                 void **ret_self, muster_error *err)
{
    long n = strtol(env->path, NULL, 10);
    many *self;

    if (n < 1 || n > MAX_ENDPOINTS) {
        return muster_error_set(err, MUSTER_INVAL, "many: \"%s\" endpoints",
                                env->path);
    }
    self = malloc(sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "many: no memory");
    }
    *self = (many){.env = env, .n = (uint32_t)n};
    *ret_self = self;
    return MUSTER_OK;
}

static void report(const many *self, muster_endpoint *endpoints,
                   char (*addresses)[ADDRESS_SIZE])
{
    for (uint32_t i = 0; i < self->n; i++) {
        (void)snprintf(addresses[i], ADDRESS_SIZE, "10.%u.%u.%u:80", i >> 16,
                       i >> 8 & 255, i & 255);
        endpoints[i].address = addresses[i];
    }
    (void)muster_report(self->env, endpoints, self->n);
}

static void many_start(void *self_)
{
    many *self = self_;
    muster_endpoint *endpoints = calloc(self->n, sizeof *endpoints);
    char(*addresses)[ADDRESS_SIZE] = calloc(self->n, ADDRESS_SIZE);

    if (endpoints != NULL && addresses != NULL) {
        report(self, endpoints, addresses);
    } else {
        muster_fail(self->env, MUSTER_NOMEM, "many: no memory");
    }
    free(addresses);
    free(endpoints);
}

static const muster_resolver_class many_class = {.struct_size =
                                                     sizeof many_class,
                                                 .scheme = "many",
                                                 .create = many_create,
                                                 .start = many_start,
                                                 .free = free};

static const muster_resolver_class *const many_classes[] = {&many_class};

MUSTER_PLUGIN(many, "many\0resolver:many\0", .version = "1.0",
              .resolvers = many_classes, .n_resolvers = 1);
