/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the library in use. */
#include <muster/version.h>

const char *muster_version(void)
{
    return MUSTER_VERSION_STRING;
}
