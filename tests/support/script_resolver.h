/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver whose lists the test writes: script:///NAME, whose authority is
 * "NAME.script" (none for NAME "nameless"). */
#ifndef MUSTER_TESTS_SCRIPT_RESOLVER_H
#define MUSTER_TESTS_SCRIPT_RESOLVER_H

#include <stddef.h>

#include <muster/resolver.h>

/* Registers the plugin, once. */
void script_register(void);

/* Reports a list as the resolver of script:///name, from the calling thread.
 * Waits until the instance exists. */
void script_report(const char *name, const muster_endpoint *endpoints,
                   size_t n);

/* The same for plain addresses. */
void script_report_addresses(const char *name, const char *const *addresses,
                             size_t n);

/* As script_report(), with a service config (NULL: none). */
void script_report_config(const char *name, const muster_endpoint *endpoints,
                          size_t n, const char *service_config);

void script_report_delta(const char *name, const muster_endpoint *upserted,
                         size_t n_upserted, const muster_endpoint *removed,
                         size_t n_removed);

void script_fail(const char *name, muster_status status, const char *message);

/* How often the core asked that resolver to look again. */
unsigned script_refreshes(const char *name);

/* How many instances of script:///name there are. */
unsigned script_instances(const char *name);

#endif
