/* SPDX-License-Identifier: Apache-2.0 */
/* The cold side of the pick guard: slots, SRCU cells, grace periods, fork. */
#include "guard.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define N_SLOTS 4096u /* threads beyond these use the cells */
#define N_CELLS 64u   /* two CPUs on one cell are only slower */

/* No CPU keeps a store to itself for so long: stands in for a membarrier that
 * was taken away from a running process. */
#define UNFENCED_NS UINT64_C(1000000000)

typedef struct srcu_cell {
    _Alignas(128) _Atomic uint32_t inside[2]; /* by the parity of srcu_flip */
} srcu_cell;

/* The grace period that runs. One at a time for all planes; control thread. */
typedef struct grace_state {
    uint64_t n_started;
    uint64_t n_over;         /* equal to n_started when none runs */
    uint64_t target;         /* a slot of an earlier epoch holds it up */
    uint64_t unfenced_until; /* or 0 */
    int parities_left;       /* of the SRCU cells, still to be seen empty */
} grace_state;

_Thread_local muster__guard_slot *muster__guard_self MUSTER__GUARD_TLS;
_Atomic uint64_t muster__guard_epoch;

static _Thread_local bool is_exiting MUSTER__GUARD_TLS;
static muster__guard_slot slots[N_SLOTS]; /* untouched pages cost nothing */
static _Atomic uint32_t n_slots;          /* ever claimed: what is looked at */
static pthread_mutex_t slots_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t slot_key;
static srcu_cell srcu[N_CELLS];
static _Atomic uint32_t srcu_flip;
static _Atomic bool srcu_is_used;
static grace_state state;

static bool membarrier(int command)
{
    return syscall(__NR_membarrier, command, 0, 0) == 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The thread's other destructors may run after this one and still pick: they
 * find no slot, and must not claim one that nothing would release. */
static void slot_release(void *slot)
{
    muster__guard_self = NULL;
    is_exiting = true;
    (void)pthread_mutex_lock(&slots_mutex);
    ((muster__guard_slot *)slot)->is_used = false;
    (void)pthread_mutex_unlock(&slots_mutex);
}

static void slot_claim(void)
{
    uint32_t n;
    uint32_t i = 0;

    (void)pthread_mutex_lock(&slots_mutex);
    n = atomic_load_explicit(&n_slots, memory_order_relaxed);
    while (i < n && slots[i].is_used) {
        i++;
    }
    if (i < N_SLOTS && pthread_setspecific(slot_key, &slots[i]) == 0) {
        slots[i].is_used = true;
        slots[i].id = i;
        if (i == n) {
            atomic_store(&n_slots, n + 1);
        }
        muster__guard_self = &slots[i];
    }
    (void)pthread_mutex_unlock(&slots_mutex);
}

/* glibc reads rseq's number where the kernel keeps it, and asks otherwise. */
static uint32_t this_cpu(void)
{
    return (uint32_t)sched_getcpu();
}

/* All seq_cst: either the writer sees the cell, or we see what it published. */
static void *enter_by_cell(muster__guard *guard, void *_Atomic const *published)
{
    uint32_t parity = atomic_load(&srcu_flip) & 1;

    if (!atomic_load(&srcu_is_used)) {
        atomic_store(&srcu_is_used, true);
    }
    guard->slot = NULL;
    guard->outer = 0;
    guard->shard = this_cpu();
    guard->cell = &srcu[guard->shard % N_CELLS].inside[parity];
    atomic_fetch_add(guard->cell, 1);
    return atomic_load(published);
}

/* The stay around this one began at an epoch that holds for this one too. */
static void *enter_again(muster__guard *guard, void *_Atomic const *published)
{
    guard->slot = muster__guard_self;
    guard->shard = guard->slot->id;
    guard->outer = atomic_load(&guard->slot->epoch);
    return atomic_load(published);
}

void *muster__guard_enter_slow(muster__guard *guard,
                               void *_Atomic const *published)
{
    if (atomic_load(&muster__guard_epoch) == 0) {
        return enter_by_cell(guard, published);
    }
    if (muster__guard_self == NULL && !is_exiting) {
        slot_claim();
        if (muster__guard_self != NULL) {
            return muster__guard_enter(guard, published);
        }
    }
    if (muster__guard_self == NULL) {
        return enter_by_cell(guard, published);
    }
    if (atomic_load(&muster__guard_self->epoch) != 0) {
        return enter_again(guard, published);
    }
    return muster__guard_enter(guard, published);
}

static void fork_prepare(void)
{
    (void)pthread_mutex_lock(&slots_mutex);
}

static void fork_parent(void)
{
    (void)pthread_mutex_unlock(&slots_mutex);
}

/* Only this thread is left: readers of before will never leave. The child goes
 * by cells, so that the hot path need not ask whether it is in one. */
static void fork_child(void)
{
    uint32_t n = atomic_load(&n_slots);

    atomic_store(&muster__guard_epoch, 0);
    atomic_store(&n_slots, 0);
    muster__guard_self = NULL;
    for (uint32_t i = 0; i < n; i++) {
        atomic_store(&slots[i].epoch, 0);
        slots[i].is_used = false;
    }
    for (uint32_t i = 0; i < N_CELLS; i++) {
        atomic_store(&srcu[i].inside[0], 0);
        atomic_store(&srcu[i].inside[1], 0);
    }
    (void)pthread_mutex_unlock(&slots_mutex);
}

static void init_once(void)
{
    /* A handler that cannot be installed costs the child its picks only, and
     * those are refused there anyway. */
    (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
        pthread_key_create(&slot_key, slot_release) == 0) {
        atomic_store(&muster__guard_epoch, 1);
    }
}

void muster__guard_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, init_once);
}

#ifdef __SANITIZE_THREAD__
#define MUSTER__HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MUSTER__HAS_TSAN 1
#endif
#endif

void muster__guard_fence(void)
{
#ifdef MUSTER__HAS_TSAN
    static _Atomic uint32_t word;

    atomic_fetch_add(&word, 1);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Threads in a slot are told apart by epoch when membarrier works. When it was
 * taken away, the slots are given up: no new thread enters by one, and those
 * that did become visible with time. */
static void grace_start(void)
{
    uint64_t epoch = atomic_load(&muster__guard_epoch);

    state.n_started++;
    state.unfenced_until = 0;
    if (epoch != 0) {
        state.target = epoch + 1;
        atomic_store(&muster__guard_epoch, state.target);
        if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
            atomic_store(&muster__guard_epoch, 0);
            epoch = 0;
        }
    }
    if (epoch == 0 && atomic_load(&n_slots) != 0) {
        state.target = UINT64_MAX;
        state.unfenced_until = now_ns() + UNFENCED_NS;
    }
    state.parities_left = 0;
    if (atomic_load(&srcu_is_used)) {
        state.parities_left = 2;
        atomic_fetch_add(&srcu_flip, 1);
    }
}

static bool cells_are_empty(uint32_t parity)
{
    for (uint32_t i = 0; i < N_CELLS; i++) {
        if (atomic_load(&srcu[i].inside[parity]) != 0) {
            return false;
        }
    }
    return true;
}

/* Both parities, one after the other: a reader that read the flip long ago may
 * count itself late, in the cell of then. */
static bool cells_step(void)
{
    while (state.parities_left != 0) {
        if (!cells_are_empty((atomic_load(&srcu_flip) & 1) ^ 1)) {
            return false;
        }
        state.parities_left--;
        if (state.parities_left != 0) {
            atomic_fetch_add(&srcu_flip, 1);
        }
    }
    return true;
}

static bool slots_are_past(uint64_t target)
{
    uint32_t n = atomic_load(&n_slots);

    for (uint32_t i = 0; i < n; i++) {
        /* acquire: pairs with leave. */
        uint64_t epoch =
            atomic_load_explicit(&slots[i].epoch, memory_order_acquire);

        if (epoch != 0 && epoch < target) {
            return false;
        }
    }
    return true;
}

static bool grace_step(void)
{
    if (state.unfenced_until != 0 && now_ns() < state.unfenced_until) {
        return false;
    }
    return cells_step() && slots_are_past(state.target);
}

muster__grace muster__guard_grace_begin(void)
{
    if (state.n_over == state.n_started) {
        grace_start();
        return state.n_started;
    }
    return state.n_started + 1; /* the one that runs began too early */
}

bool muster__guard_grace_is_over(muster__grace grace)
{
    while (state.n_over < grace) {
        if (state.n_over == state.n_started) {
            grace_start();
        }
        if (!grace_step()) {
            return false;
        }
        state.n_over = state.n_started;
    }
    return true;
}
