/* SPDX-License-Identifier: Apache-2.0 */
/* Logging from inside the core: one line an event, rate-limited per place. */
#ifndef MUSTER_CORE_LOG_INTERNAL_H
#define MUSTER_CORE_LOG_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/log.h>

/* The budget of one place in the source; zero at first. */
typedef struct muster__log_place {
    _Atomic uint64_t window_start_ns;
    _Atomic uint32_t n_in_window;
    _Atomic uint32_t n_dropped;
} muster__log_place;

bool muster__log_enabled(muster_log_level level);

MUSTER_FORMAT_(3, 4)
void muster__log_write(muster__log_place *place, muster_log_level level,
                       const char *format, ...);

/* muster__log(MUSTER_LOG_WARNING, "resolver %s: %s", uri, why). Thread: any. */
#define muster__log(level, ...)                                                \
    do {                                                                       \
        static muster__log_place muster__log_here;                             \
        if (muster__log_enabled(level)) {                                      \
            muster__log_write(&muster__log_here, level, __VA_ARGS__);          \
        }                                                                      \
    } while (0)

#endif
