/* SPDX-License-Identifier: Apache-2.0 */
/* Which plugin serves which scheme and policy: compiled in, registered by the
 * program, or loaded the first time one of theirs is named. */
#ifndef MUSTER_CORE_REGISTRY_H
#define MUSTER_CORE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include <muster/plugin.h>

/* A plugin in this process; lives as long as the process does. */
typedef struct muster__plugin muster__plugin;

/* Finds, and loads when needed. Thread: any. MUSTER_NOTFOUND (err lists what
 * there is), MUSTER_ABI, MUSTER_PERMISSION, MUSTER_NOMEM. */
muster_status muster__registry_resolver(const char *scheme,
                                        const muster_resolver_class **ret_class,
                                        muster__plugin **ret_plugin,
                                        muster_error *err);
muster_status muster__registry_balancer(const char *name,
                                        const muster_balancer_class **ret_class,
                                        muster__plugin **ret_plugin,
                                        muster_error *err);

/* Whether some plugin, loaded or not, says it serves scheme. Loads nothing.
 * Thread: any. MUSTER_NOTFOUND, MUSTER_NOMEM. */
muster_status muster__registry_find_scheme(const char *scheme);

/* "dns, file, static", sorted, without gRPC's experimental names of what has
 * another. Thread: any. Cut off at size, with "..." where whole names end. */
void muster__registry_list_schemes(char *buffer, size_t size);
void muster__registry_list_policies(char *buffer, size_t size);

const char *muster__plugin_name(const muster__plugin *plugin);

/* Counts a user; the first one runs the plugin's init. Thread: control.
 * *ret_shared is what init gave. What init answers, and MUSTER_NOMEM. */
muster_status muster__plugin_use(muster__plugin *plugin, void **ret_shared,
                                 muster_error *err);

/* One user less. fini runs at muster__registry_fini() only. Thread: control. */
void muster__plugin_unuse(muster__plugin *plugin);

/* A plugin instance that will not stop is left behind: fini of its plugin is
 * not run. Thread: control. */
void muster__plugin_leak(muster__plugin *plugin);

/* Runs the fini of every plugin that was initialised and has no user. Thread:
 * control, last of all. */
void muster__registry_fini(void);

#endif
