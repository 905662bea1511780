/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that a simulation compares. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>

#define PREFIX "balancer:"

static const muster_balancer_class *find(const char *name, muster_error *err)
{
    const muster_balancer_class *class_ = NULL;

    (void)muster_plugin_find_balancer(name, &class_, err);
    return class_;
}

/* ---- all ---- */

static void add_names(json_t *names, const char *classes)
{
    char *rest = NULL;
    char *copy = strdup(classes);

    for (char *word = copy == NULL ? NULL : strtok_r(copy, " ", &rest);
         word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (strncmp(word, PREFIX, strlen(PREFIX)) == 0) {
            (void)json_array_append_new(names,
                                        json_string(word + strlen(PREFIX)));
        }
    }
    free(copy);
}

/* Those in files are loaded when a scenario names them, not for this. */
static void on_plugin(void *names, const muster_plugin_info *info)
{
    if (info->path[0] == '\0' && info->refusal == NULL) {
        add_names(names, info->classes);
    }
}

static muster_status find_all(policies *self, const json_t *names)
{
    size_t n = json_array_size(names);

    self->classes = calloc(n + 1, sizeof *self->classes);
    if (self->classes == NULL) {
        return MUSTER_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const muster_balancer_class *class_ =
            find(json_string_value(json_array_get(names, i)), NULL);

        if (class_ != NULL) {
            self->classes[self->n++] = class_;
        }
    }
    return MUSTER_OK;
}

muster_status policies_open(policies *self, muster_error *err)
{
    json_t *names = json_array();
    muster_status status = muster_plugin_list(on_plugin, names);

    *self = (policies){.classes = NULL};
    if (status == MUSTER_OK) {
        status = find_all(self, names);
    }
    json_decref(names);
    return status == MUSTER_OK ? MUSTER_OK
                               : muster_error_set(err, status, "%s",
                                                  muster_status_text(status));
}

void policies_release(policies *self)
{
    free(self->classes);
}

/* ---- one ---- */

static muster_status fill(policy_choice *self, const char *name,
                          const json_t *config, muster_error *err)
{
    self->class_ = find(name, err);
    if (self->class_ == NULL) {
        return MUSTER_NOTFOUND;
    }
    if (config != NULL && !json_is_object(config)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "the settings of %s must be an object", name);
    }
    self->config_json =
        config == NULL ? strdup("{}") : json_dumps(config, JSON_COMPACT);
    if (self->config_json == NULL ||
        asprintf(&self->label, "%s%s%s", name,
                 json_object_size(config) == 0 ? "" : " ",
                 json_object_size(config) == 0 ? "" : self->config_json) < 0) {
        self->label = NULL;
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return MUSTER_OK;
}

muster_status policy_choice_read(const json_t *value, policy_choice *ret_choice,
                                 muster_error *err)
{
    policy_choice self = {.class_ = NULL};
    void *member = json_object_iter((json_t *)(uintptr_t)value);
    muster_status status;

    if (json_is_string(value)) {
        status = fill(&self, json_string_value(value), NULL, err);
    } else if (json_object_size(value) == 1) {
        status = fill(&self, json_object_iter_key(member),
                      json_object_iter_value(member), err);
    } else {
        status = muster_error_set(err, MUSTER_INVAL,
                                  "a policy must be a name or an object with "
                                  "one name and its settings");
    }
    if (status != MUSTER_OK) {
        policy_choice_release(&self);
        return status;
    }
    *ret_choice = self;
    return MUSTER_OK;
}

void policy_choice_release(policy_choice *self)
{
    free(self->label);
    free(self->config_json);
}
