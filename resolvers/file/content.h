/* SPDX-License-Identifier: Apache-2.0 */
/* What a file says: endpoints and perhaps a service config. */
#ifndef MUSTER_FILE_CONTENT_H
#define MUSTER_FILE_CONTENT_H

#include <muster/endpoint.h>
#include <muster/status.h>

#include <jansson.h>
#include <stddef.h>

/* Memory that lives as long as a content; see muster__file_allocate(). */
typedef struct muster__file_block {
    struct muster__file_block *next;
    max_align_t memory[];
} muster__file_block;

typedef struct muster__file_content {
    muster_endpoint *endpoints;
    size_t n_endpoints;
    char *service_config; /* or NULL */
    json_t *root;         /* the endpoints of JSON point into it */
    muster__file_block *blocks;
} muster__file_content;

/* Reads text, whose byte at length is a NUL; it may be cut up, and the
 * endpoints may point into it. *content is all zero; it is cleared by the
 * caller in every case. MUSTER_PROTOCOL: err says where (line and column, or
 * JSON path), what is wrong and what was expected. MUSTER_NOMEM. */
muster_status muster__file_parse(char *text, size_t length,
                                 muster__file_content *content,
                                 muster_error *err);

void muster__file_clear(muster__file_content *content);

/* The two formats; as muster__file_parse(). */
muster_status muster__file_parse_json(const char *text, size_t length,
                                      muster__file_content *content,
                                      muster_error *err);
muster_status muster__file_parse_lines(char *text, size_t length,
                                       muster__file_content *content,
                                       muster_error *err);

/* Zeroed memory for n things of size bytes, freed with content; NULL: out of
 * memory. */
void *muster__file_allocate(muster__file_content *content, size_t n,
                            size_t size);

#endif
