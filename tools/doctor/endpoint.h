/* SPDX-License-Identifier: Apache-2.0 */
/* Connects to endpoints, each on a thread of its own. */
#ifndef MUSTER_TOOLS_DOCTOR_ENDPOINT_H
#define MUSTER_TOOLS_DOCTOR_ENDPOINT_H

#include "certificate.h"
#include "doctor.h"

enum { ENDPOINT_MAX_NAME = 256 };

typedef struct endpoint_address {
    const char *text;             /* "10.0.0.1:50051", "unix:/path" */
    char name[ENDPOINT_MAX_NAME]; /* that TLS checks */
} endpoint_address;

/* Looks at all of them at once, and reports one after the other. */
void endpoint_check_all(doctor *self, const endpoint_address *addresses,
                        size_t n_addresses);

#endif
