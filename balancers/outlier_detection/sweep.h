/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at each interval. Thread: control. */
#ifndef MUSTER_OUTLIER_DETECTION_SWEEP_H
#define MUSTER_OUTLIER_DETECTION_SWEEP_H

#include <stdint.h>

#include "ejection.h"

/* Judges the calls since the last sweep, and takes back whose time has come. */
void outlier_sweep(outlier_roster *roster, uint64_t now_ns);

#endif
