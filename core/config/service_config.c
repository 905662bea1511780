/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's service config: read and checked as a whole, then immutable. */
#include "service_config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <json_error.h>

#include "value.h"

struct muster__service_config {
    atomic_uint refs;
    muster__balancer_choice balancer;
    muster__methods methods;
    muster__retry_throttling throttling;
    bool has_throttling;
    char *health_service;
    muster_settings settings;
};

/* ---- its parts ---- */

static void read_methods(muster__problems *problems, const json_t *root,
                         muster__service_config *config)
{
    const json_t *value = muster__config_get(root, "methodConfig");
    size_t mark = muster__problems_enter(problems, "methodConfig");

    if (value != NULL) {
        (void)muster__methods_read(problems, value, &config->methods);
    }
    muster__problems_leave(problems, mark);
}

static void read_throttling(muster__problems *problems, const json_t *root,
                            muster__service_config *config)
{
    const json_t *value = muster__config_get(root, "retryThrottling");
    size_t mark = muster__problems_enter(problems, "retryThrottling");

    config->has_throttling =
        value != NULL &&
        muster__config_throttling(problems, value, &config->throttling);
    muster__problems_leave(problems, mark);
}

static void read_health_service(muster__problems *problems,
                                const json_t *object,
                                muster__service_config *config)
{
    const json_t *name = muster__config_get(object, "serviceName");
    size_t mark = muster__problems_enter(problems, "serviceName");

    if (name != NULL && muster__config_is_string(problems, name)) {
        config->health_service = strdup(json_string_value(name));
        problems->is_out_of_memory |= config->health_service == NULL;
    }
    muster__problems_leave(problems, mark);
}

static void read_health(muster__problems *problems, const json_t *root,
                        muster__service_config *config)
{
    const json_t *value = muster__config_get(root, "healthCheckConfig");
    size_t mark = muster__problems_enter(problems, "healthCheckConfig");

    if (value != NULL && muster__config_is_object(problems, value)) {
        read_health_service(problems, value, config);
    }
    muster__problems_leave(problems, mark);
}

static void read_settings(muster__problems *problems, const json_t *root,
                          muster_settings *settings)
{
    const json_t *value = muster__config_get(root, "muster");
    size_t mark = muster__problems_enter(problems, "muster");

    if (value != NULL) {
        (void)muster__settings_read(problems, value, settings);
    }
    muster__problems_leave(problems, mark);
}

/* ---- the whole ---- */

static json_t *load(const char *text, size_t length, muster__problems *problems)
{
    json_error_t error;
    json_t *root;

    errno = 0;
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL && muster__json_is_out_of_memory(&error)) {
        problems->is_out_of_memory = true;
    } else if (root == NULL) {
        muster__problems_add(problems, "must be JSON: %s", error.text);
        if (problems->n > 0) {
            problems->items[problems->n - 1].line = error.line;
            problems->items[problems->n - 1].column = error.column;
        }
    }
    return root;
}

static bool is_clean(const muster__problems *problems)
{
    return problems->n == 0 && !problems->is_out_of_memory;
}

/* Everything is read, so that all problems are told; the policy is asked last,
 * since that may make one. */
static void read_all(muster__service_config *config, const json_t *root,
                     muster__policy_check_fn check, void *arg,
                     muster__problems *problems)
{
    if (!muster__config_is_object(problems, root)) {
        return;
    }
    read_methods(problems, root, config);
    read_throttling(problems, root, config);
    read_health(problems, root, config);
    read_settings(problems, root, &config->settings);
    muster__balancer_choice_read(problems, root, check, arg, &config->balancer);
}

bool muster__service_config_parse(const char *text, size_t length,
                                  muster__policy_check_fn check, void *arg,
                                  muster__problems *problems,
                                  muster__service_config **ret_config)
{
    muster__service_config *config = NULL;
    json_t *root = load(text, length, problems);

    if (root == NULL) {
        return false;
    }
    config = calloc(1, sizeof *config);
    if (config == NULL) {
        problems->is_out_of_memory = true;
        json_decref(root);
        return false;
    }
    atomic_init(&config->refs, 1);
    read_all(config, root, check, arg, problems);
    json_decref(root);
    if (!is_clean(problems)) {
        muster__service_config_unref(config);
        return false;
    }
    *ret_config = config;
    return true;
}

void muster__service_config_read_settings(muster__problems *problems,
                                          const char *text, size_t length,
                                          muster_settings *settings)
{
    json_t *root = load(text, length, problems);

    if (root != NULL && muster__config_is_object(problems, root)) {
        read_settings(problems, root, settings);
    }
    json_decref(root);
}

muster__service_config *
muster__service_config_ref(muster__service_config *config)
{
    if (config != NULL) { /* relaxed: who takes a reference has one */
        atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    }
    return config;
}

static void destroy(muster__service_config *config)
{
    muster__balancer_choice_fini(&config->balancer);
    muster__methods_fini(&config->methods);
    free(config->health_service);
    muster__settings_fini(&config->settings);
    free(config);
}

void muster__service_config_unref(muster__service_config *config)
{
    /* acq_rel: whoever frees it has seen all that the others did. */
    if (config != NULL && atomic_fetch_sub_explicit(
                              &config->refs, 1, memory_order_acq_rel) == 1) {
        destroy(config);
    }
}

/* ---- what it says ---- */

const muster__balancer_choice *
muster__service_config_balancer(const muster__service_config *config)
{
    return &config->balancer;
}

const muster__methods *
muster__service_config_methods(const muster__service_config *config)
{
    return &config->methods;
}

const muster__retry_throttling *
muster__service_config_throttling(const muster__service_config *config)
{
    return config->has_throttling ? &config->throttling : NULL;
}

const char *
muster__service_config_health_service(const muster__service_config *config)
{
    return config->health_service;
}

const muster_settings *
muster__service_config_settings(const muster__service_config *config)
{
    return &config->settings;
}
