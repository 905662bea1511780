/* SPDX-License-Identifier: Apache-2.0 */
/* The static resolver: the list is in the target itself. */
#include <muster/plugin.h>

#include <stdlib.h>
#include <string.h>

#include "entry.h"

#define EXAMPLE "static:///10.0.0.1:50051,10.0.0.2:50051;weight=2"

struct static_resolver {
    const muster_resolver_env *env;
    char *text; /* the path, cut up: the endpoints point into it */
    muster_endpoint *endpoints;
    size_t n_endpoints;
};

static size_t count_entries(const char *text)
{
    size_t n = 1;

    for (; *text != '\0'; text++) {
        n += *text == ',';
    }
    return n;
}

static muster_status parse_entries(struct static_resolver *self,
                                   muster_error *err)
{
    char *next = self->text;

    while (next != NULL) {
        char *text = next;
        const char *at;
        muster_error why;

        next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (*text == '\0') {
            return muster_error_set(err, MUSTER_INVAL,
                                    "entry %zu is empty; expected " EXAMPLE,
                                    self->n_endpoints + 1);
        }
        if (entry_parse(text, &self->endpoints[self->n_endpoints], &at, &why) !=
            MUSTER_OK) {
            return muster_error_set(err, MUSTER_INVAL, "entry %zu: %s",
                                    self->n_endpoints + 1, why.message);
        }
        self->n_endpoints++;
    }
    return MUSTER_OK;
}

static muster_status check_env(const muster_resolver_env *env,
                               muster_error *err)
{
    if (*env->authority != '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "%s has no authority: three slashes come "
                                "before the first address, as in " EXAMPLE,
                                env->uri);
    }
    if (*env->path == '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "%s names no address; expected " EXAMPLE,
                                env->uri);
    }
    return MUSTER_OK;
}

static void static_free(void *data)
{
    struct static_resolver *self = data;

    free(self->endpoints);
    free(self->text);
    free(self);
}

static muster_status static_create(const muster_resolver_env *env,
                                   void **ret_self, muster_error *err)
{
    struct static_resolver *self;
    muster_status status = check_env(env, err);

    if (status != MUSTER_OK) {
        return status;
    }
    self = calloc(1, sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    self->env = env;
    self->text = strdup(env->path);
    self->endpoints = calloc(count_entries(env->path), sizeof *self->endpoints);
    if (self->text == NULL || self->endpoints == NULL) {
        status = muster_error_set(err, MUSTER_NOMEM, "out of memory");
    } else {
        status = parse_entries(self, err);
    }
    if (status != MUSTER_OK) {
        static_free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

/* Also refresh: the same answer, which confirms the list. */
static void static_start(void *data)
{
    struct static_resolver *self = data;
    muster_status status =
        muster_report(self->env, self->endpoints, self->n_endpoints);

    if (status != MUSTER_OK) {
        muster_fail(self->env, status, "the list could not be reported");
    }
}

static const muster_resolver_class static_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "static",
    .create = static_create,
    .start = static_start,
    .refresh = static_start,
    .free = static_free,
};

static const muster_resolver_class *const classes[] = {&static_class};

MUSTER_PLUGIN(static, "static\0resolver:static\0", .version = "0.1.0",
              .resolvers = classes, .n_resolvers = 1);
