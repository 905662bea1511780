/* SPDX-License-Identifier: Apache-2.0 */
/* muster version: of the library in use, and of the plugin ABI. */
#include <muster/plugin.h>
#include <muster/version.h>

#include "command.h"
#include "options.h"

static const char doc[] =
    "Show the version of the library in use and of its plugin ABI.\v"
    "Examples:\n"
    "  muster version\n"
    "  muster version -o json\n";

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = state->input;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        argp_error(state, "no argument is taken, not \"%s\" either", text);
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {NULL, parse, NULL, doc, options_children,
                                 NULL, NULL};

static const output_column columns[] = {
    {"NAME", "name", 0},
    {"VERSION", "version", 0},
    {NULL, NULL, 0},
};

static const char *const name[] = {"version", NULL};

exit_code command_version(int argc, char **argv)
{
    options common;
    json_t *document;
    exit_code code;

    options_init(&common);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &common);
    document =
        json_pack("{s:i, s:[{s:s, s:s}, {s:s, s:o}]}", "schema_version",
                  OUTPUT_SCHEMA_VERSION, "versions", "name", "muster",
                  "version", muster_version(), "name", "plugin-abi", "version",
                  json_sprintf("%d.%d", MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR));
    code = output_write(
        &common.output,
        &(const output_report){document, "versions", columns, name});
    json_decref(document);
    return code;
}
