/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that are compiled in. */
#ifndef MUSTER_CORE_BUILTINS_H
#define MUSTER_CORE_BUILTINS_H

#include <muster/plugin.h>

#include "plugin_table.h"

/* Ends with NULL. */
extern const muster_plugin_entry_fn muster__builtins[];

/* A place for each, so that none is left out for want of memory. */
extern muster__plugin muster__builtin_plugins[];

#endif
