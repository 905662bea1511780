/* SPDX-License-Identifier: Apache-2.0 */
/* muster's own settings in a service config. Thread: any one. */
#ifndef MUSTER_CORE_CONFIG_SETTINGS_H
#define MUSTER_CORE_CONFIG_SETTINGS_H

#include <jansson.h>
#include <muster/service_config.h>

#include "problems.h"

/* Reads the object. False: a problem was added, or memory lacks. In any case
 * *settings, which was all zero, is to be given to fini. */
bool muster__settings_read(muster__problems *problems, const json_t *object,
                           muster_settings *settings);
void muster__settings_fini(muster_settings *settings);

#endif
