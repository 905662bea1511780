/* SPDX-License-Identifier: Apache-2.0 */
/* A process with hostile plugins in it: what they logged, what a watch saw, and
 * whether the core still works. */
#ifndef MUSTER_TESTS_WORLD_H
#define MUSTER_TESTS_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include <muster/muster.h>

/* Points the search path at the test plugins, keeps the log, makes the pipe
 * that hang() waits on, and divides the core's times by ten. */
void world_open(void);

/* Ends muster. Fails the test when a channel or watch is left for 10 s. */
void world_close(void);

/* Lets every hang() go on. */
void world_release_hangs(void);

/* Waits until the watchdog names that plugin or policy, and what it hangs in;
 * 10 s at most. */
void world_await_stuck(const char *who, const char *what);

/* What began then, by muster__now_ns(), has waited for no plugin that hangs
 * longer than it may. */
void world_expect_ended_in_time(uint64_t began_ns);

/* Waits until a line that holds text was logged; 10 s at most. */
void world_await_line(const char *text);

/* How many lines with text were logged so far. */
size_t world_count_lines(const char *text);

/* A watch of target that counts its events. */
typedef struct world_watch world_watch;
muster_status world_watch_create(const char *target, world_watch **ret_watch);
void world_watch_refresh(world_watch *watch);
void world_watch_destroy(world_watch *watch);

/* Waits for a list of n endpoints; 30 s at most. */
void world_await_list(world_watch *watch, size_t n_endpoints);
size_t world_count_lists(world_watch *watch);

/* A good resolver and a good balancer do their work. */
void world_expect_works(void);

#endif
