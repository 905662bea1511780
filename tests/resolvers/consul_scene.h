/* SPDX-License-Identifier: Apache-2.0 */
/* A watch on a consul target whose agent answers as the test says. The plugin
 * is linked in. Thread: the test's. What does not come in time fails the test.
 */
#ifndef MUSTER_TESTS_CONSUL_SCENE_H
#define MUSTER_TESTS_CONSUL_SCENE_H

#include "http_server.h"
#include "watched.h"

#define SCENE_ONE "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}]"
#define SCENE_TWO "[{\"Service\":{\"Address\":\"10.0.0.2\",\"Port\":80}}]"

/* For those who wait for several tries. */
#define SCENE_TRIES_OFTEN "?max_backoff=100ms"

enum {
    SCENE_WAIT_MS = 60000,
    SCENE_BLOCKED_MS = 60000,
    SCENE_TARGET_SIZE = 256
};

typedef struct consul_scene {
    http_server *server;
    watched watch;
} consul_scene;

extern consul_scene scene; /* there is one */

/* Starts the server and watches a service there; rest is what follows it, as
 * "?limit=2". */
void scene_begin(http_answer_fn answer, const char *rest);

/* Only registers the plugin and starts the server. */
void scene_prepare(http_answer_fn answer);

/* Writes "consul://127.0.0.1:PORT/REST". */
void scene_target(char target[SCENE_TARGET_SIZE], const char *rest);

/* Ends the watch and the server. */
void scene_end(void);

void scene_expect_list(const char *addresses);
void scene_expect_error(const char *part);

/* 10.0.0.1:80 is listed, then the server goes wrong: the list stays, and that
 * is said once in the time of several tries. */
void scene_expect_kept(const char *part);

/* The empty list has come, and the one before it stays for the hold. */
void scene_expect_held(void);

/* ---- for answers ---- */

/* Whether it is a query that blocks. */
bool scene_is_blocking(const http_exchange *exchange);

/* Lists 10.0.0.1:80 to the first; true: it was given, and *ret_goes_on is what
 * to return. */
bool scene_gives_first(http_exchange *exchange, bool *ret_goes_on);

#endif
