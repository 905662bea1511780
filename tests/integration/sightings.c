/* SPDX-License-Identifier: Apache-2.0 */
/* Which servers answered calls, and when. */
#include "sightings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

#define NETWORK "127.0.0."

/* 0: it is none of the network's. */
static int number_of(const char *text)
{
    const size_t length = strlen(NETWORK);
    long number = 0;

    if (text != NULL && strncmp(text, NETWORK, length) == 0) {
        number = strtol(text + length, NULL, 10);
    }
    return number > 0 && number < SIGHTINGS_MAX ? (int)number : 0;
}

static int number_of_peer(const char *peer)
{
    const char *colon = peer == NULL ? NULL : strchr(peer, ':');

    return colon == NULL ? 0 : number_of(colon + 1);
}

/* What the server says that it is; 0: it does not say. */
static int number_it_says(const grpc_metadata_array *metadata)
{
    char text[16] = "";

    for (size_t i = 0; metadata != NULL && i < metadata->count; i++) {
        const grpc_metadata *item = &metadata->metadata[i];
        const size_t length = GRPC_SLICE_LENGTH(item->value);

        if (grpc_slice_str_cmp(item->key, "x-server-id") == 0 &&
            length < sizeof text) {
            memcpy(text, GRPC_SLICE_START_PTR(item->value), length);
        }
    }
    return number_of(text);
}

static void note_time(sighting *server, uint64_t begun_ns)
{
    uint64_t none = 0;
    uint64_t last_ns = atomic_load(&server->last_ns);

    (void)atomic_compare_exchange_strong(&server->first_ns, &none, now_ns());
    while (last_ns < begun_ns && !atomic_compare_exchange_weak(
                                     &server->last_ns, &last_ns, begun_ns)) {
        /* Another caller was faster. */
    }
}

void sightings_note(sightings *self, const char *peer,
                    const grpc_metadata_array *initial_metadata,
                    uint64_t begun_ns)
{
    const int number = number_of_peer(peer);
    const int said = number_it_says(initial_metadata);
    sighting *server = &self->servers[number];

    if (said != 0 && said != number) {
        cluster_die("%s says that it is " NETWORK "%d", peer, said);
    }
    atomic_fetch_add(&server->n, 1);
    if (begun_ns != 0) {
        note_time(server, begun_ns);
    }
}

void sightings_forget_first(sightings *self, int number)
{
    atomic_store(&self->servers[number].first_ns, 0);
}

uint64_t sightings_count(const sightings *self, int number)
{
    return atomic_load(&self->servers[number].n);
}

uint64_t sightings_first_ns(const sightings *self, int number)
{
    return atomic_load(&self->servers[number].first_ns);
}

uint64_t sightings_last_ns(const sightings *self, int number)
{
    return atomic_load(&self->servers[number].last_ns);
}
