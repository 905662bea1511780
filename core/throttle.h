/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket of retryThrottling (gRFC A6): one for each server name, for
 * all channels to it. Thread: any. */
#ifndef MUSTER_CORE_THROTTLE_H
#define MUSTER_CORE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct muster__throttle muster__throttle;

/* That of the server name (copied): the one there is, or a new one, which lets
 * everything be retried. The caller's reference; NULL: out of memory. */
muster__throttle *muster__throttle_ref(const char *server_name);

/* NULL is ignored. */
void muster__throttle_unref(muster__throttle *throttle);

/* Its size, and what a success puts into it, in thousandths of tokens; neither
 * is 0. The first time it is full; later it stays as full as it was. */
void muster__throttle_set(muster__throttle *throttle, uint32_t max_milli_tokens,
                          uint32_t milli_token_ratio);

void muster__throttle_count_success(muster__throttle *throttle);
void muster__throttle_count_failure(muster__throttle *throttle);

/* Whether calls may be retried: it is more than half full, or has no size. */
bool muster__throttle_allows(const muster__throttle *throttle);

#endif
