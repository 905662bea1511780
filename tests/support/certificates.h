/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of certificates for tests of TLS: what make-certificates makes. */
#ifndef MUSTER_TESTS_CERTIFICATES_H
#define MUSTER_TESTS_CERTIFICATES_H

#include <stdbool.h>

enum { CERTIFICATES_MAX_PATH = 128 };

typedef struct certificates {
    char folder[64];
} certificates;

typedef struct certificates_path {
    char text[CERTIFICATES_MAX_PATH];
} certificates_path;

/* Makes them in a new folder. */
bool certificates_make(certificates *ret_set);

/* Adds to it what make-certificates calls generations, of which there are n. */
bool certificates_add_generations(const certificates *set, int n);

/* Removes the folder. */
void certificates_remove(const certificates *set);

/* Where the file NAME.pem is. */
certificates_path certificates_find(const certificates *set, const char *name);

/* Makes TO.pem what FROM.pem is, in one step. */
bool certificates_replace(const certificates *set, const char *from,
                          const char *to);

/* The same for the certificate and its key, one after the other. */
bool certificates_replace_pair(const certificates *set, const char *from,
                               const char *to);

/* Makes NAME.pem text, in two steps that others may see. */
bool certificates_write(const certificates *set, const char *name,
                        const char *text);

#endif
