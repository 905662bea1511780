/* SPDX-License-Identifier: Apache-2.0 */
/* The names of methods, as people write them. */
#ifndef MUSTER_TOOLS_CALL_METHOD_H
#define MUSTER_TOOLS_CALL_METHOD_H

#include <stdbool.h>

/* Whether it is "package.Service/Method", with a slash in front or without. */
bool method_is_valid(const char *text);

/* With a slash in front, as gRPC has it; the caller's. NULL: out of memory. */
char *method_full(const char *text);

#endif
