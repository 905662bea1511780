/* SPDX-License-Identifier: Apache-2.0 */
/* What the server has done so far. */
#include "counts.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <jansson.h>

/* Relaxed: none of them says anything about other memory. */
static _Atomic uint64_t counts[N_COUNTS];

void counts_add(count which)
{
    (void)atomic_fetch_add_explicit(&counts[which], 1, memory_order_relaxed);
}

void counts_subtract(count which)
{
    (void)atomic_fetch_sub_explicit(&counts[which], 1, memory_order_relaxed);
}

static uint64_t read_count(count which)
{
    return atomic_load_explicit(&counts[which], memory_order_relaxed);
}

/* ---- Connections, by channelz ---- */

/* Takes ownership of text. */
static json_t *parse(char *text)
{
    json_t *parsed = text == NULL ? NULL : json_loads(text, 0, NULL);

    gpr_free(text);
    return parsed;
}

/* 64-bit numbers are strings in the JSON of protobuf. */
static intptr_t id_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? 0 : (intptr_t)strtoll(text, NULL, 10);
}

static intptr_t find_server(void)
{
    json_t *all = parse(grpc_channelz_get_servers(0));
    json_t *first = json_array_get(json_object_get(all, "server"), 0);
    const intptr_t id = id_of(json_object_get(first, "ref"), "serverId");

    json_decref(all);
    return id;
}

static size_t count_connections(void)
{
    const intptr_t server = find_server();
    intptr_t begin = 0;
    size_t n_connections = 0;
    bool is_end = false;

    while (!is_end) { /* a page of sockets */
        json_t *page =
            parse(grpc_channelz_get_server_sockets(server, begin, 0));
        const json_t *sockets = json_object_get(page, "socketRef");
        const size_t n = json_array_size(sockets);

        n_connections += n;
        is_end = n == 0 || json_is_true(json_object_get(page, "end"));
        if (!is_end) {
            begin = id_of(json_array_get(sockets, n - 1), "socketId") + 1;
        }
        json_decref(page);
    }
    return n_connections;
}

void counts_print(char *text, size_t size)
{
    (void)snprintf(text, size,
                   "calls=%" PRIu64 " failed=%" PRIu64 " retries=%" PRIu64
                   " cancelled=%" PRIu64 " health-calls=%" PRIu64
                   " watches=%" PRIu64 " accepted=%" PRIu64 " connections=%zu",
                   read_count(COUNT_CALLS), read_count(COUNT_FAILED),
                   read_count(COUNT_RETRIES), read_count(COUNT_CANCELLED),
                   read_count(COUNT_HEALTH_CALLS), read_count(COUNT_WATCHES),
                   read_count(COUNT_ACCEPTED), count_connections());
}
