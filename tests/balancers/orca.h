/* SPDX-License-Identifier: Apache-2.0 */
/* Writes load reports, as a server sends them (gRFC A51). */
#ifndef MUSTER_TESTS_ORCA_H
#define MUSTER_TESTS_ORCA_H

#include <stdint.h>
#include <string.h>

enum { ORCA_CPU = 1, ORCA_RPS = 6, ORCA_EPS = 7, ORCA_APPLICATION = 9 };

typedef struct orca {
    unsigned char bytes[64];
    uint32_t size;
} orca;

/* Adds a field of type double. */
static inline void orca_add(orca *report, unsigned field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    report->bytes[report->size++] = (unsigned char)(field << 3 | 1);
    for (unsigned i = 0; i < 8; i++) {
        report->bytes[report->size++] = (unsigned char)(bits >> (8 * i));
    }
}

static inline orca orca_report(double application, double rps, double eps)
{
    orca report = {.size = 0};

    orca_add(&report, ORCA_APPLICATION, application);
    orca_add(&report, ORCA_RPS, rps);
    orca_add(&report, ORCA_EPS, eps);
    return report;
}

#endif
