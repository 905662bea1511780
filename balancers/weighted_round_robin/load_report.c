/* SPDX-License-Identifier: Apache-2.0 */
/* Reads load reports. Of the wire format of Protocol Buffers that is fields,
 * each a number, a wire type and a value that ends where the type says. */
#include "load_report.h"

#include <stdint.h>
#include <string.h>

/* Of OrcaLoadReport. */
enum {
    CPU_UTILIZATION = 1,
    RPS_FRACTIONAL = 6,
    EPS = 7,
    APPLICATION_UTILIZATION = 9
};

/* Groups, 3 and 4, are of proto2 only: refused. */
enum { VARINT = 0, FIXED64 = 1, LENGTH_DELIMITED = 2, FIXED32 = 5 };

/* Weights beyond it are no server's; within it no sum overflows. */
#define MOST_WEIGHT 1e15
#define LEAST_WEIGHT 1e-15

typedef struct reader {
    const unsigned char *at;
    size_t left;
} reader;

static bool skip(reader *self, uint64_t size)
{
    if (size > self->left) {
        return false;
    }
    self->at += size;
    self->left -= (size_t)size;
    return true;
}

/* Ten bytes at most; what goes beyond 64 bits is cut, as everywhere. */
static bool read_varint(reader *self, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70 && self->left > 0; shift += 7) {
        unsigned char byte = *self->at;

        (void)skip(self, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Little-endian, whatever the machine is. */
static bool read_double(reader *self, double *ret_value)
{
    const unsigned char *bytes = self->at;
    uint64_t bits = 0;

    if (!skip(self, sizeof bits)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof bits; i++) {
        bits |= (uint64_t)bytes[i] << (8 * i);
    }
    memcpy(ret_value, &bits, sizeof bits);
    return true;
}

static bool skip_value(reader *self, unsigned wire_type)
{
    uint64_t size = 0;

    switch (wire_type) {
    case VARINT:
        return read_varint(self, &size);
    case FIXED64:
        return skip(self, 8);
    case LENGTH_DELIMITED:
        return read_varint(self, &size) && skip(self, size);
    case FIXED32:
        return skip(self, 4);
    default:
        return false;
    }
}

/* NULL: of no use here. */
static double *place_of(muster__load_report *report, uint64_t field)
{
    switch (field) {
    case CPU_UTILIZATION:
        return &report->cpu_utilization;
    case RPS_FRACTIONAL:
        return &report->calls_per_second;
    case EPS:
        return &report->errors_per_second;
    case APPLICATION_UTILIZATION:
        return &report->application_utilization;
    default:
        return NULL;
    }
}

static bool read_field(reader *self, muster__load_report *report)
{
    uint64_t tag = 0;
    unsigned wire_type;
    double *place;

    if (!read_varint(self, &tag) || tag > UINT32_MAX || tag >> 3 == 0) {
        return false;
    }
    wire_type = (unsigned)(tag & 7);
    place = place_of(report, tag >> 3);
    if (place != NULL && wire_type == FIXED64) {
        return read_double(self, place);
    }
    return skip_value(self, wire_type);
}

bool muster__load_report_read(const void *bytes, size_t size,
                              muster__load_report *ret_report)
{
    muster__load_report report = {0};
    reader all = {bytes, size};

    while (all.left > 0) {
        if (!read_field(&all, &report)) {
            return false;
        }
    }
    *ret_report = report;
    return true;
}

/* Comparisons are such that what is not a number counts as unknown. */
double muster__load_report_weight(const muster__load_report *report,
                                  double error_penalty)
{
    double utilization = report->application_utilization > 0
                             ? report->application_utilization
                             : report->cpu_utilization;
    double weight;

    if (!(report->calls_per_second > 0) || !(utilization > 0)) {
        return 0;
    }
    if (report->errors_per_second > 0) {
        utilization += report->errors_per_second / report->calls_per_second *
                       error_penalty;
    }
    weight = report->calls_per_second / utilization;
    return weight >= LEAST_WEIGHT && weight <= MOST_WEIGHT ? weight : 0;
}
