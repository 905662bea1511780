/* SPDX-License-Identifier: Apache-2.0 */
/* A call that ended, as a row of output. */
#ifndef MUSTER_TOOLS_CALL_ROW_H
#define MUSTER_TOOLS_CALL_ROW_H

#include <jansson.h>
#include <muster/grpc.h>

#include "../output.h"

/* Of the table, and what -o name prints. */
extern const output_column row_columns[];
extern const char *const row_name[];

/* A new reference; NULL when out of memory. is_health: the response is that of
 * a health check. */
json_t *row_of_call(muster_call *call, const muster_call_result *result,
                    bool is_health);

/* Of message number of a stream. The same. */
json_t *row_of_message(muster_call *call, int number,
                       grpc_byte_buffer *message);

#endif
