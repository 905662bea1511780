/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for refused plugins. */
#include "refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>

#include "command.h"

typedef struct search {
    char *class_name; /* "resolver:SCHEME" */
    char *file_name;  /* "/muster_SCHEME.so" */
    bool is_found;
} search;

/* Whether words, separated by blanks, have word among them. */
static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    const char *at = words;

    while ((at = strstr(at, word)) != NULL) {
        if ((at == words || at[-1] == ' ') &&
            (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
        at += length;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void look(void *arg, const muster_plugin_info *info)
{
    search *self = arg;

    if (info->refusal != NULL && (has_word(info->classes, self->class_name) ||
                                  ends_with(info->path, self->file_name))) {
        (void)command_fail(EXIT_CODE_PLUGIN, "a plugin is refused",
                           info->refusal);
        self->is_found = true;
    }
}

bool refusals_tell(const char *target)
{
    int length = (int)strcspn(target, ":");
    search self = {NULL, NULL, false};

    if (asprintf(&self.class_name, "resolver:%.*s", length, target) < 0) {
        return false;
    }
    if (asprintf(&self.file_name, "/muster_%.*s.so", length, target) >= 0) {
        (void)muster_plugin_list(look, &self);
        free(self.file_name);
    }
    free(self.class_name);
    return self.is_found;
}
