/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of a process, as its admin socket gives them, for tables. */
#ifndef MUSTER_TOOLS_CHANNEL_ROWS_H
#define MUSTER_TOOLS_CHANNEL_ROWS_H

#include "../output.h"

extern const output_column channel_row_columns[];
extern const output_column endpoint_row_columns[];

/* Rows for the columns above: of all channels, and of all their endpoints. New
 * references; NULL when out of memory. */
json_t *channel_rows(const json_t *channels);
json_t *endpoint_rows(const json_t *channels);

#endif
