/* SPDX-License-Identifier: Apache-2.0 */
/* What muster doctor's checks share: where they report, and what they may look
 * at. */
#ifndef MUSTER_TOOLS_DOCTOR_H
#define MUSTER_TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <muster/status.h>

#include "../tls.h"

typedef struct doctor_settings {
    const char *target; /* NULL: none */
    tls_paths tls;
    const char *resolv_conf;
    const char *memory_folder; /* of the cgroup; NULL: this process's */
    uint64_t timeout_ms;       /* of the resolver, and of each endpoint */
    unsigned max_endpoints;
} doctor_settings;

typedef enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_FAILURE } verdict;

typedef struct doctor {
    const doctor_settings *settings;
    const char *group;  /* of the checks that run now */
    json_t *checks;     /* an array of what was reported */
    unsigned counts[3]; /* by verdict */
    bool is_out_of_memory;
} doctor;

/* What a check found: "CHECK SUBJECT: DETAIL", where subject may be NULL. hint
 * says what to do; NULL when there is nothing. No secret goes into any. */
MUSTER_FORMAT_(6, 7)
void doctor_report(doctor *self, verdict result, const char *check,
                   const char *subject, const char *hint, const char *format,
                   ...);

/* "ok", "warning" or "failure". */
const char *doctor_verdict_name(verdict result);

/* NULL also for one that is empty. */
const char *doctor_variable(const char *name);

/* The checks, each of a group. */
void doctor_check_libraries(doctor *self);
void doctor_check_open_files(doctor *self);
void doctor_check_memory(doctor *self);
void doctor_check_membarrier(doctor *self);
void doctor_check_clock(doctor *self);
void doctor_check_resolv_conf(doctor *self);
void doctor_check_proxies(doctor *self);
void doctor_check_consul(doctor *self);
void doctor_check_muster(doctor *self);
void doctor_check_grpc(doctor *self);
void doctor_check_plugins(doctor *self);
void doctor_check_certificates(doctor *self); /* the files of the options */
void doctor_check_target(doctor *self);

#endif
