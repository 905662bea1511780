/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a table may be built later. */
#include "put_off.h"

#include "channel_internal.h"

/* A policy that knows panic hears by its tables alone which endpoints are
 * unfit, since they stay in the view. The first that are fit do not wait for
 * the rest, as in plane_lacks_little(). */
static bool is_fitness_told(const muster_channel *channel,
                            const muster__policy *policy)
{
    const uint32_t n_fit_told = channel->publisher.n_fit_told;
    uint32_t n_fit = 0;

    if (!policy->includes_unfit) {
        return true;
    }
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);
        const bool is_unfit = muster__subchannel_is_unfit(subchannel);

        if (!subchannel->is_in_view) {
            continue;
        }
        if (is_unfit != subchannel->is_told_unfit) {
            return false;
        }
        n_fit += is_unfit ? 0 : 1;
    }
    return n_fit == 0 || n_fit < 2 * n_fit_told;
}

/* Endpoints that become READY one by one would have a table built each. What
 * has gone must not serve, nobody is to wait, and those that serve alone are
 * not to bear more than twice what is theirs: none of that is put off. */
bool muster__may_put_off(muster_channel *channel, const muster__policy *policy)
{
    const muster__publisher *publisher = &channel->publisher;

    return policy->published.number == publisher->published_number &&
           muster__plane_lacks_little(channel->plane) &&
           is_fitness_told(channel, policy) &&
           !muster__parking_watch(&channel->parking);
}
