/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that does nothing: through its host a test asks what plugins may. */
#ifndef MUSTER_TESTS_ASKER_H
#define MUSTER_TESTS_ASKER_H

#include <muster/plugin.h>

/* Its host, from init() to fini(). Read on the control thread. */
extern const muster_plugin_host *asker_host;
extern void *asker_ctx;

/* Called at the end of init(), whose answer is theirs, and in fini(); set
 * before. NULL: nothing is. */
extern muster_status (*asker_on_init)(muster_error *err);
extern void (*asker_on_fini)(void);

/* For muster_plugin_register(). Its scheme is "asker". */
const muster_plugin *asker_entry(void);

#endif
