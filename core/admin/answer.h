/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket answers. */
#ifndef MUSTER_CORE_ADMIN_ANSWER_H
#define MUSTER_CORE_ADMIN_ANSWER_H

#include <stddef.h>

struct json_t;

/* The answer to request, which is without a newline; NULL: one that is too
 * long. The caller's; NULL when out of memory. Thread: control. */
struct json_t *muster__admin_answer(const char *request, size_t length);

/* It as a line with its newline, to be given to free(3), and takes it over.
 * NULL when out of memory. This takes four times as long as to make it. Thread:
 * any; the answer shares nothing with anybody. */
char *muster__admin_line(struct json_t *answer);

#endif
