/* SPDX-License-Identifier: Apache-2.0 */
/* A watch whose events are waited for, one after another, instead of being
 * called back. */
#ifndef MUSTER_TOOLS_LISTENER_H
#define MUSTER_TOOLS_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <muster/status.h>
#include <muster/watch.h>

typedef struct listener listener;

/* A copy of a muster_watch_event. */
typedef struct answer {
    struct answer *next; /* the listener's */
    muster_watch_type type;
    muster_status status;
    bool is_held;
    uint64_t generation;
    uint64_t age_ms;
    json_t *endpoints; /* as model_endpoints() */
    json_t *service_config;
    json_t *message;
} answer;

/* As muster_watch_create(). *ret_listener is the caller's. */
muster_status listener_create(const char *target, listener **ret_listener,
                              muster_error *err);

void listener_destroy(listener *self); /* NULL is ignored */

/* Waits until deadline_ms on listener_now_ms()'s clock (UINT64_MAX: for ever).
 * *ret_answer is the caller's. MUSTER_TIMEOUT, MUSTER_NOMEM. */
muster_status listener_next(listener *self, uint64_t deadline_ms,
                            answer **ret_answer);

void answer_destroy(answer *self); /* NULL is ignored */

/* A monotonic clock. */
uint64_t listener_now_ms(void);

/* The deadline that is delay_ms from now; UINT64_MAX stays that. */
uint64_t listener_deadline_ms(uint64_t delay_ms);

#endif
