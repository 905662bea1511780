/* SPDX-License-Identifier: Apache-2.0 */
/* Another endpoint for a call that was on some before. */
#include "pick_elsewhere.h"

/* 2^32 divided by the golden ratio: multiples of it spread evenly. */
#define SPREAD UINT64_C(2654435761)

/* Among the last n that the call was on. */
static bool is_among_last(const muster_call_info *call, uint32_t n, uint64_t id)
{
    for (uint32_t i = call->n_tried - n; i < call->n_tried; i++) {
        if (call->tried[i] == id) {
            return true;
        }
    }
    return false;
}

bool muster__is_tried(const muster_call_info *call, uint64_t id)
{
    return call->n_tried != 0 && is_among_last(call, call->n_tried, id);
}

/* Not long: of as many as were tried and one more, one was not. */
static uint32_t find(const muster__view *view, const muster_pick_args *args,
                     uint32_t start, uint32_t n_last)
{
    for (uint32_t i = 0; i < args->n_ready; i++) {
        const uint32_t index =
            (uint32_t)(((uint64_t)start + i) % args->n_ready);
        const muster__slot *slot = muster__view_slot(view, index);

        if (!is_among_last(args->call, n_last, slot->id) &&
            muster__slot_is_ready(slot)) {
            return index;
        }
    }
    return args->n_ready;
}

uint32_t muster__find_untried(const muster__view *view,
                              const muster_pick_args *args, uint32_t index)
{
    const uint32_t start = (uint32_t)((index + SPREAD) % args->n_ready);
    const uint32_t other = find(view, args, start, args->call->n_tried);

    return other != args->n_ready ? other : find(view, args, index, 1);
}

uint32_t muster__find_anywhere(const muster__view *view,
                               const muster_pick_args *args, uint32_t index)
{
    const uint32_t start =
        (uint32_t)((index + args->repick * SPREAD) % args->n_ready);
    uint32_t other = args->n_ready;

    if (args->call->n_tried != 0) {
        other = muster__find_untried(view, args, start);
    }
    return other != args->n_ready ? other : start;
}
