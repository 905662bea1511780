/* SPDX-License-Identifier: Apache-2.0 */
/* Deep copies of endpoints and attributes. */
#ifndef MUSTER_TESTKIT_COPIES_H
#define MUSTER_TESTKIT_COPIES_H

#include <stdbool.h>
#include <stddef.h>

#include <muster/endpoint.h>
#include <muster/status.h>

typedef struct testkit_copies {
    muster_endpoint *endpoints; /* each with a block of its own behind it */
    size_t n;
    size_t capacity;
} testkit_copies;

/* All zero is an empty one. */
void testkit_copies_fini(testkit_copies *list);

/* The i-th of endpoints that lie stride bytes apart; what is beyond the stride
 * reads as zero. */
muster_endpoint testkit_copies_read(const muster_endpoint *endpoints,
                                    size_t stride, size_t i);

/* Appends a deep copy. */
muster_status testkit_copies_append(testkit_copies *list,
                                    const muster_endpoint *endpoint);

/* Appends n of them; on failure list holds some. */
muster_status testkit_copies_append_all(testkit_copies *list,
                                        const muster_endpoint *endpoints,
                                        size_t stride, size_t n);

/* Replaces the endpoint of that identity, or appends. */
muster_status testkit_copies_upsert(testkit_copies *list,
                                    const muster_endpoint *endpoint);

/* Takes out the endpoint of that identity, if it is there. */
void testkit_copies_remove(testkit_copies *list,
                           const muster_endpoint *endpoint);

/* Whether two endpoints have the same set of addresses and host name. */
bool testkit_copies_is_same(const muster_endpoint *one,
                            const muster_endpoint *other);

/* Says what is wrong with endpoint; NULL when nothing is. */
const char *testkit_copies_refusal(const muster_endpoint *endpoint);

/* A copy of text, NULL for NULL; false when memory is short. */
bool testkit_copies_text(const char *text, char **ret_copy);

/* A deep copy of n attributes in one block for free(). */
muster_status testkit_copies_attributes(const muster_attribute *attributes,
                                        size_t n, muster_attribute **ret_copy);

#endif
