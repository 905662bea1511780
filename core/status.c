/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of statuses. */
#include <muster/status.h>

const char *muster_status_name(muster_status status)
{
    switch (status) {
#define X(name, value, text)                                                   \
    case MUSTER_##name:                                                        \
        return #name;
        MUSTER_STATUS_MAP(X)
#undef X
    }
    return "UNKNOWN";
}

const char *muster_status_text(muster_status status)
{
    switch (status) {
#define X(name, value, text)                                                   \
    case MUSTER_##name:                                                        \
        return text;
        MUSTER_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}
