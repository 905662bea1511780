/* SPDX-License-Identifier: Apache-2.0 */
/* What muster itself reads of PEM texts. */
#include <criterion/criterion.h>
#include <grpc/grpc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certificates.h"
#include "tls_file.h"
#include "tls_pem.h"
#include "tls_validity.h"

static certificates made;

static void begin(void)
{
    cr_assert(certificates_make(&made));
}

static void end(void)
{
    certificates_remove(&made);
}

TestSuite(tls_pem, .init = begin, .fini = end, .timeout = 120);

/* For free(3). */
static char *text_of(const char *name)
{
    const certificates_path path = certificates_find(&made, name);
    muster__tls_stamp stamp;
    muster_error err;
    char *text = NULL;

    cr_assert_eq(muster__tls_file_read(path.text, &text, &stamp, &err),
                 MUSTER_OK, "%s", err.message);
    return text;
}

Test(tls_pem, is_whole_when_each_block_ends)
{
    char *text = text_of("both-ca");
    char *key = text_of("ca-key");

    cr_expect(muster__tls_pem_is_whole(text, "CERTIFICATE"));
    cr_expect(!muster__tls_pem_is_whole(text, "PRIVATE KEY"));
    cr_expect(muster__tls_pem_is_whole(key, "PRIVATE KEY"));
    text[strlen(text) - 3] = '\0';
    cr_expect(!muster__tls_pem_is_whole(text, "CERTIFICATE"));
    cr_expect(!muster__tls_pem_is_whole("", "CERTIFICATE"));
    cr_expect(!muster__tls_pem_is_whole("-----BEGIN ", "CERTIFICATE"));
    cr_expect(
        !muster__tls_pem_is_whole("-----BEGIN A-----\n-----END B-----", "A"));
    free(text);
    free(key);
}

static void now(char text[MUSTER__TLS_TIME_SIZE])
{
    const time_t seconds = time(NULL);
    struct tm parts;

    (void)strftime(text, MUSTER__TLS_TIME_SIZE, "%Y-%m-%d %H:%M:%S",
                   gmtime_r(&seconds, &parts));
}

Test(tls_pem, says_from_when_to_when_a_certificate_is_valid)
{
    char *good = text_of("server");
    char *expired = text_of("expired");
    char today[MUSTER__TLS_TIME_SIZE];
    muster__tls_validity validity;

    now(today);
    cr_assert(muster__tls_validity_read(good, &validity));
    cr_expect(strcmp(validity.from, today) <= 0, "%s", validity.from);
    cr_expect(strcmp(validity.until, today) > 0, "%s", validity.until);
    cr_assert(muster__tls_validity_read(expired, &validity));
    cr_expect(strcmp(validity.until, today) < 0, "%s", validity.until);
    free(good);
    free(expired);
}

Test(tls_pem, reads_no_validity_of_what_is_no_certificate)
{
    char *key = text_of("server-key");
    char *cut = text_of("server");
    muster__tls_validity validity;

    cr_expect(!muster__tls_validity_read("", &validity));
    cr_expect(!muster__tls_validity_read(key, &validity));
    cut[80] = '\0';
    cr_expect(!muster__tls_validity_read(cut, &validity));
    free(key);
    free(cut);
}

Test(tls_pem, matches_a_key_with_its_certificate)
{
    char *certificate = text_of("client");
    char *key = text_of("client-key");
    char *other = text_of("other-client-key");

    grpc_init();
    cr_expect(muster__tls_pem_match(certificate, key));
    cr_expect(!muster__tls_pem_match(certificate, other));
    cr_expect(!muster__tls_pem_match(key, key));
    free(certificate);
    free(key);
    free(other);
}
