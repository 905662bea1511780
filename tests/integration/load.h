/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls, one after another, and what became of them. */
#ifndef MUSTER_TESTS_LOAD_H
#define MUSTER_TESTS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "sightings.h"

typedef struct load load;

/* Keeps n_in_flight calls in flight from one thread, over a queue. */
load *load_start_queued(muster_channel *channel, size_t n_in_flight);

/* Calls and waits, on n_callers threads. */
load *load_start_blocking(muster_channel *channel, size_t n_callers);

/* Waits until n calls have ended in all; false after 120 s. */
bool load_await(load *self, uint64_t n);

/* Waits until each blocking caller has ended a call more: those that were in
 * flight have ended, and are counted. False after 20 s. */
bool load_settle(load *self);

uint64_t load_ended(const load *self);
uint64_t load_failed(const load *self);

/* Of the server that listens on port: calls that ended well on it, calls that
 * failed and had it as their peer. */
uint64_t load_answered_by(const load *self, int port);
uint64_t load_failed_on(const load *self, int port);

/* The servers that answered blocking callers; lives as long as self. */
sightings *load_sightings(load *self);

/* Waits until the calls in flight have ended. */
void load_stop(load *self);

void load_destroy(load *self);

#endif
