/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that are compiled in. */
#ifndef MUSTER_CORE_BUILTINS_H
#define MUSTER_CORE_BUILTINS_H

#include <muster/plugin.h>

/* Ends with NULL. */
extern const muster_plugin_entry_fn muster__builtins[];

#endif
