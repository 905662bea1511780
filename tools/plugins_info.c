/* SPDX-License-Identifier: Apache-2.0 */
/* muster plugins info: what is known of one plugin, from its note alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model.h"
#include "options.h"
#include "plugins.h"

typedef struct arguments {
    options options;
    const char *subject;
} arguments;

static const char doc[] =
    "Show what is known of a plugin: a name, a class (\"dns\" or "
    "\"resolver:dns\"), or a file. No line of it is run.\v"
    "Examples:\n"
    "  muster plugins info dns\n"
    "  muster plugins info build/plugins/muster_folder.so\n"
    "\n"
    "Exit status: 0 it can be loaded; 2 there is none of that name; 4 no such "
    "file; 6 it cannot be loaded; 1 anything else.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case ARGP_KEY_ARG:
        if (self->subject != NULL) {
            argp_error(state, "one NAME or FILE only, not \"%s\" too", text);
        }
        self->subject = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which NAME or FILE?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    NULL, parse, "NAME|FILE", doc, options_children, NULL, NULL};

static const output_column columns[] = {
    {"FIELD", "field", 0},
    {"VALUE", "value", 0},
    {NULL, NULL, 0},
};

static const char *const name[] = {"name", NULL};

/* ---- finding ---- */

typedef struct search {
    const char *subject;
    const struct stat *file; /* NULL: by name */
    json_t *plugins;
} search;

/* Whether the class "resolver:dns" is meant by "dns" or by itself. */
static bool is_class(const char *class_name, const char *subject)
{
    const char *colon = strchr(class_name, ':');

    return strcmp(class_name, subject) == 0 ||
           (colon != NULL && strcmp(colon + 1, subject) == 0);
}

static bool is_meant(const search *self, const muster_plugin_info *info,
                     const json_t *row)
{
    const json_t *classes = json_object_get(row, "classes");
    struct stat file;
    size_t index;
    const json_t *class_name;

    if (self->file != NULL) {
        return stat(info->path, &file) == 0 &&
               file.st_dev == self->file->st_dev &&
               file.st_ino == self->file->st_ino;
    }
    json_array_foreach(classes, index, class_name)
    {
        if (is_class(json_string_value(class_name), self->subject)) {
            return true;
        }
    }
    return strcmp(info->name, self->subject) == 0;
}

static void look(void *arg, const muster_plugin_info *info)
{
    search *self = arg;
    json_t *row = plugins_model(info);

    if (is_meant(self, info, row)) {
        (void)json_array_append(self->plugins, row);
    }
    json_decref(row);
}

/* The folder of a file is searched, too. */
static muster_status add_folder(const char *path)
{
    char *folder = realpath(path, NULL);
    char *slash = folder == NULL ? NULL : strrchr(folder, '/');
    muster_status status = MUSTER_NOMEM;

    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
        status = muster_plugin_path_add(folder);
    }
    free(folder);
    return status;
}

/* ---- printing ---- */

static json_t *facts_of(const json_t *plugin)
{
    static const struct {
        const char *field;
        const char *key;
    } fields[] = {
        {"name", "name"}, {"plugin ABI", "abi"},  {"classes", "classes"},
        {"file", "path"}, {"refused", "refusal"},
    };
    json_t *facts = json_array();

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        (void)json_array_append_new(
            facts, json_pack("{s:s, s:O}", "field", fields[i].field, "value",
                             json_object_get(plugin, fields[i].key)));
    }
    return facts;
}

/* A table has a line for each fact; the others are as those of list. */
static exit_code print(arguments *self, json_t *plugins)
{
    bool is_table = self->options.output.format == OUTPUT_TABLE;
    json_t *document =
        is_table
            ? json_pack("{s:o}", "facts", facts_of(json_array_get(plugins, 0)))
            : json_pack("{s:i, s:O}", "schema_version", OUTPUT_SCHEMA_VERSION,
                        "plugins", plugins);
    exit_code code = output_write(
        &self->options.output,
        &(const output_report){document, is_table ? "facts" : "plugins",
                               columns, name});

    json_decref(document);
    return code;
}

static exit_code report(arguments *self, json_t *plugins, bool is_file)
{
    const json_t *first = json_array_get(plugins, 0);
    exit_code code;

    if (first == NULL && is_file) {
        return command_fail(EXIT_CODE_PLUGIN, self->subject,
                            "wrong file name; a plugin's is muster_NAME.so");
    }
    if (first == NULL) {
        return command_fail(EXIT_CODE_USAGE, self->subject,
                            "no plugin has that name or serves it; \"muster "
                            "plugins\" lists them");
    }
    code = print(self, plugins);
    if (code == EXIT_CODE_OK &&
        json_is_string(json_object_get(first, "refusal"))) {
        return EXIT_CODE_PLUGIN;
    }
    return code;
}

exit_code plugins_info(int argc, char **argv)
{
    arguments self = {.subject = NULL};
    struct stat file;
    bool is_file;
    search found;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    is_file = strchr(self.subject, '/') != NULL ||
              strstr(self.subject, ".so") != NULL;
    if (is_file && stat(self.subject, &file) != 0) {
        return command_fail(EXIT_CODE_SOURCE, self.subject, strerror(errno));
    }
    found = (search){self.subject, is_file ? &file : NULL, json_array()};
    if ((is_file && add_folder(self.subject) != MUSTER_OK) ||
        muster_plugin_list(look, &found) != MUSTER_OK) {
        code = command_fail(EXIT_CODE_FAILURE, self.subject, "out of memory");
    } else {
        code = report(&self, found.plugins, is_file);
    }
    json_decref(found.plugins);
    return code;
}
