/* SPDX-License-Identifier: Apache-2.0 */
/* The pick guard: keeps what is published alive while a thread reads it.
 *
 * A thread claims a slot on first use; entering and leaving are plain stores.
 * The writer pays: membarrier(2) makes every store of before visible, then it
 * looks at the slots. A thread without a slot (membarrier refused, thread
 * exiting, too many threads) counts itself in a per-CPU cell instead: two
 * atomic read-modify-writes, no state (SRCU). The writer waits for both kinds.
 *
 * Entering nests. It is wait-free, needs no registration, works in destructors
 * of thread-specific data and in a fork child (by cells only), and not in
 * signal handlers. */
#ifndef MUSTER_CORE_GUARD_H
#define MUSTER_CORE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define muster__likely(condition) __builtin_expect(!!(condition), 1)
#define muster__unlikely(condition) __builtin_expect(!!(condition), 0)
#define muster__prefetch(address) __builtin_prefetch(address)

/* Rarely run: out of line, away from the hot code. */
#define MUSTER__COLD __attribute__((cold, noinline))
/* Out of line, so that the hot code around it stays short. */
#define MUSTER__APART __attribute__((noinline))
/* Part of the hot code, though more than one function calls it. */
#define MUSTER__HOT static inline __attribute__((always_inline))

/* Without it each access of a shared library calls __tls_get_addr: 2 ns. */
#define MUSTER__GUARD_TLS __attribute__((tls_model("initial-exec")))
/* A declaration is not hidden by the flag that hides definitions: without it
 * the address is loaded first. */
#define MUSTER__GUARD_HIDDEN __attribute__((visibility("hidden")))

typedef struct muster__guard_slot {
    /* When the outermost enter was; 0 outside. Written by the owner only. Two
     * lines apart, because CPUs fetch lines in pairs. */
    _Alignas(128) _Atomic uint64_t epoch;
    uint32_t id;  /* dense from 0; recycled when the thread has exited */
    bool is_used; /* under the mutex of guard.c */
} muster__guard_slot;

/* One stay inside, on the stack of the thread. */
typedef struct muster__guard {
    muster__guard_slot *slot; /* NULL: counted in cell */
    uint64_t outer;           /* epoch of the stay around this one; or 0 */
    _Atomic uint32_t *cell;
    uint32_t shard; /* of this thread; its own alone when slot is not NULL */
} muster__guard;

extern _Thread_local muster__guard_slot *muster__guard_self MUSTER__GUARD_TLS;
/* 0: slots may not be used */
extern _Atomic uint64_t muster__guard_epoch MUSTER__GUARD_HIDDEN;

/* Must be called before the first enter; again does nothing. Thread: any. */
void muster__guard_init(void);

MUSTER__COLD void *muster__guard_enter_slow(muster__guard *guard,
                                            void *_Atomic const *published);

/* Enters by the thread's own slot, when that is all there is to it, and answers
 * the slot. NULL: the thread has no slot yet, is inside already, or must go by
 * cell; nothing has happened then. What was published may be loaded, by
 * acquire, after it. No muster__guard is needed, so the hot code keeps one
 * pointer instead of a struct. */
MUSTER__HOT muster__guard_slot *muster__guard_enter_own(void)
{
    muster__guard_slot *own = muster__guard_self;
    /* acquire: whoever reads a new epoch reads what was published before. */
    uint64_t epoch =
        atomic_load_explicit(&muster__guard_epoch, memory_order_acquire);

    if (muster__unlikely(own == NULL || epoch == 0) ||
        muster__unlikely(
            atomic_load_explicit(&own->epoch, memory_order_relaxed) != 0)) {
        return NULL;
    }
    atomic_store_explicit(&own->epoch, epoch, memory_order_relaxed);
    /* Keeps the compiler from moving loads up; the CPU is kept from it by the
     * writer's membarrier. */
    atomic_signal_fence(memory_order_seq_cst);
    return own;
}

/* After muster__guard_enter_own(). release: the writer that sees us gone sees
 * all that we did inside. */
MUSTER__HOT void muster__guard_leave_own(muster__guard_slot *own)
{
    atomic_store_explicit(&own->epoch, 0, memory_order_release);
}

/* The stay that muster__guard_enter_own() began, for code that takes either
 * kind. */
MUSTER__HOT muster__guard muster__guard_of_own(muster__guard_slot *own)
{
    return (muster__guard){.slot = own, .shard = own->id};
}

/* Enters in any case. The published pointer; what it points to stays until
 * leave. Thread: any. */
static inline void *muster__guard_enter(muster__guard *guard,
                                        void *_Atomic const *published)
{
    muster__guard_slot *own = muster__guard_enter_own();

    if (muster__likely(own != NULL)) {
        *guard = muster__guard_of_own(own);
        return atomic_load_explicit(published, memory_order_acquire);
    }
    return muster__guard_enter_slow(guard, published);
}

static inline void muster__guard_leave(const muster__guard *guard)
{
    if (muster__unlikely(guard->slot == NULL)) {
        atomic_fetch_sub_explicit(guard->cell, 1, memory_order_release);
    } else {
        atomic_store_explicit(&guard->slot->epoch, guard->outer,
                              memory_order_release);
    }
}

/* A full fence that ThreadSanitizer understands. Thread: any. */
void muster__guard_fence(void);

/* Grace periods. Thread: control, both. begin() names a period that starts now
 * or later; once it is over, nothing that was unpublished before begin() is in
 * any reader's reach. is_over() makes a step and never waits. */
typedef uint64_t muster__grace;
muster__grace muster__guard_grace_begin(void);
bool muster__guard_grace_is_over(muster__grace grace);

#endif
