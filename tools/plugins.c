/* SPDX-License-Identifier: Apache-2.0 */
/* muster plugins: the resolvers and balancers there are. */
#include <string.h>

#include <muster/plugin.h>

#include "command.h"
#include "model.h"
#include "options.h"

typedef struct arguments {
    options options;
    const char *action;
} arguments;

static const char doc[] =
    "List the plugins that are compiled in or found in the search path. No "
    "line of a plugin is run for it.\v"
    "Examples:\n"
    "  muster plugins\n"
    "  muster plugins list -P ./build/plugins -o json\n";

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case ARGP_KEY_ARG:
        if (self->action != NULL || strcmp(text, "list") != 0) {
            argp_error(state, "nothing but \"list\" can be done, not \"%s\"",
                       text);
        }
        self->action = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {NULL, parse, "[list]", doc, options_children,
                                 NULL, NULL};

static const output_column columns[] = {
    {"NAME", "name", 0}, {"ABI", "abi", 0},         {"CLASSES", "classes", 0},
    {"PATH", "path", 0}, {"REFUSAL", "refusal", 0}, {NULL, NULL, 0},
};

static const char *const name[] = {"name", NULL};

/* "resolver:dns balancer:x" as an array. */
static json_t *classes_of(const muster_plugin_info *info)
{
    json_t *array = json_array();
    const char *at = info->classes;

    while (*at != '\0') {
        size_t length = strcspn(at, " ");

        if (length > 0 &&
            json_array_append_new(array, json_stringn(at, length)) != 0) {
            json_decref(array);
            return NULL;
        }
        at += length + strspn(at + length, " ");
    }
    return array;
}

static json_t *text_or_null(const char *text)
{
    return model_text(text[0] == '\0' ? NULL : text);
}

/* Of a file whose note cannot be read there is no name and no ABI. */
static json_t *abi_of(const muster_plugin_info *info)
{
    if (info->name[0] == '\0') {
        return json_null();
    }
    return json_sprintf("%u.%u", (unsigned)info->abi_major,
                        (unsigned)info->abi_minor);
}

static json_t *model_plugin(const muster_plugin_info *info)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name",
                     text_or_null(info->name), "abi", abi_of(info), "classes",
                     classes_of(info), "path", text_or_null(info->path),
                     "refusal", model_text(info->refusal));
}

static void add(void *arg, const muster_plugin_info *info)
{
    json_t **plugins = arg;

    if (json_array_append_new(*plugins, model_plugin(info)) != 0) {
        json_decref(*plugins);
        *plugins = NULL;
    }
}

exit_code command_plugins(int argc, char **argv)
{
    arguments self = {.action = NULL};
    json_t *plugins = json_array();
    json_t *document;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    if (muster_plugin_list(add, &plugins) != MUSTER_OK) {
        json_decref(plugins);
        return command_fail(EXIT_CODE_FAILURE, "plugins", "out of memory");
    }
    document = json_pack("{s:i, s:o}", "schema_version", OUTPUT_SCHEMA_VERSION,
                         "plugins", plugins);
    code = output_write(
        &self.options.output,
        &(const output_report){document, "plugins", columns, name});
    json_decref(document);
    return code;
}
