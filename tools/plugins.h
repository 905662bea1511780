/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of muster plugins. */
#ifndef MUSTER_TOOLS_PLUGINS_H
#define MUSTER_TOOLS_PLUGINS_H

#include <jansson.h>

#include <muster/plugin.h>

#include "command.h"

/* argv[0] is "muster plugins ACTION"; that of list is "muster plugins". */
exit_code plugins_check(int argc, char **argv);
exit_code plugins_info(int argc, char **argv);
exit_code plugins_list(int argc, char **argv);
exit_code plugins_new(int argc, char **argv);

/* A new object: the row of a plugin. NULL: out of memory. */
json_t *plugins_model(const muster_plugin_info *info);

#endif
