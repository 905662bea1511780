/* SPDX-License-Identifier: Apache-2.0 */
/* Figures on standard output. */
#include "figure.h"

#include <stdio.h>
#include <string.h>

static bool is_json;
static bool is_quick;

static bool take_option(const char *argument)
{
    if (strcmp(argument, "--json") == 0) {
        is_json = true;
        return true;
    }
    if (strcmp(argument, "--quick") == 0) {
        is_quick = true;
        return true;
    }
    return false;
}

void figure_init(int *argc, char **argv)
{
    int n_kept = 1;

    for (int i = 1; i < *argc; i++) {
        if (!take_option(argv[i])) {
            argv[n_kept++] = argv[i];
        }
    }
    *argc = n_kept;
    argv[n_kept] = NULL;
}

bool figure_is_quick(void)
{
    return is_quick;
}

void figure_print(const char *name, double value, const char *unit)
{
    if (is_json) {
        printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"}\n", name,
               value, unit);
    } else {
        printf("%-40s %10.4g %s\n", name, value, unit);
    }
    (void)fflush(stdout);
}

void figure_print_beside(const char *name, double value, const char *unit,
                         const char *peer, double peer_value)
{
    double ratio = value / peer_value;

    if (is_json) {
        printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", "
               "\"peer\": \"%s\", \"peer_value\": %.4g, \"ratio\": %.3g}\n",
               name, value, unit, peer, peer_value, ratio);
    } else {
        printf("%-40s %10.4g %-6s %-14s %10.4g  ratio %.3g\n", name, value,
               unit, peer, peer_value, ratio);
    }
    (void)fflush(stdout);
}
