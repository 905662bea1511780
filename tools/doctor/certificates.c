/* SPDX-License-Identifier: Apache-2.0 */
/* The files of --cacert, --cert and --key. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificate.h"

static void check_file(doctor *self, const char *check, const char *path)
{
    certificate_life life;
    unsigned n;
    char text[256];

    if (path == NULL) {
        return;
    }
    if (!certificate_read(path, &life, &n, text, sizeof text)) {
        doctor_report(self, VERDICT_FAILURE, check, path,
                      "name a file of PEM certificates that this user may read",
                      "%s", text);
    } else {
        certificate_report(self, check, path, &life);
    }
}

static void check_key(doctor *self, const char *path)
{
    struct stat file;

    if (path == NULL) {
        return;
    }
    if (stat(path, &file) != 0 || access(path, R_OK) != 0) {
        doctor_report(self, VERDICT_FAILURE, "key", path,
                      "let this user read it", "%s", strerror(errno));
    } else if ((file.st_mode & 077) != 0) {
        doctor_report(self, VERDICT_WARNING, "key", path,
                      "chmod 600: others may read the key", "its mode is %04o",
                      (unsigned)(file.st_mode & 07777));
    } else {
        doctor_report(self, VERDICT_OK, "key", path, NULL, "its mode is %04o",
                      (unsigned)(file.st_mode & 07777));
    }
}

void doctor_check_certificates(doctor *self)
{
    const tls_paths *tls = &self->settings->tls;

    check_file(self, "authorities", tls->ca_file);
    check_file(self, "certificate", tls->certificate_file);
    check_key(self, tls->key_file);
    if ((tls->certificate_file == NULL) != (tls->key_file == NULL)) {
        doctor_report(self, VERDICT_FAILURE, "certificate", NULL,
                      "give both --cert and --key",
                      "a certificate and its key go together");
    }
}
