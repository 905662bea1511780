/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a TLS connection that failed. */
#include <criterion/criterion.h>
#include <string.h>

#include "tls_explain.h"

/* Under TLS 1.3 a server refuses a client when that thinks the handshake is
 * over; it may be reading, waiting or writing when the connection ends. */
Test(tls_explain, tells_of_client_certificates_however_the_connection_ends)
{
    static const char *const ends[] = {"Socket closed",
                                       "recvmsg:Connection reset by peer",
                                       "sendmsg: Broken pipe"};
    const muster_grpc_tls_options without = {.struct_size = sizeof without};
    const muster_grpc_tls_options with = {.struct_size = sizeof with,
                                          .certificate_file = "client.crt"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char text[256];
        const char *said =
            muster__tls_explain(&without, ends[i], NULL, text, sizeof text);

        cr_expect_not_null(strstr(said, ends[i]));
        cr_expect_not_null(strstr(said, "may want a client certificate"), "%s",
                           said);
        said = muster__tls_explain(&with, ends[i], NULL, text, sizeof text);
        cr_expect_not_null(strstr(said, "may not accept the client"), "%s",
                           said);
    }
}
