/* SPDX-License-Identifier: Apache-2.0 */
/* Ours. */
#include "picker.h"

#include <stdlib.h>

#include "plane_library.h"

static void run(void *self, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        muster_lease lease;

        if (plane_library_pick(self, &lease) != MUSTER_OK) {
            abort();
        }
        plane_library_finish(&lease);
    }
}

const picker_class picker_muster = {"muster", plane_library_create, run,
                                    plane_library_destroy};
