/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver of as many endpoints as the target says: "many:///100000". */
#ifndef MUSTER_TESTS_MANY_H
#define MUSTER_TESTS_MANY_H

#include <muster/plugin.h>

const muster_plugin *muster_builtin_many(void);

#endif
