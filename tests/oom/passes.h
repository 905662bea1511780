/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of something fails once, each in a run of its own, and what
 * that leaves behind is measured. One measurement a process. */
#ifndef MUSTER_TESTS_PASSES_H
#define MUSTER_TESTS_PASSES_H

#include <stdbool.h>
#include <stdint.h>

/* What is to fail in a run: for failing_malloc_arm(). */
typedef struct passes_failure {
    uint64_t countdown;
    uint64_t n;
    int pass; /* 0 to 3 */
} passes_failure;

/* One run. False when it took fewer allocations than the countdown. */
typedef bool (*passes_run_fn)(void *arg, const passes_failure *failure);

/* Runs with one failure, from the first allocation on, until one is not
 * reached. Returns how many were. */
uint64_t passes_count(passes_run_fn run, void *arg);

/* Four passes of runs: one failure, eight in a row, and both again. The first
 * two warm up what is kept for good, so that what the others leave behind is
 * lost. argv may name the first and the last allocation to fail: [FIRST
 * [LAST]]. Tells on stdout how many failed. Returns main()'s exit status. */
int passes_run(int argc, char **argv, passes_run_fn run, void *arg);

/* The same for what takes no time: count_all(), which returns how many failed,
 * once to warm up, and n_rounds times. */
int passes_repeat(uint64_t (*count_all)(void), int n_rounds);

/* Ends the process, naming the allocation of the present run. */
_Noreturn void passes_die(const char *what);

#endif
