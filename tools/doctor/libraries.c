/* SPDX-License-Identifier: Apache-2.0 */
/* The versions of what is loaded, and what is known against some of them. Asked
 * of the libraries themselves, by name: their headers belong to the rooms that
 * use them, and what counts is what a plugin would get. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <muster/plugin.h>
#include <muster/version.h>

#include "doctor.h"
#ifdef MUSTER_TOOLS_GRPC
#include "../call/probe.h"
#endif

typedef struct trouble {
    const char *library;
    unsigned from[3];
    unsigned below[3];
    verdict result; /* VERDICT_OK: worth knowing, and mended by who packages */
    const char *text;
} trouble;

/* By the notes of the projects and the changelogs of Debian 12's packages. */
static const trouble troubles[] = {
    {"gRPC C core",
     {0, 0, 0},
     {29, 0, 0},
     VERDICT_WARNING,
     "older than what muster is made for, 29.0.0 (gRPC 1.51)"},
    {"gRPC C core",
     {29, 0, 0},
     {30, 0, 0},
     VERDICT_OK,
     "CVE-2023-1428 and CVE-2023-33953, by which a hostile peer can stop it, "
     "are fixed from gRPC 1.53 and 1.53.2 on"},
    {"c-ares",
     {0, 0, 0},
     {1, 18, 1},
     VERDICT_WARNING,
     "older than what muster is made for, 1.18.1"},
    {"c-ares",
     {1, 18, 1},
     {1, 18, 2},
     VERDICT_OK,
     "CVE-2022-4904, CVE-2023-31130 and CVE-2023-32067 are fixed in Debian's "
     "1.18.1-3, elsewhere in 1.19.1"},
    {"c-ares",
     {1, 18, 2},
     {1, 19, 1},
     VERDICT_WARNING,
     "CVE-2023-32067: an empty answer stops it; fixed in 1.19.1"},
    {"c-ares",
     {1, 32, 3},
     {1, 34, 6},
     VERDICT_WARNING,
     "CVE-2025-31498 and CVE-2025-62408: use after free; fixed in 1.34.6"},
    {"libcurl",
     {0, 0, 0},
     {7, 87, 0},
     VERDICT_WARNING,
     "older than what muster is made for, 7.87"},
    {"libcurl",
     {7, 87, 0},
     {7, 88, 1},
     VERDICT_WARNING,
     "CVE-2023-38039: headers without end eat all memory; fixed in 8.3.0"},
    {"libcurl",
     {7, 88, 1},
     {7, 88, 2},
     VERDICT_OK,
     "CVE-2023-38039 is fixed in Debian's 7.88.1-10+deb12u3, elsewhere in "
     "8.3.0"},
    {"libcurl",
     {7, 88, 2},
     {8, 3, 0},
     VERDICT_WARNING,
     "CVE-2023-38039: headers without end eat all memory; fixed in 8.3.0"},
    {"jansson",
     {0, 0, 0},
     {2, 14, 0},
     VERDICT_WARNING,
     "older than what muster is made for, 2.14"},
};

/* -1, 0 or 1 */
static int compare(const unsigned a[3], const unsigned b[3])
{
    for (int i = 0; i < 3; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

static const trouble *find_trouble(const char *library, const char *version)
{
    unsigned numbers[3] = {0, 0, 0};

    if (sscanf(version, "%u.%u.%u", &numbers[0], &numbers[1], &numbers[2]) <
        1) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        if (strcmp(troubles[i].library, library) == 0 &&
            compare(numbers, troubles[i].from) >= 0 &&
            compare(numbers, troubles[i].below) < 0) {
            return &troubles[i];
        }
    }
    return NULL;
}

static void report(doctor *self, const char *library, const char *version)
{
    const trouble *found = find_trouble(library, version);

    if (found == NULL) {
        doctor_report(self, VERDICT_OK, "version", library, NULL, "%s",
                      version);
    } else if (found->result == VERDICT_OK) {
        doctor_report(self, VERDICT_OK, "version", library, NULL, "%s (%s)",
                      version, found->text);
    } else {
        doctor_report(self, found->result, "version", library,
                      "install a newer one, or one whose packager has the fix",
                      "%s: %s", version, found->text);
    }
}

/* ---- of libraries that plugins load ---- */

/* NULL: it cannot be loaded, or has no such function. A copy that is loaded
 * stays: functions of it may run. */
static void *find_function(const char *file, const char *name)
{
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);

    return library == NULL ? NULL : dlsym(library, name);
}

static void report_missing(doctor *self, const char *library, const char *file,
                           const char *user)
{
    doctor_report(self, VERDICT_WARNING, "version", library,
                  "install it, or do without what needs it",
                  "%s cannot be loaded; %s needs it", file, user);
}

/* dlsym() gives a pointer to data, of which C makes no function. */
typedef union function {
    void *found;
    const char *(*text)(void);
    const char *(*text_of)(int *number);
} function;

static void check_cares(doctor *self)
{
    static const char file[] = "libcares.so.2";
    const function version = {.found = find_function(file, "ares_version")};

    if (version.found == NULL) {
        report_missing(self, "c-ares", file, "the resolver dns");
    } else {
        report(self, "c-ares", version.text_of(NULL));
    }
}

/* "libcurl/7.88.1 OpenSSL/3.0.19 ..." */
static void check_curl(doctor *self)
{
    static const char file[] = "libcurl.so.4";
    const function version = {.found = find_function(file, "curl_version")};
    const char *text;
    char number[32];

    if (version.found == NULL) {
        report_missing(self, "libcurl", file, "the resolver consul");
        return;
    }
    text = strchr(version.text(), '/');
    text = text == NULL ? "" : text + 1;
    (void)snprintf(number, sizeof number, "%.*s", (int)strcspn(text, " "),
                   text);
    report(self, "libcurl", number);
}

static void check_uv(doctor *self)
{
    static const char file[] = "libuv.so.1";
    const function version = {.found =
                                  find_function(file, "uv_version_string")};

    if (version.found == NULL) {
        report_missing(self, "libuv", file, "muster");
    } else {
        report(self, "libuv", version.text());
    }
}

/* ---- all ---- */

void doctor_check_libraries(doctor *self)
{
    char abi[16];

    (void)snprintf(abi, sizeof abi, "%d.%d", MUSTER_ABI_MAJOR,
                   MUSTER_ABI_MINOR);
    report(self, "muster", muster_version());
    if (strcmp(muster_version(), MUSTER_VERSION_STRING) != 0) {
        doctor_report(self, VERDICT_WARNING, "version", "muster",
                      "install command and library together",
                      "this command is of %s", MUSTER_VERSION_STRING);
    }
    report(self, "plugin ABI", abi);
#ifdef MUSTER_TOOLS_GRPC
    report(self, "gRPC C core", probe_grpc_version());
#endif
    check_cares(self);
    check_curl(self);
    report(self, "jansson", jansson_version_str());
    check_uv(self);
    report(self, "OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING));
}
