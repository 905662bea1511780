/* SPDX-License-Identifier: Apache-2.0 */
/* The CONSUL_ variables. A token is never shown, nor is the content of its
 * file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

/* "127.0.0.1:8500", "https://consul.example:8501", "unix:///run/consul.sock" */
static void check_address(doctor *self)
{
    static const char name[] = "CONSUL_HTTP_ADDR";
    const char *value = doctor_variable(name);
    const char *scheme_end;

    if (value == NULL) {
        doctor_report(self, VERDICT_OK, name, NULL, NULL,
                      "not set, so that 127.0.0.1:8500 is asked");
        return;
    }
    scheme_end = strstr(value, "://");
    if (strchr(value, '@') != NULL) {
        doctor_report(self, VERDICT_WARNING, name, NULL,
                      "use CONSUL_HTTP_TOKEN_FILE",
                      "it seems to have a password in it");
    } else if (strpbrk(value, "?#") != NULL) {
        doctor_report(self, VERDICT_FAILURE, name, NULL,
                      "leave out what begins with \"?\" or \"#\"",
                      "not an address; it is not shown, since it may have a "
                      "token in it");
    } else if (value[strcspn(value, " \t\r\n")] != '\0' ||
               (scheme_end != NULL && strncmp(value, "http://", 7) != 0 &&
                strncmp(value, "https://", 8) != 0 &&
                strncmp(value, "unix://", 7) != 0)) {
        doctor_report(self, VERDICT_FAILURE, name, value,
                      "say HOST:PORT, http://HOST:PORT, https://HOST:PORT or "
                      "unix:///PATH",
                      "not an address");
    } else {
        doctor_report(self, VERDICT_OK, name, value, NULL, "set");
    }
}

static void check_truth(doctor *self, const char *name)
{
    static const char *const words[] = {"1",    "t",     "T",     "TRUE",
                                        "true", "True",  "0",     "f",
                                        "F",    "FALSE", "false", "False"};
    const char *value = doctor_variable(name);

    if (value == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], value) == 0) {
            doctor_report(self, VERDICT_OK, name, value, NULL, "set");
            return;
        }
    }
    doctor_report(self, VERDICT_FAILURE, name, value, "say true or false",
                  "neither true nor false");
}

static void check_verification(doctor *self)
{
    const char *value = doctor_variable("CONSUL_HTTP_SSL_VERIFY");

    check_truth(self, "CONSUL_HTTP_SSL_VERIFY");
    if (value != NULL && strchr("0fF", value[0]) != NULL) {
        doctor_report(self, VERDICT_WARNING, "CONSUL_HTTP_SSL_VERIFY", NULL,
                      "unset it, and name the authority with CONSUL_CACERT",
                      "any certificate of the agent is believed");
    }
}

static void check_token(doctor *self)
{
    static const char name[] = "CONSUL_HTTP_TOKEN";
    const char *value = doctor_variable(name);
    size_t length = 0;

    if (value == NULL) {
        return;
    }
    while (value[length] > ' ' && value[length] <= '~') {
        length++;
    }
    if (value[length] != '\0') {
        doctor_report(self, VERDICT_FAILURE, name, NULL,
                      "copy it again, without blanks and line ends",
                      "it has characters that no token has");
    } else {
        doctor_report(self, VERDICT_OK, name, NULL, NULL, "set");
    }
}

/* Where a path should be there may be the token itself. */
static void report_no_token_file(doctor *self, const char *check,
                                 const char *path, int error)
{
    if (error == ENOENT && strchr(path, '/') == NULL) {
        doctor_report(self, VERDICT_FAILURE, check, NULL,
                      "name the file that has the token, not the token",
                      "there is no such file");
    } else {
        doctor_report(self, VERDICT_FAILURE, check, path,
                      "let this user read it", "%s", strerror(error));
    }
}

static void check_token_file(doctor *self)
{
    static const char name[] = "CONSUL_HTTP_TOKEN_FILE";
    const char *path = doctor_variable(name);
    struct stat file;

    if (path == NULL) {
        return;
    }
    if (stat(path, &file) != 0 || access(path, R_OK) != 0) {
        report_no_token_file(self, name, path, errno);
    } else if (!S_ISREG(file.st_mode)) {
        doctor_report(self, VERDICT_FAILURE, name, path,
                      "name the file that has the token",
                      "it is not a regular file");
    } else if ((file.st_mode & 077) != 0) {
        doctor_report(self, VERDICT_WARNING, name, path,
                      "chmod 600: others may read the token",
                      "its mode is %04o", (unsigned)(file.st_mode & 07777));
    } else {
        doctor_report(self, VERDICT_OK, name, path, NULL, "its mode is %04o",
                      (unsigned)(file.st_mode & 07777));
    }
}

static void check_file(doctor *self, const char *name)
{
    const char *path = doctor_variable(name);

    if (path == NULL) {
        return;
    }
    if (access(path, R_OK) != 0) {
        doctor_report(self, VERDICT_FAILURE, name, path,
                      "let this user read it", "%s", strerror(errno));
    } else {
        doctor_report(self, VERDICT_OK, name, path, NULL, "readable");
    }
}

void doctor_check_consul(doctor *self)
{
    check_address(self);
    check_token(self);
    check_token_file(self);
    check_truth(self, "CONSUL_HTTP_SSL");
    check_verification(self);
    check_file(self, "CONSUL_CACERT");
    check_file(self, "CONSUL_CAPATH");
    check_file(self, "CONSUL_CLIENT_CERT");
    check_file(self, "CONSUL_CLIENT_KEY");
}
