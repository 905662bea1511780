/* SPDX-License-Identifier: Apache-2.0 */
/* Why the endpoints of a channel are picked, or are not: as a document. */
#ifndef MUSTER_TOOLS_EXPLANATION_H
#define MUSTER_TOOLS_EXPLANATION_H

#include "../output.h"

/* channel is what muster_channel_dump_json() gives. A new reference; NULL when
 * out of memory. */
json_t *explanation_of(const json_t *channel);

/* Prints it. Says how it looks: EXIT_CODE_OK when an endpoint is picked,
 * EXIT_CODE_NO_ENDPOINTS, EXIT_CODE_SOURCE when there is none READY or the
 * source fails; or why it could not be printed. NULL reads as out of memory. */
exit_code explanation_write(output *self, json_t *explanation);

#endif
