/* SPDX-License-Identifier: Apache-2.0 */
/* When certificates are valid. */
#include "certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "certificate_internal.h"

enum { SOON_DAYS = 21 };

static void write_time(const ASN1_TIME *time, char *text, size_t size)
{
    struct tm parts;

    if (ASN1_TIME_to_tm(time, &parts) != 1 ||
        strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        (void)snprintf(text, size, "?");
    }
}

void certificate_life_of(X509 *certificate, certificate_life *ret_life)
{
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *until = X509_get0_notAfter(certificate);
    int seconds = 0;

    memset(ret_life, 0, sizeof *ret_life);
    write_time(from, ret_life->from, sizeof ret_life->from);
    write_time(until, ret_life->until, sizeof ret_life->until);
    (void)ASN1_TIME_diff(&ret_life->days_left, &seconds, NULL, until);
    ret_life->has_expired = X509_cmp_current_time(until) < 0;
    ret_life->is_early = X509_cmp_current_time(from) > 0;
}

void certificate_error(char *text, size_t size)
{
    const unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    (void)snprintf(text, size, "%s",
                   reason != NULL ? reason : "no reason is known");
    ERR_clear_error();
}

static bool is_sooner(const certificate_life *a, const certificate_life *b)
{
    /* They compare as texts. */
    return strcmp(a->until, b->until) < 0;
}

static unsigned read_all(FILE *file, certificate_life *ret_life)
{
    unsigned n = 0;
    X509 *certificate;

    while ((certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        certificate_life life;

        certificate_life_of(certificate, &life);
        if (n == 0 || is_sooner(&life, ret_life)) {
            *ret_life = life;
        }
        X509_free(certificate);
        n++;
    }
    ERR_clear_error(); /* the end of the file counts as one */
    return n;
}

bool certificate_read(const char *path, certificate_life *ret_life,
                      unsigned *ret_count, char *text, size_t size)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        (void)snprintf(text, size, "%s", strerror(errno));
        return false;
    }
    *ret_count = read_all(file, ret_life);
    (void)fclose(file);
    if (*ret_count == 0) {
        (void)snprintf(text, size, "there is no PEM certificate in it");
        return false;
    }
    return true;
}

void certificate_report(doctor *self, const char *check, const char *subject,
                        const certificate_life *life)
{
    if (life->has_expired) {
        doctor_report(self, VERDICT_FAILURE, check, subject,
                      "renew it, or check this machine's clock",
                      "expired at %s", life->until);
    } else if (life->is_early) {
        doctor_report(self, VERDICT_FAILURE, check, subject,
                      "check the clock of this machine, and of the one that "
                      "signed it",
                      "not valid before %s", life->from);
    } else if (life->days_left < SOON_DAYS) {
        doctor_report(self, VERDICT_WARNING, check, subject, "renew it",
                      "expires in %d days, at %s", life->days_left,
                      life->until);
    } else {
        doctor_report(self, VERDICT_OK, check, subject, NULL,
                      "expires in %d days, at %s", life->days_left,
                      life->until);
    }
}
