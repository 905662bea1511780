/* SPDX-License-Identifier: Apache-2.0 */
/* What the system knows of the threads of this process (proc_pid_status(5)). */
#ifndef MUSTER_TESTS_THREAD_STATUS_H
#define MUSTER_TESTS_THREAD_STATUS_H

#include <stddef.h>
#include <stdint.h>

enum { THREAD_STATUS_MAX = 64 };

typedef struct thread_status {
    char name[32];
    uint64_t blocked;  /* signals: bit 0 is 1 */
    uint64_t n_sleeps; /* how often it waited */
} thread_status;

/* The bit of a signal in a mask. */
static inline uint64_t thread_status_bit(int signal_number)
{
    return UINT64_C(1) << (signal_number - 1);
}

/* Of those that cannot be blocked: SIGKILL, SIGSTOP, and glibc's 32 and 33. */
uint64_t thread_status_never_blocked(void);

/* All threads but the calling one; THREAD_STATUS_MAX at most. How many. */
size_t thread_status_list(thread_status ret_threads[THREAD_STATUS_MAX]);

/* The same, once none of them is beginning or ending: glibc blocks all signals
 * meanwhile. */
size_t thread_status_list_settled(thread_status ret_threads[THREAD_STATUS_MAX]);

#endif
