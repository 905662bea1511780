/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through C core's own round_robin, with default arguments; and in turn
 * over channels of one address each, which is what muster's calls cost without
 * muster. */
#include "load.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/time.h>

#include "core_call.h"

enum { MAX_CHANNELS = 16 };

static grpc_channel *channels[MAX_CHANNELS];
static unsigned n_channels;

static void add_channel(const char *addresses)
{
    char target[1024];

    (void)snprintf(target, sizeof target, "ipv4:%s", addresses);
    channels[n_channels++] = core_channel_create(target, NULL, NULL, 0);
}

static bool open_round_robin(const char *addresses)
{
    grpc_init();
    add_channel(addresses);
    return true;
}

static bool open_bare(const char *addresses)
{
    char list[1024];
    char *rest = list;
    const char *address;

    grpc_init();
    (void)snprintf(list, sizeof list, "%s", addresses);
    for (address = strsep(&rest, ",");
         address != NULL && n_channels < MAX_CHANNELS;
         address = strsep(&rest, ",")) {
        add_channel(address);
    }
    return address == NULL;
}

/* What one thread needs: its queue, and whose turn it is. */
typedef struct caller {
    grpc_completion_queue *queue;
    unsigned turn;
} caller;

static void *enter(void)
{
    static atomic_uint n_entered;
    caller *self = malloc(sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->queue = grpc_completion_queue_create_for_next(NULL);
    self->turn = atomic_fetch_add(&n_entered, 1);
    return self;
}

static void leave(void *context)
{
    caller *self = context;

    core_queue_destroy(self->queue);
    free(self);
}

static bool start(void *context, grpc_byte_buffer *request)
{
    caller *self = context;
    core_call *made = malloc(sizeof *made);

    if (made == NULL) {
        return false;
    }
    core_call_start(made, channels[self->turn++ % n_channels], self->queue,
                    "/echo.Echo/Unary", request, NULL, 0,
                    gpr_inf_future(GPR_CLOCK_MONOTONIC));
    return true;
}

static bool finish(void *context)
{
    caller *self = context;
    const grpc_event event = grpc_completion_queue_next(
        self->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    core_call *made = event.tag;
    const bool ok = made->status == GRPC_STATUS_OK;

    core_call_fini(made);
    free(made);
    return ok;
}

static bool call(void *context, grpc_byte_buffer *request)
{
    return start(context, request) && finish(context);
}

const load_side load_round_robin = {.open = open_round_robin,
                                    .enter = enter,
                                    .leave = leave,
                                    .call = call,
                                    .start = start,
                                    .finish = finish};

const load_side load_bare = {.open = open_bare,
                             .enter = enter,
                             .leave = leave,
                             .call = call,
                             .start = start,
                             .finish = finish};
