/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks found, for people and as JSON. */
#ifndef MUSTER_TOOLS_DOCTOR_REPORT_H
#define MUSTER_TOOLS_DOCTOR_REPORT_H

#include <jansson.h>

#include "../output.h"

/* document has an array "checks", and how many were "ok", "warnings" and
 * "failures"; NULL reads as out of memory. As output_write(). */
exit_code report_print(output *format, json_t *document);

#endif
