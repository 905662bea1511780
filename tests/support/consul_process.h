/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a consul. */
#ifndef MUSTER_TESTS_CONSUL_PROCESS_H
#define MUSTER_TESTS_CONSUL_PROCESS_H

#include "consul.h"

/* Runs the binary on the folder's configuration. 0: it cannot be run. */
pid_t consul_process_spawn(const consul *self);

/* Whether it has ended by itself. */
bool consul_process_has_ended(consul *self);

/* Writes its log to stderr. */
void consul_process_show_log(const consul *self);

#endif
