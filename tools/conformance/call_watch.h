/* SPDX-License-Identifier: Apache-2.0 */
/* Notices what a plugin itself calls of the C library while it picks. */
#ifndef MUSTER_TOOLS_CALL_WATCH_H
#define MUSTER_TOOLS_CALL_WATCH_H

#include <stdbool.h>

/* Puts functions that notice in the place of those that allocate, lock or wait,
 * in the object of handle (as dlopen() gives it) only: what its libraries call
 * is not seen. False: not on this machine. */
bool call_watch_install(void *handle);

/* Between these two, on this thread, calls are noticed. The name of the first
 * since begin: "malloc"; NULL: none. */
void call_watch_begin(void);
const char *call_watch_end(void);

#endif
