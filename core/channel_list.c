/* SPDX-License-Identifier: Apache-2.0 */
/* A channel takes over a change of its resolver's list. */
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"
#include "log_internal.h"
#include "policy_choice.h"

/* ---- weights: are all equal? (behaviour rule 13) ---- */

static void weights_add(muster_channel *channel, uint32_t weight)
{
    if (channel->table.n_listed == 0) {
        channel->weights.reference = weight;
    }
    channel->weights.n_same += weight == channel->weights.reference;
}

static void weights_subtract(muster_channel *channel, uint32_t weight)
{
    channel->weights.n_same -= weight == channel->weights.reference;
}

/* Another reference when the last of the old one has gone. */
static void weights_settle(muster_channel *channel)
{
    muster__subchannel_table *table = &channel->table;

    if (channel->weights.n_same > 0 || table->n_listed == 0) {
        return;
    }
    for (uint32_t i = 0; i < table->n_numbers; i++) {
        const muster__subchannel *subchannel = muster__table_at(table, i);
        if (subchannel->endpoint == NULL || !subchannel->is_listed) {
            continue;
        }
        if (channel->weights.n_same == 0) {
            channel->weights.reference = subchannel->endpoint->data.weight;
        }
        channel->weights.n_same +=
            subchannel->endpoint->data.weight == channel->weights.reference;
    }
}

bool muster__channel_weights_differ(const muster_channel *channel)
{
    return channel->weights.n_same != channel->table.n_listed;
}

/* ---- one change ---- */

static void list_in(muster_channel *channel, muster__subchannel *subchannel)
{
    subchannel->is_listed = true;
    weights_add(channel, subchannel->endpoint->data.weight);
    channel->table.n_listed++;
    muster__priorities_add(&channel->priorities, subchannel);
}

static void list_out(muster_channel *channel, muster__subchannel *subchannel)
{
    muster__priorities_subtract(&channel->priorities, subchannel);
    weights_subtract(channel, subchannel->endpoint->data.weight);
    channel->table.n_listed--;
    subchannel->is_listed = false;
}

static void set_endpoint(muster__subchannel *subchannel,
                         muster__endpoint *endpoint)
{
    muster__endpoint *old = subchannel->endpoint;

    subchannel->endpoint = muster__endpoint_ref(endpoint);
    muster__endpoint_unref(old);
}

/* Leaves the list. One in the view waits in *leaving for the verdict: whether
 * it serves on is known only when the whole list is in. */
static void remove_one(muster_channel *channel, uint32_t index,
                       uint32_t *leaving)
{
    muster__subchannel *subchannel =
        muster__table_by_index(&channel->table, index);

    muster__table_set_index(&channel->table, index, NULL);
    list_out(channel, subchannel);
    if (subchannel->is_in_view) {
        subchannel->next = *leaving;
        *leaving = subchannel->number;
        return;
    }
    muster__subchannel_disconnect(channel, subchannel);
    muster__subchannel_release(channel, subchannel);
}

static bool is_same_endpoint(const muster__endpoint *a,
                             const muster__endpoint *b)
{
    return a->hash == b->hash && strcmp(a->data.address, b->data.address) == 0;
}

/* One that is still held from an older list, and is listed again: it keeps its
 * connection. */
static muster__subchannel *find_held(const muster_channel *channel,
                                     const muster__endpoint *endpoint)
{
    const muster__held *held = &channel->held;
    uint32_t mask = channel->held_index.mask;

    if (held->n == 0 || channel->held_index.slots == NULL) {
        return NULL;
    }
    for (uint32_t i = (uint32_t)endpoint->hash & mask;
         channel->held_index.slots[i] != MUSTER__NO_NUMBER;
         i = (i + 1) & mask) {
        muster__subchannel *subchannel =
            muster__table_at(&channel->table, channel->held_index.slots[i]);
        if (subchannel->is_held &&
            is_same_endpoint(subchannel->endpoint, endpoint)) {
            return subchannel;
        }
    }
    return NULL;
}

static void index_held(muster_channel *channel)
{
    uint32_t size = 16;

    while (size < channel->held.n * 2) {
        size *= 2;
    }
    channel->held_index.slots = malloc(size * sizeof(uint32_t));
    channel->held_index.mask = size - 1;
    if (channel->held_index.slots == NULL) {
        return; /* then a relisted one reconnects */
    }
    memset(channel->held_index.slots, 0xff, size * sizeof(uint32_t));
    for (uint32_t i = 0; i < channel->held.n; i++) {
        const muster__subchannel *subchannel = channel->held.items[i];
        uint32_t at = (uint32_t)subchannel->endpoint->hash & (size - 1);
        while (channel->held_index.slots[at] != MUSTER__NO_NUMBER) {
            at = (at + 1) & (size - 1);
        }
        channel->held_index.slots[at] = subchannel->number;
    }
}

/* Without a policy nothing is wanted yet: the first one says. */
static bool wants_all(const muster_channel *channel)
{
    const muster__policy *policy = channel->publisher.policy;

    return !channel->config.is_blocked && policy != NULL &&
           policy->class_->want == NULL;
}

static void add_one(muster_channel *channel, muster__endpoint *endpoint,
                    uint32_t index)
{
    muster__subchannel *subchannel = find_held(channel, endpoint);
    bool is_new = false;

    if (subchannel != NULL) {
        muster__held_remove(channel, subchannel);
        set_endpoint(subchannel, endpoint);
    } else {
        subchannel = muster__table_add(&channel->table, endpoint);
        subchannel->is_wanted = wants_all(channel); /* else it is asked soon */
        muster__policy_reset_states(channel, subchannel->number);
        is_new = true;
    }
    muster__table_set_index(&channel->table, index, subchannel);
    list_in(channel, subchannel);
    if (is_new) {
        muster__states_tell_subchannel(channel, subchannel, MUSTER_IDLE, NULL);
    }
}

static void change_one(muster_channel *channel, muster__endpoint *endpoint,
                       uint32_t index)
{
    muster__subchannel *subchannel =
        muster__table_by_index(&channel->table, index);

    list_out(channel, subchannel);
    set_endpoint(subchannel, endpoint);
    list_in(channel, subchannel);
}

/* ---- a whole change ---- */

static muster_status reserve(muster_channel *channel,
                             const muster__changes *changes)
{
    uint32_t limit = muster__set_limit(
        muster__resolution_set(channel->subscriber.resolution));
    uint32_t n_added = 0;
    uint32_t n_priorities = 0;
    uint32_t last_priority = 0;

    for (size_t i = 0; i < changes->n; i++) {
        const muster__change *change = &changes->items[i];
        if (change->after == NULL) {
            continue;
        }
        n_added += change->before == NULL;
        if (n_priorities == 0 ||
            change->after->data.priority != last_priority) {
            last_priority = change->after->data.priority;
            n_priorities++;
        }
    }
    muster_status status = muster__policy_reserve_states(channel, n_added);
    if (status != MUSTER_OK) {
        return status;
    }
    if (muster__table_reserve(&channel->table, n_added, limit) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    return muster__priorities_reserve(&channel->priorities, n_priorities);
}

static void apply(muster_channel *channel, const muster__changes *changes,
                  uint32_t *leaving)
{
    if (channel->held.n > 0) {
        index_held(channel);
    }
    for (size_t i = 0; i < changes->n; i++) {
        const muster__change *change = &changes->items[i];
        if (change->after == NULL) {
            remove_one(channel, change->index, leaving);
        } else if (change->before == NULL) {
            add_one(channel, change->after, change->index);
        } else {
            change_one(channel, change->after, change->index);
        }
    }
    free(channel->held_index.slots);
    channel->held_index.slots = NULL;
    weights_settle(channel);
}

static void choose_policy(muster_channel *channel)
{
    muster_error err;
    muster_status status = MUSTER_OK;

    if (!channel->config.is_blocked) {
        status = muster__policy_choose(channel, &err);
    }
    if (status == MUSTER_OK) {
        return;
    }
    muster__log(MUSTER_LOG_ERROR, "channel %s: %s",
                muster__channel_name(channel), err.message);
    free(channel->latest_failure);
    channel->latest_failure = strdup(err.message);
    if (status == MUSTER_NOMEM) {
        channel->is_resync_due = true; /* there may be some later */
        muster__channel_poll_soon(channel);
    }
}

static void connect_changed(muster_channel *channel,
                            const muster__changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        if (changes->items[i].after != NULL) {
            muster__subchannel_connect(
                channel, muster__table_by_index(&channel->table,
                                                changes->items[i].index));
        }
    }
    muster__connector_run(channel);
}

static void update_changed(muster_channel *channel,
                           const muster__changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        if (changes->items[i].after != NULL) {
            muster__channel_update_one(
                channel, muster__table_by_index(&channel->table,
                                                changes->items[i].index));
        }
    }
}

/* Those that left, now that it is known what the new list has. */
static void update_leaving(muster_channel *channel, uint32_t leaving)
{
    while (leaving != MUSTER__NO_NUMBER) {
        muster__subchannel *subchannel =
            muster__table_at(&channel->table, leaving);
        leaving = subchannel->next;
        subchannel->next = MUSTER__NO_NUMBER;
        muster__channel_update_one(channel, subchannel);
    }
}

static void take_over(muster_channel *channel, const muster__changes *changes)
{
    uint32_t leaving = MUSTER__NO_NUMBER;

    apply(channel, changes, &leaving);
    choose_policy(channel);
    if (muster__priorities_decide(channel) || channel->is_reconcile_due) {
        channel->is_reconcile_due = true;
        muster__channel_connect_wanted(channel);
        update_leaving(channel, leaving);
        muster__channel_update_view(channel, NULL);
    } else {
        connect_changed(channel, changes);
        update_changed(channel, changes);
        update_leaving(channel, leaving);
        muster__channel_settle(channel);
    }
    muster__channel_publish(channel);
}

/* ---- after a change that was lost ---- */

/* What the channel has at index; NULL: nothing. */
static muster__endpoint *own_at(const muster_channel *channel, uint32_t index)
{
    const muster__subchannel_table *table = &channel->table;

    return index >= table->n_indices ||
                   table->by_index[index] == MUSTER__NO_NUMBER
               ? NULL
               : muster__table_by_index(table, index)->endpoint;
}

/* What the resolution has there. */
static muster__endpoint *new_at(const muster__set *set, uint32_t index)
{
    return index < muster__set_limit(set) ? muster__set_at(set, index) : NULL;
}

static bool is_other(const muster__endpoint *before,
                     const muster__endpoint *after)
{
    return after == NULL || !is_same_endpoint(before, after);
}

/* Into items, of which there are enough. As in all changes removals come first:
 * an endpoint may have another index now, and is listed once at a time. */
static size_t compare(const muster_channel *channel, const muster__set *set,
                      uint32_t limit, muster__change *items)
{
    size_t n = 0;

    for (uint32_t i = 0; i < limit; i++) {
        muster__endpoint *before = own_at(channel, i);
        if (before != NULL && is_other(before, new_at(set, i))) {
            items[n++] = (muster__change){before, NULL, i};
        }
    }
    for (uint32_t i = 0; i < limit; i++) {
        muster__endpoint *before = own_at(channel, i);
        muster__endpoint *after = new_at(set, i);
        if (after != NULL && before != after) {
            bool is_new = before == NULL || is_other(before, after);
            items[n++] = (muster__change){is_new ? NULL : before, after, i};
        }
    }
    return n;
}

/* Memory may be there soon. Numbers for policies' states are short only of a
 * list that is too long: it is not taken, and the next one may be. */
static void put_aside(muster_channel *channel, muster_status status)
{
    channel->is_resync_due = status != MUSTER_EXHAUSTED;
    if (channel->is_resync_due) {
        muster__channel_poll_soon(channel);
        return;
    }
    if (!channel->is_list_refused) {
        muster__log(MUSTER_LOG_ERROR,
                    "channel %s: more endpoints than policies can have states "
                    "of: the list is refused, the last one is kept",
                    muster__channel_name(channel));
    }
    channel->is_list_refused = true;
}

/* The changes between what the channel has and the resolution's set: for when a
 * change could not be taken over for want of memory. */
void muster__channel_resync(muster_channel *channel)
{
    const muster__set *set =
        muster__resolution_set(channel->subscriber.resolution);
    uint32_t n_set = muster__set_limit(set);
    uint32_t n_own = channel->table.n_indices;
    uint32_t limit = n_set > n_own ? n_set : n_own;
    muster__change *items = calloc((size_t)limit * 2 + 1, sizeof *items);
    muster__changes changes = {items, 0};
    muster_status status;

    if (items == NULL || muster__channel_config_update(channel) != MUSTER_OK) {
        free(items);
        return; /* the poll timer tries again */
    }
    changes.n = compare(channel, set, limit, items);
    status = reserve(channel, &changes);
    if (status == MUSTER_OK) {
        channel->is_resync_due = false;
        channel->is_list_refused = false;
        take_over(channel, &changes);
    } else {
        put_aside(channel, status);
    }
    free(items);
}

void muster__channel_list_changed(muster__subscriber *subscriber,
                                  const muster__changes *changes)
{
    muster_channel *channel =
        (muster_channel *)(void *)((char *)subscriber -
                                   offsetof(muster_channel, subscriber));
    muster_status status;

    channel->has_list = true;
    if (muster__channel_config_update(channel) != MUSTER_OK ||
        channel->is_list_refused) {
        channel->is_resync_due = true;
    }
    if (channel->is_resync_due) {
        muster__channel_poll_soon(channel);
        return;
    }
    status = reserve(channel, changes);
    if (status != MUSTER_OK) {
        put_aside(channel, status);
        return;
    }
    take_over(channel, changes);
}
