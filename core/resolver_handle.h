/* SPDX-License-Identifier: Apache-2.0 */
/* The ctx that plugins get. A plugin may keep it for ever and call with it from
 * any thread, so it is not an address but a number that is never given out
 * twice: a late call finds nothing instead of freed memory, and an instance
 * that is gone leaves nothing behind. */
#ifndef MUSTER_CORE_RESOLVER_HANDLE_H
#define MUSTER_CORE_RESOLVER_HANDLE_H

#include <stdint.h>

#include <muster/status.h>

struct muster__resolver_instance;

/* Gives instance a number. Thread: any. MUSTER_NOMEM. */
muster_status muster__handle_open(struct muster__resolver_instance *instance,
                                  void **ret_ctx);

/* The instance, with a reference for the caller; NULL when it is gone (which is
 * counted). Thread: any. */
struct muster__resolver_instance *muster__handle_ref(void *ctx);

/* The number finds nothing from now on. Thread: any. */
void muster__handle_close(void *ctx);

/* Calls with the number of an instance that was gone, in this process. */
uint64_t muster__handle_late_calls(void);

#endif
