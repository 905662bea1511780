/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's parts: five servers, a list in a file, and load on a channel. */
#ifndef MUSTER_DEMO_H
#define MUSTER_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "backend.h"

enum {
    DEMO_BACKENDS = 5,
    DEMO_CALLS = 64,   /* unary calls in flight */
    DEMO_STREAMS = 50, /* streams open */
    DEMO_MAX_DELAYS = 4096
};

typedef struct demo_backend {
    backend process;
    atomic_bool is_killed;
    _Atomic uint64_t n_calls;    /* that ended well */
    _Atomic uint64_t n_streamed; /* messages echoed on streams */
    _Atomic uint64_t n_failed;
    _Atomic uint64_t added_ns; /* when it was listed; 0: served since */
} demo_backend;

typedef struct demo_world {
    demo_backend backends[DEMO_BACKENDS];
    char folder[64];
    char file[96];
    muster_channel *channel;
    atomic_bool is_ending;
    _Atomic uint64_t n_calls;          /* all that ended, streams included */
    _Atomic uint64_t n_streams;        /* streams that ended */
    _Atomic uint64_t n_failed_outside; /* not on the killed process */
    _Atomic uint64_t n_failed_on_killed;
    uint64_t delays_us[DEMO_MAX_DELAYS]; /* from file change to first call */
    _Atomic uint32_t n_delays;
    uint64_t n_changes;
} demo_world;

uint64_t demo_now_ns(void);

/* The backend whose peer or address ends in ":PORT"; NULL when none does. */
demo_backend *demo_backend_by_address(demo_world *demo, const char *address);

/* A call or a stream on address has ended. NULL: not known; of one that failed
 * the message may tell. */
void demo_record(demo_world *demo, const char *address, bool is_ok,
                 const char *message);

/* The threads that make the load, until is_ending. arg is the demo. */
void *demo_unary_thread(void *arg);
void *demo_stream_thread(void *arg);

/* Writes the list to the file, by rename: bit i of listed says that backend i
 * is in it. Notes the time for those that are new. */
bool demo_write_list(demo_world *demo, unsigned listed, const unsigned *weights,
                     bool is_reversed);

/* The next of the changes: add, remove, reorder, re-weight, replace. */
bool demo_change(demo_world *demo, unsigned step);

/* The lines of one second, and of the end. */
void demo_print_second(demo_world *demo, unsigned second);
void demo_print_summary(demo_world *demo);

#endif
