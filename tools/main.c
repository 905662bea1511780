/* SPDX-License-Identifier: Apache-2.0 */
/* The muster command: finds the verb and hands over to it. */
#include <argp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/version.h>

#include "command.h"

static exit_code command_help(int argc, char **argv);

typedef struct verb {
    const char *name;
    command_fn run;
    const char *summary;
} verb;

static const verb verbs[] = {
    {"resolve", command_resolve, "list a target's endpoints once"},
    {"watch", command_watch, "follow the changes of a target's endpoints"},
#ifdef MUSTER_TOOLS_GRPC
    {"call", command_call, "make calls, and show who answered"},
    {"bench", command_bench, "make many calls, and measure them"},
#endif
    {"channels", command_channels, "show what a process's channels do now"},
    {"explain", command_explain, "say why endpoints are picked or not"},
    {"top", command_top, "watch what a process's endpoints get to do"},
    {"config", command_config, "check a gRPC service config"},
    {"simulate", command_simulate, "compare policies in virtual time"},
    {"doctor", command_doctor, "look for what may give trouble"},
    {"plugins", command_plugins,
     "list, check and begin resolvers and balancers"},
    {"version", command_version, "show the versions of library and plugin ABI"},
    {"help", command_help, "show this, or the help of a VERB"},
};
enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

typedef struct choice {
    const verb *verb;
    int first; /* of its arguments: the index of the verb in argv */
} choice;

static char *help_text(int key, const char *text, void *input)
{
    char *buffer = NULL;
    size_t size = 0;
    FILE *out;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    out = open_memstream(&buffer, &size);
    if (out == NULL) {
        return NULL;
    }
    (void)fputs("Verbs:\n", out);
    for (int i = 0; i < N_VERBS; i++) {
        (void)fprintf(out, "  %-8s  %s\n", verbs[i].name, verbs[i].summary);
    }
    (void)fputs("\n\"muster VERB --help\" tells more, with examples.", out);
    if (fclose(out) != 0) {
        free(buffer);
        return NULL;
    }
    return buffer; /* freed by argp */
}

static const verb *find_verb(const char *name)
{
    for (int i = 0; i < N_VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    choice *chosen = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        chosen->verb = find_verb(text);
        if (chosen->verb == NULL) {
            argp_error(state, "no verb \"%s\"", text);
        }
        chosen->first = state->next - 1;
        state->next = state->argc; /* the rest is the verb's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which verb?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp main_argp = {
    .parser = parse,
    .args_doc = "VERB [ARGUMENT...]",
    .doc = "Shows what muster finds behind a target.\v ",
    .help_filter = help_text,
};

static exit_code run(int argc, char **argv)
{
    choice chosen = {NULL, 0};
    char name[32];

    (void)argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &chosen);
    if (chosen.verb == NULL) {
        return EXIT_CODE_USAGE;
    }
    (void)snprintf(name, sizeof name, "muster %s", chosen.verb->name);
    argv[chosen.first] = name;
    return chosen.verb->run(argc - chosen.first, argv + chosen.first);
}

/* "muster help plugins check" is "muster plugins check --help". */
static exit_code command_help(int argc, char **argv)
{
    static char program[] = "muster";
    static char option[] = "--help";
    char **moved = calloc((size_t)argc + 2, sizeof *moved);
    exit_code code;

    if (moved == NULL) {
        return command_fail(EXIT_CODE_FAILURE, "help", "out of memory");
    }
    memcpy(moved, argv, (size_t)argc * sizeof *moved);
    moved[0] = program;
    moved[argc] = option;
    code = run(argc + 1, moved);
    free(moved);
    return code;
}

int main(int argc, char **argv)
{
    argp_program_version = "muster " MUSTER_VERSION_STRING;
    argp_err_exit_status = EXIT_CODE_USAGE;
    return (int)run(argc, argv);
}
