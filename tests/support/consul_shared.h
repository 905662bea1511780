/* SPDX-License-Identifier: Apache-2.0 */
/* One Consul agent for all tests of a file. The process that runs them starts
 * it (Criterion: in ReportHook(PRE_ALL)); each test, in a process of its own,
 * finds it, and has services of its own there. Thread: any, one at a time. */
#ifndef MUSTER_TESTS_CONSUL_SHARED_H
#define MUSTER_TESTS_CONSUL_SHARED_H

#include "consul.h"

/* As consul_start(): says on stderr what fails, and no test finds it then. */
void consul_share(const consul_options *options);

/* Ends it. Does nothing when it was not started. */
void consul_unshare(void);

/* Its address, folder and node name: enough for requests, and not to be ended.
 * False: there is none. */
bool consul_find_shared(consul *ret_consul);

#endif
