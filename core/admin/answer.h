/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket answers. */
#ifndef MUSTER_CORE_ADMIN_ANSWER_H
#define MUSTER_CORE_ADMIN_ANSWER_H

#include <stddef.h>

typedef struct muster__admin_answer muster__admin_answer;

/* What there is to say to request, which is without a newline; NULL: one that
 * is too long. The caller's; NULL when out of memory. Thread: control. */
muster__admin_answer *muster__admin_answer_create(const char *request,
                                                  size_t length);
void muster__admin_answer_destroy(muster__admin_answer *answer);

/* It as a line of JSON with its newline, to be given to free(3). NULL when out
 * of memory. Nearly all of the time goes here. Thread: any. */
char *muster__admin_answer_line(const muster__admin_answer *answer);

#endif
