/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the options that several verbs have in common. */
#include "options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <muster/log.h>
#include <muster/plugin.h>

static const struct argp_option entries[] = {
    {"output", 'o', "FORMAT", 0, "table, json, ndjson or name", 0},
    {"no-headers", 'H', NULL, 0, "No line of column names in a table", 0},
    {"plugin-path", 'P', "DIR", 0, "Look for plugins in DIR first", 0},
    {"verbose", 'v', NULL, 0, "Say on stderr what happens; twice: more", 0},
    {0},
};

static void be_more_verbose(options *self)
{
    self->verbosity++;
    muster_log_set(muster_log_to_stderr, NULL,
                   self->verbosity == 1 ? MUSTER_LOG_INFO : MUSTER_LOG_DEBUG);
}

/* A folder that is named on the command line is meant to be there; those of the
 * environment need not be. */
static void add_folder(const char *path, struct argp_state *state)
{
    struct stat folder;

    if (stat(path, &folder) != 0) {
        argp_error(state, "no folder \"%s\" of plugins: %s", path,
                   strerror(errno));
    } else if (!S_ISDIR(folder.st_mode)) {
        argp_error(state, "no folder \"%s\" of plugins: it is a file", path);
    } else if (muster_plugin_path_add(path) != MUSTER_OK) {
        argp_failure(state, EXIT_CODE_FAILURE, 0, "out of memory");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *self = state->input;

    switch (key) {
    case 'o':
        if (!output_format_parse(text, &self->output.format)) {
            argp_error(state, "no format \"%s\": table, json, ndjson or name",
                       text);
        }
        return 0;
    case 'H':
        self->output.is_header_due = false;
        return 0;
    case 'P':
        add_folder(text, state);
        return 0;
    case 'v':
        be_more_verbose(self);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_argp = {.options = entries, .parser = parse};

const struct argp_child options_children[] = {
    {&options_argp, 0, "Common options:", 1},
    {0},
};

void options_init(options *self)
{
    self->output.format = OUTPUT_TABLE;
    self->output.is_header_due = true;
    self->verbosity = 0;
}

error_t options_target(int key, char *text, struct argp_state *state,
                       const char **ret_target)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*ret_target != NULL) {
            argp_error(state, "one TARGET only, not \"%s\" too", text);
        }
        *ret_target = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which TARGET?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
