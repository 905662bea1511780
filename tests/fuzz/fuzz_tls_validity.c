/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a certificate: what is read of it has the shape of two times. */
#include "fuzz.h"

#include "../../core/grpc/tls_validity.h"

static void check_time(const char *text)
{
    FUZZ_CHECK(strlen(text) == MUSTER__TLS_TIME_SIZE - 1);
    FUZZ_CHECK(text[4] == '-' && text[10] == ' ' && text[16] == ':');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    muster__tls_validity validity;

    if (muster__tls_validity_read(text, &validity)) {
        check_time(validity.from);
        check_time(validity.until);
    }
    free(text);
    return 0;
}
