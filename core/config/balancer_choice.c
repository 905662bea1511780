/* SPDX-License-Identifier: Apache-2.0 */
/* Which balancing policy a service config chooses: the first of
 * loadBalancingConfig that is known, else loadBalancingPolicy (deprecated). */
#include "balancer_choice.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

/* Each name that is not known may cost a look at the plugin folders. */
enum { MAX_POLICIES = 64 };

static void no_memory(muster__problems *problems)
{
    problems->is_out_of_memory = true;
}

/* The policy's own words: "$.a.b: must be ..." is about a member of ours. */
static void add_refusal(muster__problems *problems, const char *message)
{
    const char *colon = strstr(message, ": ");
    size_t mark = problems->path_length;
    char path[MUSTER__PROBLEM_PATH_SIZE];

    if (strncmp(message, "$.", 2) == 0 && colon != NULL &&
        (size_t)(colon - message) < sizeof path) {
        size_t length = (size_t)(colon - message) - 2;
        memcpy(path, message + 2, length);
        path[length] = '\0';
        mark = muster__problems_enter(problems, path);
        message = colon + 2;
    } else if (strncmp(message, "$: ", 3) == 0) {
        message += 3;
    }
    muster__problems_add(problems, "%s", message);
    muster__problems_leave(problems, mark);
}

/* False: there is no such policy, and *unknown says so unless it says so of
 * another. Else the choice is made, for good or bad. */
static bool try_policy(muster__problems *problems, const char *name,
                       const char *config_json, muster__policy_check_fn check,
                       void *arg, muster__balancer_choice *choice,
                       muster_error *unknown)
{
    muster_error err = {.code = MUSTER_OK};
    muster_status status = check(arg, name, config_json, &err);

    if (status == MUSTER_NOTFOUND) {
        *unknown = unknown->code == MUSTER_OK ? err : *unknown;
        return false;
    }
    if (status == MUSTER_NOMEM) {
        no_memory(problems);
    } else if (status != MUSTER_OK) {
        problems->trouble = status == MUSTER_INVAL ? problems->trouble : status;
        add_refusal(problems, err.message);
    } else {
        choice->name = strdup(name);
        choice->config_json = strdup(config_json);
        if (choice->name == NULL || choice->config_json == NULL) {
            no_memory(problems);
        }
    }
    return true;
}

/* ---- loadBalancingConfig ---- */

/* True: looking on makes no sense. */
static bool try_entry(muster__problems *problems, const json_t *entry,
                      muster__policy_check_fn check, void *arg,
                      muster__balancer_choice *choice, muster_error *unknown)
{
    void *item = json_object_iter((json_t *)(uintptr_t)entry);
    const char *name = json_object_iter_key(item);
    const json_t *value = json_object_iter_value(item);
    char *text = NULL;
    size_t mark;
    bool is_over = true;

    if (!json_is_object(entry) || json_object_size(entry) != 1) {
        muster__problems_add(problems,
                             "must be an object with one key, a policy's name");
        return true;
    }
    mark = muster__problems_enter(problems, name);
    if (muster__config_is_object(problems, value)) {
        text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
        if (text == NULL) {
            no_memory(problems);
        } else {
            is_over =
                try_policy(problems, name, text, check, arg, choice, unknown);
        }
        free(text);
    }
    muster__problems_leave(problems, mark);
    return is_over;
}

static void read_list(muster__problems *problems, const json_t *list,
                      muster__policy_check_fn check, void *arg,
                      muster__balancer_choice *choice)
{
    muster_error unknown = {.code = MUSTER_OK};

    if (!muster__config_is_array(problems, list)) {
        return;
    }
    if (json_array_size(list) > MAX_POLICIES) {
        muster__problems_add(problems, "must have at most %d policies",
                             (int)MAX_POLICIES);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t mark = muster__problems_enter_index(problems, i);
        bool is_over = try_entry(problems, json_array_get(list, i), check, arg,
                                 choice, &unknown);
        muster__problems_leave(problems, mark);
        if (is_over) {
            return;
        }
    }
    muster__problems_add(problems, "must have a policy that is known%s%s",
                         unknown.code == MUSTER_OK ? "" : ": ",
                         unknown.message);
}

/* ---- loadBalancingPolicy ---- */

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        *text = (char)tolower((unsigned char)*text);
    }
}

/* Its name is in any case: gRPC's old enum was in capitals. */
static void read_name(muster__problems *problems, const json_t *value,
                      muster__policy_check_fn check, void *arg,
                      muster__balancer_choice *choice)
{
    char *name = strdup(json_string_value(value));
    muster_error unknown = {.code = MUSTER_OK};

    if (name == NULL) {
        no_memory(problems);
        return;
    }
    lower(name);
    if (!try_policy(problems, name, "{}", check, arg, choice, &unknown)) {
        muster__problems_add(problems, "must be a policy that is known: %s",
                             unknown.message);
    }
    free(name);
}

void muster__balancer_choice_read(muster__problems *problems,
                                  const json_t *config,
                                  muster__policy_check_fn check, void *arg,
                                  muster__balancer_choice *choice)
{
    const json_t *list = muster__config_get(config, "loadBalancingConfig");
    const json_t *name = muster__config_get(config, "loadBalancingPolicy");
    size_t mark = muster__problems_enter(problems, "loadBalancingConfig");

    memset(choice, 0, sizeof *choice);
    if (list != NULL) {
        read_list(problems, list, check, arg, choice);
    }
    muster__problems_leave(problems, mark);
    mark = muster__problems_enter(problems, "loadBalancingPolicy");
    if (name != NULL && muster__config_is_string(problems, name) &&
        list == NULL) {
        read_name(problems, name, check, arg, choice);
    }
    muster__problems_leave(problems, mark);
}

void muster__balancer_choice_fini(muster__balancer_choice *choice)
{
    free(choice->name);
    free(choice->config_json);
    memset(choice, 0, sizeof *choice);
}
