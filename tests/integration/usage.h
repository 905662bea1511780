/* SPDX-License-Identifier: Apache-2.0 */
/* What this process holds, and what the kernel knows of its connections. */
#ifndef MUSTER_TESTS_USAGE_H
#define MUSTER_TESTS_USAGE_H

#include <stddef.h>
#include <stdint.h>

/* Open descriptors. */
size_t usage_descriptors(void);

/* Threads, but not C core's: it keeps more of them after more work. */
size_t usage_threads(void);

/* Bytes that malloc has given out. */
size_t usage_bytes(void);

/* What the server on 127.0.0.1:port sees: how many connections are
 * established. */
size_t usage_connections(int port);

/* A number that changes when one of these connections is replaced: made of the
 * ports of their other ends. */
uint64_t usage_fingerprint(int port);

#endif
