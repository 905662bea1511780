/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an endpoint's connections is its first: what the health of each
 * makes of them. */
#include "log_internal.h"
#include "spares_internal.h"

/* Of what use a connection is to calls. */
typedef enum use {
    IS_BEING_MADE,
    DOES_NOT_SERVE,
    IS_NOT_KNOWN_TO_SERVE,
    SERVES
} use;

static use use_of(const muster__connection *connection)
{
    if (!connection->is_ready) {
        return IS_BEING_MADE;
    }
    switch (muster__connection_health(connection)) {
    case MUSTER_HEALTH_NOT_SERVING:
        return DOES_NOT_SERVE;
    case MUSTER_HEALTH_UNKNOWN:
        return IS_NOT_KNOWN_TO_SERVE;
    default:
        return SERVES;
    }
}

muster__spare *muster__spares_best(muster__spares *spares)
{
    muster__spare *best = NULL;
    use most = IS_BEING_MADE;

    for (uint32_t i = 0; i < spares->n; i++) {
        muster__spare *place = &spares->places[i];
        if (place->connection != NULL && use_of(place->connection) > most) {
            best = place;
            most = use_of(place->connection);
        }
    }
    return best;
}

void muster__spares_change_places(muster__spares *spares, muster__spare *place)
{
    muster__connection *first = spares->subchannel->connection;

    spares->subchannel->connection = place->connection;
    place->connection = first;
}

/* An endpoint that has failed stays so until a connection serves: those that
 * answer one by one that they do not would make it flap. */
bool muster__spares_choose_first(muster_channel *channel,
                                 muster__subchannel *subchannel)
{
    muster__spares *spares = muster__spares_of(channel, subchannel);
    muster__spare *best = spares == NULL ? NULL : muster__spares_best(spares);
    use most;

    if (best == NULL) {
        return false;
    }
    most = use_of(best->connection);
    if (most <= use_of(subchannel->connection) ||
        (most != SERVES && subchannel->state == MUSTER_TRANSIENT_FAILURE)) {
        return false;
    }
    muster__spares_change_places(spares, best);
    return true;
}

void muster__spares_judge(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;
    bool has_changed = muster__spares_choose_first(channel, subchannel);
    const char *reason = muster__connection_health_reason(connection);

    if (has_changed || connection == subchannel->connection) {
        muster__subchannel_judge(channel, subchannel);
    }
    if (reason != NULL && connection != subchannel->connection) {
        muster__log(MUSTER_LOG_INFO,
                    "channel %s: %s: one of its connections: %s",
                    muster__channel_name(channel),
                    subchannel->endpoint->data.address, reason);
    }
}
