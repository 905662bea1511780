/* SPDX-License-Identifier: Apache-2.0 */
/* muster plugins: finds the action and hands over to it. */
#include "plugins.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    command_fn run;
} actions[] = {
    {"check", plugins_check},
    {"info", plugins_info},
    {"new", plugins_new},
};

exit_code command_plugins(int argc, char **argv)
{
    char name[32];

    for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(argv[1], actions[i].name) == 0) {
            (void)snprintf(name, sizeof name, "%s %s", argv[0],
                           actions[i].name);
            argv[1] = name;
            return actions[i].run(argc - 1, argv + 1);
        }
    }
    return plugins_list(argc, argv);
}
