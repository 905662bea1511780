/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of service configs share. One config a process; in its text
 * ' stands for ". */
#ifndef MUSTER_TESTS_SERVICE_CONFIG_FIXTURE_H
#define MUSTER_TESTS_SERVICE_CONFIG_FIXTURE_H

#include <config/service_config.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static muster__service_config *config;
static muster_error err;
static unsigned n_checks;

/* There are "first", "second", and "picky", which wants {"a":1}. */
static muster_status check_policy(void *arg, const char *name,
                                  const char *config_json,
                                  muster_error *ret_err)
{
    (void)arg;
    n_checks++;
    if (strcmp(name, "first") == 0 || strcmp(name, "second") == 0) {
        return MUSTER_OK;
    }
    if (strcmp(name, "picky") == 0) {
        return strcmp(config_json, "{\"a\":1}") == 0
                   ? MUSTER_OK
                   : muster_error_set(ret_err, MUSTER_INVAL, "$.a: must be 1");
    }
    return muster_error_set(ret_err, MUSTER_NOTFOUND, "no %s", name);
}

static inline void forget_config(void)
{
    muster__service_config_unref(config);
    config = NULL;
}

static inline bool parse(const char *text)
{
    char *json = strdup(text);
    muster__problems problems;
    bool is_good;

    for (char *at = json; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    forget_config();
    err.message[0] = '\0';
    muster__problems_init(&problems);
    is_good = muster__service_config_parse(json, strlen(json), check_policy,
                                           NULL, &problems, &config);
    cr_assert_eq(muster__problems_status(&problems, "it", &err),
                 is_good ? MUSTER_OK : MUSTER_INVAL);
    muster__problems_fini(&problems);
    free(json);
    return is_good;
}

static inline void accept(const char *text)
{
    cr_assert(parse(text), "%s: %s", text, err.message);
}

static inline void refuse(const char *text, const char *said)
{
    cr_assert_not(parse(text), "%s", text);
    cr_assert_null(config);
    cr_assert_not_null(strstr(err.message, said), "%s", err.message);
}

static inline const muster__method_config *method(const char *path)
{
    return muster__methods_find(muster__service_config_methods(config), path);
}

#endif
