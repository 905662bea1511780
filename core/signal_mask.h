/* SPDX-License-Identifier: Apache-2.0 */
/* The signals of muster's threads. Header only, so that libmuster-grpc can use
 * it without a symbol of the core's. */
#ifndef MUSTER_CORE_SIGNAL_MASK_H
#define MUSTER_CORE_SIGNAL_MASK_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* For what the calling thread starts meanwhile, which inherits it: blocks what
 * others send, so that the program's handlers never run there. What a thread
 * causes itself is left to it: POSIX does not define those blocked, and Linux
 * ends the process without the program's (or a sanitizer's) handler
 * (pthread_sigmask(3p), signal(7)). Thread: any. */
static inline void muster__block_signals(sigset_t *ret_before)
{
    static const int own[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                              SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked;

    (void)sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        (void)sigdelset(&blocked, own[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &blocked, ret_before);
}

/* Sets what muster__block_signals() returned. Thread: that one. */
static inline void muster__restore_signals(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

#endif
