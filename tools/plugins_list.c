/* SPDX-License-Identifier: Apache-2.0 */
/* muster plugins list: the resolvers and balancers there are. */
#include <string.h>

#include "options.h"
#include "plugins.h"

typedef struct arguments {
    options options;
    const char *action;
} arguments;

static const char doc[] =
    "List the plugins that are compiled in or found in the search path. No "
    "line of a plugin is run for it.\v"
    "Other actions:\n"
    "  muster plugins info   what is known of one plugin\n"
    "  muster plugins check  whether a plugin keeps the rules\n"
    "  muster plugins new    write the skeleton of one\n"
    "\n"
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
            argp_error(state,
                       "the action comes first, and is list, info, check or "
                       "new, not \"%s\"",
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

static void add(void *arg, const muster_plugin_info *info)
{
    json_t **plugins = arg;

    if (json_array_append_new(*plugins, plugins_model(info)) != 0) {
        json_decref(*plugins);
        *plugins = NULL;
    }
}

exit_code plugins_list(int argc, char **argv)
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
