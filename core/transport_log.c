/* SPDX-License-Identifier: Apache-2.0 */
/* Lets transports, which are other libraries, log. */
#include <muster/transport.h>

#include "log_internal.h"

void muster_transport_log(muster_log_level level, const char *message)
{
    muster__log(level, "%s", message);
}
