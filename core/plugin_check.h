/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what a plugin says of itself may be used. Thread: any, all of it. */
#ifndef MUSTER_CORE_PLUGIN_CHECK_H
#define MUSTER_CORE_PLUGIN_CHECK_H

#include <stdbool.h>

#include <muster/plugin.h>

/* The syntax of names, and how a refusal states it. */
#define MUSTER__PLUGIN_NAME_SYNTAX "[a-z0-9_-]{1,32}"
#define MUSTER__SCHEME_SYNTAX "[a-z][a-z0-9+.-]{0,31}"
#define MUSTER__POLICY_SYNTAX "[a-z][a-z0-9_]{0,63}"
bool muster__plugin_name_is_valid(const char *name);
bool muster__scheme_is_valid(const char *scheme);
bool muster__policy_is_valid(const char *policy);

/* Fills err with "ORIGIN: sentence" and returns code. An origin too long for
 * the message keeps its end. */
MUSTER_FORMAT_(4, 5)
muster_status muster__plugin_refuse(muster_error *err, muster_status code,
                                    const char *origin, const char *format,
                                    ...);

/* Whether a plugin built for ABI major.minor works here. MUSTER_ABI. */
muster_status muster__plugin_check_abi(unsigned major, unsigned minor,
                                       const char *origin, muster_error *err);

/* Checks all that the core will rely on, reading only what lies inside each
 * struct_size. origin (a path, or "built-in plugin") starts the message.
 * MUSTER_ABI. */
muster_status muster__plugin_check(const muster_plugin *plugin,
                                   const char *origin, muster_error *err);

#endif
