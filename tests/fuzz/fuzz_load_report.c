/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a server's load report: what is read of it gives a weight that
 * sums can bear. */
#include "fuzz.h"

#include "../../balancers/weighted_round_robin/load_report.h"

/* Of its very size, so that reads past its end are seen. */
static uint8_t *copy_of(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + (size == 0));

    FUZZ_CHECK(bytes != NULL);
    if (size > 0) {
        memcpy(bytes, data, size);
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = copy_of(data, size);
    muster__load_report report;

    if (muster__load_report_read(bytes, size, &report)) {
        double weight = muster__load_report_weight(&report, 1);

        FUZZ_CHECK(weight >= 0 && weight <= 1e15);
    }
    free(bytes);
    return 0;
}
