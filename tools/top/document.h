/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot as a JSON document: what ../README.md describes. */
#ifndef MUSTER_TOOLS_TOP_DOCUMENT_H
#define MUSTER_TOOLS_TOP_DOCUMENT_H

#include <stdbool.h>

#include "snapshot.h"

/* Its rows are "lines": of the total, of targets and of endpoints, or of
 * endpoints only. A new reference; NULL: out of memory. */
json_t *top_document(const top_snapshot *snapshot, bool has_endpoints_only);

#endif
