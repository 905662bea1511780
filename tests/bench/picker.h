/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured: something that picks an endpoint and takes it back. */
#ifndef MUSTER_TESTS_PICKER_H
#define MUSTER_TESTS_PICKER_H

#include <stdint.h>

typedef struct picker_class {
    const char *name;
    void *(*create)(uint32_t n_endpoints); /* NULL: no memory */
    /* n picks, each with its finish. Thread: any, many at a time. */
    void (*run)(void *self, uint64_t n);
    void (*destroy)(void *self);
} picker_class;

extern const picker_class picker_muster;
extern const picker_class picker_mutex;
extern const picker_class picker_urcu;

#endif
