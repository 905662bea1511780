/* SPDX-License-Identifier: Apache-2.0 */
/* Another endpoint for a call that was on some before. Thread: any, inside the
 * guard. */
#ifndef MUSTER_CORE_PICK_ELSEWHERE_H
#define MUSTER_CORE_PICK_ELSEWHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "view.h"

/* Whether the call was on that endpoint. */
bool muster__is_tried(const muster_call_info *call, uint64_t id);

/* The policy insists on index, which the call was on. An index of the view
 * whose slot is READY and which it was not on; when there is none, one that it
 * was not on the last time, index itself if it may be; else args->n_ready,
 * which is at least 1. */
uint32_t muster__find_untried(const muster__view *view,
                              const muster_pick_args *args, uint32_t index);

/* The policy insists on index, which is lost. Another one, elsewhere for each
 * repick, and not one that the call was on if there are others. */
uint32_t muster__find_anywhere(const muster__view *view,
                               const muster_pick_args *args, uint32_t index);

#endif
