/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of outlier_detection; README.md has them. */
#ifndef MUSTER_OUTLIER_DETECTION_SETTINGS_H
#define MUSTER_OUTLIER_DETECTION_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

/* By what an endpoint is found to be an outlier. Those that count failures in a
 * row come last. */
typedef enum outlier_method {
    OUTLIER_SUCCESS_RATE,
    OUTLIER_FAILURE_PERCENTAGE,
    OUTLIER_FAILURES,
    OUTLIER_GATEWAY_FAILURES,
    OUTLIER_LOCAL_FAILURES,
    OUTLIER_N_METHODS
} outlier_method;

#define OUTLIER_FIRST_IN_A_ROW OUTLIER_FAILURES
#define OUTLIER_N_IN_A_ROW (OUTLIER_N_METHODS - OUTLIER_FIRST_IN_A_ROW)

typedef struct outlier_rule {
    bool is_set;
    uint32_t limit; /* stdevFactor, or threshold */
    uint32_t enforcement_percentage;
    uint32_t minimum_hosts;
    uint32_t request_volume; /* 0 for those that count in a row */
} outlier_rule;

typedef struct outlier_settings {
    uint64_t interval_ns;
    uint64_t base_ejection_ns;
    uint64_t max_ejection_ns; /* at least base_ejection_ns */
    uint32_t max_ejection_percent;
    outlier_rule rules[OUTLIER_N_METHODS];
    bool has_rules; /* at least one: calls are counted, and the timer runs */
} outlier_settings;

/* All but the child; settings says of what is wrong. */
void outlier_settings_read(config *settings, outlier_settings *ret_self);

#endif
