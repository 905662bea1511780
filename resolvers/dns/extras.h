/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses that came along with services. Thread: any. */
#ifndef MUSTER_RESOLVERS_DNS_EXTRAS_H
#define MUSTER_RESOLVERS_DNS_EXTRAS_H

#include <stddef.h>

#include "answer.h"

/* Sorts the extras of answer by owner, for find, and lets the answer live no
 * longer than they do. */
void muster__dns_extras_prepare(muster__dns_answer *answer);

/* Those of owner: *ret_n of them, from the result on, IPv4 before IPv6. */
const muster__dns_extra *
muster__dns_extras_find(const muster__dns_answer *answer, const char *owner,
                        size_t *ret_n);

#endif
