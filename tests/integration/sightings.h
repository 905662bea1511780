/* SPDX-License-Identifier: Apache-2.0 */
/* Which servers on 127.0.0.0/24 answered calls, and when. A server is known by
 * its last number: 2 is 127.0.0.2. Thread: any, for each function. */
#ifndef MUSTER_TESTS_SIGHTINGS_H
#define MUSTER_TESTS_SIGHTINGS_H

#include <stdatomic.h>
#include <stdint.h>

#include <grpc/grpc.h>

enum { SIGHTINGS_MAX = 256 };

typedef struct sighting {
    _Atomic uint64_t n;
    _Atomic uint64_t first_ns; /* when the first call had ended; 0: none */
    _Atomic uint64_t last_ns;  /* when the last call began */
} sighting;

/* All zero at first. */
typedef struct sightings {
    sighting servers[SIGHTINGS_MAX];
} sightings;

/* A call that peer ("ipv4:127.0.0.2:4711") answered well, and began at begun_ns
 * (now_ns(); 0: not known, only counts). When a server with --id 127.0.0.N
 * answered, the peer must be the one it says it is: otherwise the process
 * ends. */
void sightings_note(sightings *self, const char *peer,
                    const grpc_metadata_array *initial_metadata,
                    uint64_t begun_ns);

/* The next call of the server is its first. */
void sightings_forget_first(sightings *self, int number);

uint64_t sightings_count(const sightings *self, int number);
uint64_t sightings_first_ns(const sightings *self, int number);
uint64_t sightings_last_ns(const sightings *self, int number);

#endif
