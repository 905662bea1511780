/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin files that were refused after they were mapped. Such a one is held for
 * the life of the process, so it is not loaded again for the same answer.
 * Thread: any, all of it. */
#ifndef MUSTER_CORE_PLUGIN_REFUSED_H
#define MUSTER_CORE_PLUGIN_REFUSED_H

#include <muster/status.h>

#include "plugin_loader.h"

/* Remembers that file was refused with err, which is copied. When memory lacks
 * it is not remembered. */
void muster__refused_add(const muster__plugin_file *file,
                         const muster_error *err);

/* The same status and words, which name the path of then, when that file was
 * refused and was not written since. MUSTER_OK: it was not refused. */
muster_status muster__refused_find(const muster__plugin_file *file,
                                   muster_error *err);

#endif
