/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket answers. */
#ifndef MUSTER_CORE_ADMIN_ANSWER_H
#define MUSTER_CORE_ADMIN_ANSWER_H

#include <stddef.h>

/* A line of JSON with its newline: the caller's, to be given to free(3).
 * request is without a newline; NULL: one that is too long. NULL when out of
 * memory. Thread: control. */
char *muster__admin_answer(const char *request, size_t length);

#endif
