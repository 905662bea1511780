/* SPDX-License-Identifier: Apache-2.0 */
/* muster plugins new: writes the skeleton of a plugin. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "plugins.h"
#include "skeleton/skeleton.h"

typedef struct arguments {
    options options;
    skeleton skeleton;
} arguments;

static const struct argp_option entries[] = {
    {"resolver", 'r', "SCHEME", 0,
     "A resolver for targets SCHEME:///... (the default, SCHEME being NAME)",
     0},
    {"balancer", 'b', "POLICY", 0, "A balancing policy called POLICY", 0},
    {0},
};

static const char doc[] =
    "Write the skeleton of a plugin into the new folder NAME: a source that "
    "works, a test and a CMake file, for an installed muster.\v"
    "Examples:\n"
    "  muster plugins new folder\n"
    "  muster plugins new sticky --balancer sticky\n"
    "  cmake -S sticky -B sticky/build && cmake --build sticky/build\n"
    "  ctest --test-dir sticky/build\n";

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool is_word(const char *text, const char *first, const char *rest,
                    size_t longest)
{
    return text[0] != '\0' && strchr(first, text[0]) != NULL &&
           strspn(text, rest) == strlen(text) && strlen(text) <= longest;
}

static void check_name(const char *text, struct argp_state *state)
{
    if (!is_word(text, LETTERS DIGITS "_-", LETTERS DIGITS "_-", 32)) {
        argp_error(state, "no name \"%s\": [a-z0-9_-]{1,32}", text);
    }
}

static void check_scheme(const char *text, struct argp_state *state)
{
    if (!is_word(text, LETTERS, LETTERS DIGITS "+.-", 32)) {
        argp_error(state, "no scheme \"%s\": [a-z][a-z0-9+.-]{0,31}", text);
    }
}

static void check_policy(const char *text, struct argp_state *state)
{
    if (!is_word(text, LETTERS, LETTERS DIGITS "_", 64)) {
        argp_error(state, "no policy \"%s\": [a-z][a-z0-9_]{0,63}", text);
    }
}

static void choose(arguments *self, const char *kind, char *class_name,
                   struct argp_state *state)
{
    if (self->skeleton.kind != NULL) {
        argp_error(state, "one class only: another is easily added later");
    }
    self->skeleton.kind = kind;
    self->skeleton.class_name = class_name;
}

static void finish(arguments *self, struct argp_state *state)
{
    skeleton *made = &self->skeleton;

    if (made->name == NULL) {
        argp_error(state, "which NAME?");
    }
    check_name(made->name, state);
    if (made->kind == NULL) {
        made->kind = "resolver";
        made->class_name = made->name;
    }
    if (strcmp(made->kind, "resolver") == 0) {
        check_scheme(made->class_name, state);
    } else {
        check_policy(made->class_name, state);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case 'r':
        choose(self, "resolver", text, state);
        return 0;
    case 'b':
        choose(self, "balancer", text, state);
        return 0;
    case ARGP_KEY_ARG:
        if (self->skeleton.name != NULL) {
            argp_error(state, "one NAME only, not \"%s\" too", text);
        }
        self->skeleton.name = text;
        return 0;
    case ARGP_KEY_END:
        finish(self, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {entries,          parse, "NAME", doc,
                                 options_children, NULL,  NULL};

static const output_column columns[] = {
    {"FILE", "path", 0},
    {NULL, NULL, 0},
};

static const char *const name[] = {"path", NULL};

static exit_code report(arguments *self)
{
    const char *own = self->skeleton.name;
    json_t *document =
        json_pack("{s:i, s:s, s:[{s:s+}, {s:s+++}, {s:s+++}]}",
                  "schema_version", OUTPUT_SCHEMA_VERSION, "name", own, "files",
                  "path", own, "/CMakeLists.txt", "path", own, "/", own, ".c",
                  "path", own, "/test_", own, ".c");
    exit_code code =
        output_write(&self->options.output,
                     &(const output_report){document, "files", columns, name});

    json_decref(document);
    return code;
}

exit_code plugins_new(int argc, char **argv)
{
    arguments self = {.skeleton = {.name = NULL}};
    char *path = NULL;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    if (!skeleton_write(&self.skeleton, &path)) {
        code = command_fail(EXIT_CODE_FAILURE, path == NULL ? "memory" : path,
                            strerror(errno));
        free(path);
        return code;
    }
    return report(&self);
}
