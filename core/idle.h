/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that nobody uses becomes IDLE (option idle_timeout_ms), and begins
 * anew when somebody does.
 *
 * Picks leave no trace that would tell a time without them from a busy one:
 * counts in flight return to what they were. So four times in the timeout the
 * control thread looks whether calls are in flight. When none are, it publishes
 * a picker that notes picks. The first noted one ends that: picks are noted one
 * at a time, and only in channels that are hardly used. When the fourth look in
 * a row finds neither a call nor a noted pick, the time is over. Thread:
 * control. */
#ifndef MUSTER_CORE_IDLE_H
#define MUSTER_CORE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/channel.h>

#include "loop.h"

#define MUSTER__IDLE_CAUSE "no call for as long as the idle timeout"

typedef struct muster__idleness {
    muster__timer *timer; /* of the next look, or try to resolve */
    uint32_t n_quiet;     /* looks in a row */
    bool is_noting;
    bool is_idle;
    bool is_unsubscribing; /* from the resolver: that ends later */
} muster__idleness;

muster_status muster__idle_init(muster_channel *channel);

/* The channel is open, or the timeout is another now. */
void muster__idle_start(muster_channel *channel);

/* A noted pick, or a wish to connect: ends idleness, or puts it off. */
void muster__idle_stir(muster_channel *channel);

/* Whether the resolver may be asked for anything. */
bool muster__idle_has_resolver(const muster_channel *channel);

/* The resolver is done with a channel that does not close. */
void muster__idle_unsubscribed(muster_channel *channel);

/* The channel closes: unsubscribes, unless it has or is about to. */
void muster__idle_close(muster_channel *channel);

#endif
