/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_VERSION_H
#define MUSTER_VERSION_H

#include <muster/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version these headers belong to (semantic versioning, semver.org). */
#define MUSTER_VERSION_MAJOR 0
#define MUSTER_VERSION_MINOR 1
#define MUSTER_VERSION_PATCH 0
#define MUSTER_VERSION_STRING "0.1.0"

/* The version of the library in use: "0.1.0". Thread: any. The string is
 * static. May be called in a fork child. */
MUSTER_API const char *muster_version(void);

#ifdef __cplusplus
}
#endif

#endif
