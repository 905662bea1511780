/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of an endpoint beside its first. */
#include "spares_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "channel_internal.h"
#include "channel_options.h"
#include "log_internal.h"
#include "renewal.h"

/* NULL: it has none. */
static muster__spare *find(muster__spares *spares,
                           const muster__connection *connection)
{
    for (uint32_t i = 0; spares != NULL && i < spares->n; i++) {
        if (spares->places[i].connection == connection) {
            return &spares->places[i];
        }
    }
    return NULL;
}

static muster__spare *find_any(muster__spares *spares)
{
    for (uint32_t i = 0; spares != NULL && i < spares->n; i++) {
        if (spares->places[i].connection != NULL) {
            return &spares->places[i];
        }
    }
    return NULL;
}

static muster__spare *find_vacant(muster__spares *spares)
{
    for (uint32_t i = 0; i < spares->n; i++) {
        muster__spare *place = &spares->places[i];
        if (place->connection == NULL && place->due_ms == 0) {
            return place;
        }
    }
    return NULL;
}

/* ---- those that want a connection ---- */

static void enqueue(muster__spares *spares)
{
    muster__pools *pools = &spares->channel->pools;

    if (spares->is_queued) {
        return;
    }
    spares->is_queued = true;
    spares->next = NULL;
    spares->previous = pools->last;
    if (pools->last != NULL) {
        pools->last->next = spares;
    } else {
        pools->first = spares;
    }
    pools->last = spares;
}

static void dequeue(muster__spares *spares)
{
    muster__pools *pools = &spares->channel->pools;

    if (!spares->is_queued) {
        return;
    }
    spares->is_queued = false;
    if (spares->previous != NULL) {
        spares->previous->next = spares->next;
    } else {
        pools->first = spares->next;
    }
    if (spares->next != NULL) {
        spares->next->previous = spares->previous;
    } else {
        pools->last = spares->previous;
    }
}

/* ---- backoff ---- */

static void start_timer(muster__spares *spares)
{
    uint64_t now_ms = muster__now_ms();
    uint64_t due_ms = 0;

    for (uint32_t i = 0; i < spares->n; i++) {
        uint64_t other_ms = spares->places[i].due_ms;
        if (other_ms != 0 && (due_ms == 0 || other_ms < due_ms)) {
            due_ms = other_ms;
        }
    }
    if (due_ms == 0) {
        muster__timer_stop(spares->timer);
    } else {
        muster__timer_start(spares->timer,
                            due_ms > now_ms ? due_ms - now_ms : 0);
    }
}

static void backoff_over(void *arg)
{
    muster__spares *spares = arg;
    muster_channel *channel = spares->channel;
    uint64_t now_ms = muster__now_ms();

    for (uint32_t i = 0; i < spares->n; i++) {
        if (spares->places[i].due_ms <= now_ms) {
            spares->places[i].due_ms = 0;
        }
    }
    start_timer(spares);
    muster__spares_want(channel, spares->subchannel);
    muster__connector_run(channel);
}

static void put_off(muster__spares *spares, muster__spare *place,
                    const char *reason)
{
    muster__log(MUSTER_LOG_INFO,
                "channel %s: %s: one of its connections failed: %s",
                muster__channel_name(spares->channel),
                spares->subchannel->endpoint->data.address, reason);
    place->due_ms = muster__now_ms() +
                    muster__backoff_next(&place->backoff, muster__random());
    start_timer(spares);
}

void muster__spares_reset_backoff(muster_channel *channel,
                                  muster__subchannel *subchannel)
{
    muster__spares *spares = muster__spares_of(channel, subchannel);

    if (spares == NULL) {
        return;
    }
    for (uint32_t i = 0; i < spares->n; i++) {
        muster__backoff_reset(&spares->places[i].backoff);
        spares->places[i].due_ms = 0;
    }
    muster__timer_stop(spares->timer);
    muster__spares_want(channel, subchannel);
}

/* ---- beginning and ending ---- */

static muster_status reserve(muster_channel *channel)
{
    muster__pools *pools = &channel->pools;
    uint32_t n = channel->table.n_chunks * MUSTER__TABLE_CHUNK;

    if (pools->n_numbers < n) {
        muster__spares **by_number =
            realloc(pools->by_number, n * sizeof *by_number);
        if (by_number == NULL) {
            return MUSTER_NOMEM;
        }
        for (uint32_t i = pools->n_numbers; i < n; i++) {
            by_number[i] = NULL;
        }
        pools->by_number = by_number;
        pools->n_numbers = n;
    }
    return MUSTER_OK;
}

static muster__spares *spares_create(muster_channel *channel,
                                     muster__subchannel *subchannel)
{
    const muster_channel_options *options = &channel->options;
    uint32_t n = options->connections_per_endpoint - 1;
    muster__spares *spares =
        calloc(1, sizeof *spares + n * sizeof spares->places[0]);

    if (spares == NULL) {
        return NULL;
    }
    if (reserve(channel) != MUSTER_OK ||
        muster__timer_create(backoff_over, spares, &spares->timer) !=
            MUSTER_OK) {
        free(spares);
        return NULL;
    }
    spares->channel = channel;
    spares->subchannel = subchannel;
    spares->n = n;
    for (uint32_t i = 0; i < n; i++) {
        muster__channel_backoff_init(&spares->places[i].backoff, options);
    }
    channel->pools.by_number[subchannel->number] = spares;
    return spares;
}

muster__spares *muster__spares_get(muster_channel *channel,
                                   muster__subchannel *subchannel)
{
    muster__spares *spares = muster__spares_of(channel, subchannel);

    return spares != NULL ? spares : spares_create(channel, subchannel);
}

void muster__spares_end(muster_channel *channel, muster__subchannel *subchannel)
{
    muster__spares *spares = muster__spares_of(channel, subchannel);

    if (spares == NULL) {
        return;
    }
    (void)muster__spares_leave_view(channel, subchannel);
    dequeue(spares);
    channel->pools.by_number[subchannel->number] = NULL;
    for (uint32_t i = 0; i < spares->n; i++) {
        muster__connection *connection = spares->places[i].connection;
        if (connection != NULL) { /* being made, or READY */
            muster__connector_leave(connection);
            muster__connection_give_up(connection);
        }
    }
    muster__timer_destroy(spares->timer);
    free(spares);
}

void muster__pools_fini(muster__pools *pools)
{
    assert(pools->first == NULL);
    free(pools->by_number);
}

/* ---- making connections ---- */

static bool may_have_spares(const muster_channel *channel,
                            const muster__subchannel *subchannel)
{
    return subchannel->connection != NULL && subchannel->connection->is_ready &&
           subchannel->is_listed &&
           (subchannel->is_wanted || subchannel->is_asked) &&
           !channel->is_closing &&
           muster__priorities_is_started(&channel->priorities,
                                         subchannel->endpoint->data.priority);
}

void muster__spares_want(muster_channel *channel,
                         muster__subchannel *subchannel)
{
    muster__spares *spares;

    if (!muster__pools_are_used(&channel->options) ||
        !may_have_spares(channel, subchannel)) {
        return;
    }
    spares = muster__spares_get(channel, subchannel);
    if (spares == NULL) {
        channel->is_reconcile_due = true;
        muster__channel_poll_soon(channel); /* out of memory: again later */
    } else if (find_vacant(spares) != NULL) {
        enqueue(spares);
    }
}

static void attempt(muster__spares *spares, muster__spare *place)
{
    muster_error err = {MUSTER_NOMEM, "out of memory", 0};

    place->connection =
        muster__connection_create_beside(spares->subchannel, &err);
    if (place->connection == NULL) {
        put_off(spares, place, err.message);
    }
}

void muster__spares_run(muster_channel *channel)
{
    muster__pools *pools = &channel->pools;

    while (pools->first != NULL &&
           channel->connector.n_connecting < channel->options.max_connecting) {
        muster__spares *spares = pools->first;
        muster__spare *place = find_vacant(spares);

        dequeue(spares);
        if (place != NULL && may_have_spares(channel, spares->subchannel)) {
            attempt(spares, place);
            muster__spares_want(channel, spares->subchannel);
        }
    }
}

/* ---- what becomes of them ---- */

bool muster__spares_reached(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;
    muster__spares *spares = muster__spares_of(channel, subchannel);
    muster__spare *place = find(spares, connection);

    if (place == NULL) {
        return false;
    }
    muster__backoff_reset(&place->backoff);
    if (subchannel->connection->is_ready) {
        return true;
    }
    muster__spares_change_places(spares, place);
    return false;
}

bool muster__spares_failed(muster__connection *connection, const char *reason)
{
    muster__spares *spares =
        muster__spares_of(connection->channel, connection->subchannel);
    bool is_first = connection == connection->subchannel->connection;
    muster__spare *place =
        is_first ? find_any(spares) : find(spares, connection);

    if (place == NULL) {
        return false;
    }
    if (is_first) {
        muster__spares_change_places(spares, place);
    }
    place->connection = NULL;
    put_off(spares, place, reason);
    muster__connection_give_up(connection);
    return true;
}

/* The place of a connection that went away, after the first place was given to
 * another one that is READY. NULL: none is. */
static muster__spare *place_of_lost(muster__spares *spares,
                                    const muster__connection *connection)
{
    muster__subchannel *subchannel = spares->subchannel;
    muster__spare *place;

    if (connection != subchannel->connection) {
        return find(spares, connection);
    }
    place = muster__spares_best(spares);
    if (place != NULL) {
        muster__spares_change_places(spares, place);
    }
    return place;
}

/* Another connection that was to replace it has its place now, or none has. */
static void vacate(muster__spare *place, muster__connection *connection)
{
    muster__renewal_adopt(connection);
    if (place->connection == connection) {
        place->connection = NULL;
    }
}

bool muster__spares_went_away(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;
    muster__spares *spares = muster__spares_of(channel, subchannel);
    bool was_first = connection == subchannel->connection;
    muster__spare *place =
        spares == NULL ? NULL : place_of_lost(spares, connection);

    if (place == NULL) {
        return false;
    }
    if (muster__spares_is_only_member(spares, connection)) {
        (void)muster__spares_leave_view(channel, subchannel);
        subchannel->is_in_view = false;
    }
    vacate(place, connection);
    muster__connection_give_up(connection);
    if (muster__spares_choose_first(channel, subchannel) || was_first) {
        muster__subchannel_judge(channel, subchannel);
    }
    muster__spares_want(channel, subchannel);
    return true;
}

void muster__spares_succeed_first(muster_channel *channel,
                                  muster__subchannel *subchannel)
{
    muster__spare *place = find_any(muster__spares_of(channel, subchannel));

    if (place != NULL) {
        subchannel->connection = place->connection;
        place->connection = NULL;
        muster__subchannel_set_state(channel, subchannel, MUSTER_CONNECTING);
    }
}

bool muster__spares_replace(const muster__connection *old,
                            muster__connection *successor)
{
    muster__spare *place =
        find(muster__spares_of(old->channel, old->subchannel), old);

    if (place != NULL) {
        place->connection = successor;
    }
    return place != NULL;
}
