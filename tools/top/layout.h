/* SPDX-License-Identifier: Apache-2.0 */
/* Lays a snapshot out as lines, for terminals of any width and for files. */
#ifndef MUSTER_TOOLS_TOP_LAYOUT_H
#define MUSTER_TOOLS_TOP_LAYOUT_H

#include "page.h"
#include "snapshot.h"

typedef struct top_paper {
    size_t width; /* columns; 0: no limit, and nothing is left out */
    bool is_utf8;
    bool has_headings; /* of the endpoints' columns */
} top_paper;

/* The endpoints are in the order that they are to have. *page is empty. */
void top_layout(const top_snapshot *snapshot, const top_paper *paper,
                top_page *page);

/* ---- of layout.c's and endpoint_lines.c's own ---- */

/* The endpoints of a target under headings. */
void top_layout_endpoints(const top_target *target, const top_paper *paper,
                          size_t address_width, top_page *page);

/* A line with what is wrong, "! " in front; lines, when it is long. */
void top_layout_trouble(const char *text, size_t indent, const top_paper *paper,
                        top_page *page);

#endif
