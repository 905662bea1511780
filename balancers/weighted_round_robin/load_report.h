/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of its load: the message xds.data.orca.v3.OrcaLoadReport
 * (gRFC A51), as far as weights need it. */
#ifndef MUSTER_BALANCERS_LOAD_REPORT_H
#define MUSTER_BALANCERS_LOAD_REPORT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct muster__load_report {
    double cpu_utilization;
    double application_utilization;
    double calls_per_second;  /* rps_fractional */
    double errors_per_second; /* eps */
} muster__load_report;

/* What is not said is 0. False: bytes are no such message, and *ret_report is
 * as it was. Thread: any. */
bool muster__load_report_read(const void *bytes, size_t size,
                              muster__load_report *ret_report);

/* Calls per second that the server could take, by gRFC A58; 0: unknown.
 * error_penalty is how much utilisation a share of errors of 1 stands for. */
double muster__load_report_weight(const muster__load_report *report,
                                  double error_penalty);

#endif
