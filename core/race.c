/* SPDX-License-Identifier: Apache-2.0 */
/* The order of an endpoint's addresses, and the pace of the attempts at them.
 */
#include "race.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"
#include "endpoint_record.h"
#include "text.h"
#include "timing.h"

/* Of a reason that stands beside others. */
enum { CAUSE_MAX = 160 };

typedef enum address_family {
    FAMILY_IPV4,
    FAMILY_IPV6,
    FAMILY_UNIX
} address_family;

enum { N_FAMILIES = 3 };

typedef struct race_runner {
    const char *address;      /* of the connection's endpoint */
    muster__attempt *attempt; /* while it is under way */
    char *reason; /* why it failed; NULL: it has not, or no memory */
} race_runner;

struct muster__race {
    muster__connection *connection;
    muster__timer *timer; /* of the next attempt; NULL for one address */
    uint32_t next;        /* runner to begin */
    uint32_t n_under_way;
    uint32_t n;
    race_runner runners[]; /* n, in the order in which they begin */
};

/* ---- the order ---- */

static address_family family_of(const char *address)
{
    if (address[0] == '[') {
        return FAMILY_IPV6;
    }
    return strncmp(address, "unix", 4) == 0 ? FAMILY_UNIX : FAMILY_IPV4;
}

/* The families of endpoint, in the order of their first addresses. */
static uint32_t list_families(const muster_endpoint *endpoint,
                              address_family ret_families[N_FAMILIES])
{
    bool is_listed[N_FAMILIES] = {false};
    uint32_t n = 0;

    for (uint32_t i = 0; i <= endpoint->n_more_addresses; i++) {
        address_family family =
            family_of(muster__endpoint_address(endpoint, i));

        if (!is_listed[family]) {
            is_listed[family] = true;
            ret_families[n++] = family;
        }
    }
    return n;
}

/* The first address of family from number i on; past the last when there is
 * none. */
static uint32_t find_family(const muster_endpoint *endpoint,
                            address_family family, uint32_t i)
{
    while (i <= endpoint->n_more_addresses &&
           family_of(muster__endpoint_address(endpoint, i)) != family) {
        i++;
    }
    return i;
}

/* The families take turns, as RFC 8305 section 4 has it, so that one that does
 * not work costs one delay. Within a family the order is the resolver's. */
static void put_in_order(muster__race *race, const muster_endpoint *endpoint)
{
    address_family families[N_FAMILIES];
    uint32_t n_families = list_families(endpoint, families);
    uint32_t next[N_FAMILIES] = {0};
    uint32_t n = 0;

    for (uint32_t turn = 0; n < race->n; turn = (turn + 1) % n_families) {
        uint32_t i = find_family(endpoint, families[turn], next[turn]);

        if (i <= endpoint->n_more_addresses) {
            race->runners[n++].address = muster__endpoint_address(endpoint, i);
            i++;
        }
        next[turn] = i;
    }
}

/* ---- the pace ---- */

/* There is none to wait for after the last address. */
static void set_timer(muster__race *race)
{
    const muster_channel_options *options = &race->connection->channel->options;

    if (race->timer == NULL) {
        return;
    }
    if (race->next < race->n) {
        muster__timer_start(
            race->timer,
            muster__timing_wait_ms(options->connection_attempt_delay_ms));
    } else {
        muster__timer_stop(race->timer);
    }
}

bool muster__race_go_on(muster__race *race)
{
    bool has_begun = false;

    while (race->next < race->n && !has_begun) {
        race_runner *runner = &race->runners[race->next++];
        muster_error err = {MUSTER_NOMEM, "out of memory", 0};

        has_begun = muster__attempt_create(race->connection, runner->address,
                                           &runner->attempt, &err) == MUSTER_OK;
        if (!has_begun) {
            runner->reason = strdup(err.message);
        }
    }
    race->n_under_way += has_begun ? 1 : 0;
    set_timer(race);
    return race->n_under_way > 0;
}

/* The latest attempt is still under way, so this is never the end. */
static void delay_over(void *arg)
{
    bool is_under_way = muster__race_go_on(arg);

    assert(is_under_way);
    (void)is_under_way;
}

static race_runner *find_runner(muster__race *race,
                                const muster__attempt *attempt)
{
    race_runner *runner = race->runners;

    while (runner->attempt != attempt) {
        runner++;
        assert(runner < race->runners + race->n);
    }
    return runner;
}

bool muster__race_lose(muster__race *race, muster__attempt *attempt,
                       const char *reason)
{
    race_runner *runner = find_runner(race, attempt);
    bool was_latest = runner == &race->runners[race->next - 1];

    runner->reason = strdup(reason);
    runner->attempt = NULL;
    race->n_under_way--;
    muster__attempt_destroy(attempt);
    return was_latest ? muster__race_go_on(race) : race->n_under_way > 0;
}

void muster__race_win(muster__race *race, const muster__attempt *attempt)
{
    find_runner(race, attempt)->attempt = NULL;
    race->n_under_way--;
}

/* ---- why all have failed ---- */

static const char *reason_of(const race_runner *runner)
{
    return runner->reason != NULL ? runner->reason : "out of memory";
}

static void explain_all(const muster__race *race, char *text, size_t size)
{
    const size_t room_for_rest = sizeof "; and 64 more";
    size_t at = (size_t)snprintf(text, size, "none of %u addresses connects",
                                 (unsigned)race->n);

    for (uint32_t i = 0; i < race->n; i++) {
        const race_runner *runner = &race->runners[i];
        const char *reason = reason_of(runner);
        size_t length =
            muster__utf8_end(reason, strnlen(reason, (size_t)CAUSE_MAX));
        size_t needed = strlen(runner->address) + length + sizeof "; : ";

        if (at + needed + room_for_rest > size) {
            (void)snprintf(text + at, size - at, "; and %u more",
                           (unsigned)(race->n - i));
            return;
        }
        at += (size_t)snprintf(text + at, size - at, "%s%s: %.*s",
                               i == 0 ? ": " : "; ", runner->address,
                               (int)length, reason);
    }
}

void muster__race_explain(const muster__race *race,
                          char ret_reason[MUSTER__RACE_REASON_SIZE])
{
    if (race->n == 1) {
        (void)snprintf(ret_reason, MUSTER__RACE_REASON_SIZE, "%s",
                       reason_of(&race->runners[0]));
    } else {
        explain_all(race, ret_reason, MUSTER__RACE_REASON_SIZE);
    }
}

/* ---- making and destroying ---- */

muster__race *muster__race_create(muster__connection *connection)
{
    const muster_endpoint *endpoint = &connection->endpoint->data;
    uint32_t n = endpoint->n_more_addresses + 1;
    muster__race *race = calloc(1, sizeof *race + n * sizeof race->runners[0]);

    if (race == NULL) {
        return NULL;
    }
    if (n > 1 &&
        muster__timer_create(delay_over, race, &race->timer) != MUSTER_OK) {
        free(race);
        return NULL;
    }
    race->connection = connection;
    race->n = n;
    put_in_order(race, endpoint);
    return race;
}

void muster__race_destroy(muster__race *race)
{
    if (race == NULL) {
        return;
    }
    for (uint32_t i = 0; i < race->n; i++) {
        muster__attempt_destroy(race->runners[i].attempt);
        free(race->runners[i].reason);
    }
    muster__timer_destroy(race->timer);
    free(race);
}
