/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of the list and who of them is ejected. Thread: control. */
#ifndef MUSTER_OUTLIER_DETECTION_EJECTION_H
#define MUSTER_OUTLIER_DETECTION_EJECTION_H

#include <muster/balancer.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../backends.h"
#include "counts.h"
#include "settings.h"

typedef struct outlier_record {
    uint64_t id;
    outlier_counts *counts; /* the endpoint's state */
    uint64_t n_succeeded;   /* in the interval that is judged */
    uint64_t n_failed;
    uint64_t ejected_at_ns;
    uint32_t multiplier; /* of the base ejection time */
    bool is_ejected;
} outlier_record;

typedef struct outlier_roster {
    const muster_balancer_env *env;
    const outlier_settings *settings;
    outlier_record *records; /* n of them: the list, in its order */
    size_t n;
    size_t n_ejected;
} outlier_roster;

/* Takes over the list: what is known of an endpoint stays while it does. When
 * memory is short nobody is known, and so nobody is ejected, until the next
 * list. */
void outlier_roster_update(outlier_roster *self,
                           const muster_balancer_update *update);

/* Takes everybody back. */
void outlier_roster_fini(outlier_roster *self);

/* The record of a backend that outlier_roster_update() has seen, or NULL. */
const outlier_record *outlier_roster_find(const outlier_roster *self,
                                          const muster_backend *backend);

/* An outlier was found. Ejects it unless it is ejected, too many are, or chance
 * has it otherwise. */
void outlier_roster_found(outlier_roster *self, outlier_record *record,
                          outlier_method method, uint64_t now_ns);

/* Ejects those that failures in a row have found. */
void outlier_roster_eject_found(outlier_roster *self);

/* One step of the multiplier, or an end of the ejection. */
void outlier_roster_relax(outlier_roster *self, outlier_record *record,
                          uint64_t now_ns);

#endif
