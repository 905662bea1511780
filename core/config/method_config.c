/* SPDX-License-Identifier: Apache-2.0 */
/* What a service config says of methods, found by a call's path. */
#include "method_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

/* ---- one methodConfig ---- */

static void read_timeout(muster__problems *problems, const json_t *object,
                         muster__method_config *config)
{
    const json_t *value = muster__config_get(object, "timeout");
    size_t mark = muster__problems_enter(problems, "timeout");

    if (value != NULL) {
        (void)muster__config_duration(problems, value, &config->timeout_ns);
    }
    muster__problems_leave(problems, mark);
}

static void read_wait_for_ready(muster__problems *problems,
                                const json_t *object,
                                muster__method_config *config)
{
    const json_t *value = muster__config_get(object, "waitForReady");
    size_t mark = muster__problems_enter(problems, "waitForReady");

    config->says_wait_for_ready =
        value != NULL &&
        muster__config_bool(problems, value, &config->is_wait_for_ready);
    muster__problems_leave(problems, mark);
}

static void read_size(muster__problems *problems, const json_t *object,
                      const char *key, uint64_t *ret_bytes)
{
    const json_t *value = muster__config_get(object, key);
    size_t mark = muster__problems_enter(problems, key);

    *ret_bytes = UINT64_MAX;
    if (value != NULL) {
        (void)muster__config_integer(problems, value, UINT32_MAX, ret_bytes);
    }
    muster__problems_leave(problems, mark);
}

static void read_retrying(muster__problems *problems, const json_t *object,
                          muster__method_config *config)
{
    const json_t *retry = muster__config_get(object, "retryPolicy");
    const json_t *hedging = muster__config_get(object, "hedgingPolicy");
    size_t mark = muster__problems_enter(problems, "retryPolicy");

    config->has_retry =
        retry != NULL && muster__config_retry(problems, retry, &config->retry);
    muster__problems_leave(problems, mark);
    mark = muster__problems_enter(problems, "hedgingPolicy");
    config->has_hedging =
        hedging != NULL &&
        muster__config_hedging(problems, hedging, &config->hedging);
    if (retry != NULL && hedging != NULL) {
        muster__problems_add(problems, "must not be there beside retryPolicy");
    }
    muster__problems_leave(problems, mark);
}

static void read_one(muster__problems *problems, const json_t *object,
                     muster__method_config *config)
{
    read_timeout(problems, object, config);
    read_wait_for_ready(problems, object, config);
    read_size(problems, object, "maxRequestMessageBytes",
              &config->max_request_bytes);
    read_size(problems, object, "maxResponseMessageBytes",
              &config->max_response_bytes);
    read_retrying(problems, object, config);
}

/* ---- names ---- */

/* *ret_text is "" when it is absent; false when it is no string. */
static bool read_name_part(muster__problems *problems, const json_t *name,
                           const char *key, const char **ret_text)
{
    const json_t *value = muster__config_get(name, key);
    size_t mark = muster__problems_enter(problems, key);
    bool is_good = value == NULL || muster__config_is_string(problems, value);

    *ret_text = value != NULL && is_good ? json_string_value(value) : "";
    muster__problems_leave(problems, mark);
    return is_good;
}

static void add_key(muster__problems *problems, muster__methods *methods,
                    const char *key, size_t index)
{
    const json_t *former = json_object_get(methods->names, key);

    if (former != NULL) {
        muster__problems_add(problems,
                             "must not be a name that methodConfig[%d] has",
                             (int)json_integer_value(former));
    } else if (json_object_set_new(methods->names, key,
                                   json_integer((json_int_t)index)) != 0) {
        problems->is_out_of_memory = true;
    }
}

static void add_name(muster__problems *problems, muster__methods *methods,
                     const json_t *name, size_t index)
{
    const char *service = NULL;
    const char *method = NULL;
    char *key = NULL;

    if (!muster__config_is_object(problems, name) ||
        !read_name_part(problems, name, "service", &service) ||
        !read_name_part(problems, name, "method", &method)) {
        return;
    }
    if (service[0] == '\0' && method[0] != '\0') {
        muster__problems_add_at(problems, "service",
                                "must be given with a method");
    } else if (service[0] == '\0') {
        add_key(problems, methods, "", index);
    } else if (asprintf(&key, "/%s/%s", service, method) < 0) {
        problems->is_out_of_memory = true;
    } else {
        add_key(problems, methods, key, index);
        free(key);
    }
}

/* A methodConfig without names is checked, and no method's. */
static void add_names(muster__problems *problems, muster__methods *methods,
                      const json_t *object, size_t index)
{
    const json_t *names = muster__config_get(object, "name");
    size_t mark = muster__problems_enter(problems, "name");

    if (names != NULL && muster__config_is_array(problems, names)) {
        for (size_t i = 0; i < json_array_size(names); i++) {
            size_t inner = muster__problems_enter_index(problems, i);
            add_name(problems, methods, json_array_get(names, i), index);
            muster__problems_leave(problems, inner);
        }
    }
    muster__problems_leave(problems, mark);
}

/* ---- all of them ---- */

static bool create(muster__methods *methods, size_t n)
{
    methods->items = calloc(n, sizeof *methods->items);
    methods->names = json_object();
    methods->n = n;
    return methods->items != NULL && methods->names != NULL;
}

bool muster__methods_read(muster__problems *problems, const json_t *value,
                          muster__methods *methods)
{
    uint32_t n_before = problems->n;

    memset(methods, 0, sizeof *methods);
    if (!muster__config_is_array(problems, value)) {
        return false;
    }
    if (json_array_size(value) == 0) {
        return true;
    }
    if (!create(methods, json_array_size(value))) {
        problems->is_out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < methods->n; i++) {
        const json_t *object = json_array_get(value, i);
        size_t mark = muster__problems_enter_index(problems, i);
        if (muster__config_is_object(problems, object)) {
            add_names(problems, methods, object, i);
            read_one(problems, object, &methods->items[i]);
        }
        muster__problems_leave(problems, mark);
    }
    return problems->n == n_before && !problems->is_out_of_memory;
}

void muster__methods_fini(muster__methods *methods)
{
    free(methods->items);
    json_decref(methods->names);
    memset(methods, 0, sizeof *methods);
}

/* ---- finding ---- */

static const muster__method_config *find(const muster__methods *methods,
                                         const char *key, size_t length)
{
    const json_t *index = json_object_getn(methods->names, key, length);

    return index == NULL ? NULL : &methods->items[json_integer_value(index)];
}

const muster__method_config *
muster__methods_find(const muster__methods *methods, const char *method)
{
    const muster__method_config *found = NULL;
    const char *slash;

    if (methods->n == 0) {
        return NULL;
    }
    slash = method == NULL ? NULL : strrchr(method, '/');
    if (slash != NULL) {
        found = find(methods, method, strlen(method));
    }
    if (found == NULL && slash != NULL) {
        found = find(methods, method, (size_t)(slash - method) + 1);
    }
    return found != NULL ? found : find(methods, "", 0);
}
