/* SPDX-License-Identifier: Apache-2.0 */
/* One thing a resolver said, checked and copied on the thread that said it. */
#ifndef MUSTER_CORE_RESOLVER_REPORT_H
#define MUSTER_CORE_RESOLVER_REPORT_H

#include <stdint.h>

#include <muster/resolver.h>

#include "endpoint_list.h"

typedef enum muster__report_kind {
    MUSTER__REPORT_LIST,
    MUSTER__REPORT_DELTA,
    MUSTER__REPORT_FAILURE, /* the plugin says that its source failed */
    MUSTER__REPORT_REFUSAL  /* the plugin said something malformed */
} muster__report_kind;

typedef struct muster__report {
    struct muster__report *next; /* of a queue */
    uint64_t sequence;           /* of a list or delta */
    muster__report_kind kind;
    muster_status status; /* of a failure; later what applied() is told */
    uint32_t flags;
    uint32_t reserved;
    muster__list *upserted; /* the list, or the delta's; NULL: none */
    muster__list *removed;
    char *text; /* service config or NULL; message of a failure */
} muster__report;

/* The report is the caller's. Thread: any. MUSTER_INVAL, MUSTER_NOMEM; err says
 * what is wrong. */
muster_status muster__report_create_list(const muster_update *update,
                                         muster__report **ret_report,
                                         muster_error *err);
muster_status muster__report_create_delta(const muster_delta *delta,
                                          muster__report **ret_report,
                                          muster_error *err);

/* kind is FAILURE or REFUSAL. message NULL reads as the status' text, and is
 * cut where muster_error would cut it. NULL: out of memory. Thread: any. */
muster__report *muster__report_create_failure(muster__report_kind kind,
                                              muster_status status,
                                              const char *message);

/* Gives back all but the report itself. */
void muster__report_clear(muster__report *report);
void muster__report_destroy(muster__report *report); /* NULL is ignored */

/* First in, first out; all zero is empty. */
typedef struct muster__report_queue {
    muster__report *first;
    muster__report *last;
} muster__report_queue;

void muster__report_push(muster__report_queue *queue, muster__report *report);
muster__report *muster__report_pop(muster__report_queue *queue); /* or NULL */
void muster__report_queue_clear(muster__report_queue *queue);

#endif
