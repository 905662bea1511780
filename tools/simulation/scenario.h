/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation plays: servers, how often they are called, and what happens
 * to them meanwhile. tools/README.md describes the JSON. */
#ifndef MUSTER_TOOLS_SCENARIO_H
#define MUSTER_TOOLS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <muster/status.h>

#define SCENARIO_NEVER UINT64_MAX

typedef enum scenario_distribution {
    SCENARIO_UNIFORM, /* mean +- spread */
    SCENARIO_EXPONENTIAL
} scenario_distribution;

/* A server as it is at the beginning. */
typedef struct scenario_server {
    uint64_t service_ns; /* mean time of one call at speed 1 */
    uint64_t extra_ns;   /* on top of it, at any speed */
    double spread;       /* of UNIFORM: 0.3 is +-30 % */
    double speed;
    double errors; /* the share of calls that fail, 0 to 1 */
    scenario_distribution distribution;
    uint32_t slots; /* calls served at once, others wait; 0: any number */
    uint32_t weight;
    uint32_t priority;
    char zone[64]; /* "": none */
    bool is_listed;
} scenario_server;

typedef enum scenario_state {
    SCENARIO_SAME,
    SCENARIO_UP,
    SCENARIO_DOWN,   /* connections end, and cannot be made */
    SCENARIO_HUNG,   /* connections stay, calls get no answer */
    SCENARIO_LISTED, /* the resolver tells of it ... */
    SCENARIO_GONE    /* ... and does not any more */
} scenario_state;

/* Something happens to servers first to first + n - 1. */
typedef struct scenario_change {
    uint64_t at_ns;
    uint64_t every_ns; /* again and again; 0: once */
    uint64_t ramp_ns;  /* the speed gets there in even steps */
    uint64_t extra_ns; /* SCENARIO_NEVER: as before */
    double speed;      /* 0: as before */
    double errors;     /* negative: as before */
    scenario_state state;
    uint32_t first;
    uint32_t n;
} scenario_change;

/* From at_ns on, all clients together make per_s calls a second. */
typedef struct scenario_rate {
    uint64_t at_ns;
    double per_s;
} scenario_rate;

typedef struct scenario {
    char *about;
    scenario_server *servers;
    scenario_change *changes;
    scenario_rate *rates;
    size_t n_servers;
    size_t n_changes;
    size_t n_rates; /* at least 1, in the order of their times */
    uint64_t seed;
    uint64_t duration_ns; /* calls begin before it */
    uint64_t deadline_ns; /* of a call; SCENARIO_NEVER: none */
    uint64_t connect_ns;  /* how long connecting takes */
    uint32_t n_clients;
    uint32_t n_keys;  /* calls have one of so many hash keys; 0: none */
    json_t *policies; /* an array of names and {name: config}; or NULL */
} scenario;

/* Reads one; text is borrowed. MUSTER_INVAL (err has the place), MUSTER_NOMEM.
 * *ret_scenario is the caller's, filled only when this is MUSTER_OK. */
muster_status scenario_parse(const char *text, size_t size,
                             scenario *ret_scenario, muster_error *err);

void scenario_release(scenario *self);

/* The built-in one of that name, or NULL. */
const char *scenario_built_in(const char *name);

/* The names of the built-in ones; NULL behind the last. */
const char *scenario_name(size_t i);

#endif
