/* SPDX-License-Identifier: Apache-2.0 */
/* Environment variables that change what happens: of proxies, of muster and of
 * gRPC. Values that may hold a secret are not shown. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

static void report_unset(doctor *self, const char *check, const char *text)
{
    doctor_report(self, VERDICT_OK, check, NULL, NULL, "%s", text);
}

/* ---- proxies ---- */

/* A proxy's URL may have a password in it: only that it is set is told. */
void doctor_check_proxies(doctor *self)
{
    static const char *const names[] = {"grpc_proxy", "https_proxy",
                                        "http_proxy"};
    bool is_any_set = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (doctor_variable(names[i]) != NULL) {
            doctor_report(self, VERDICT_OK, "proxy", names[i], NULL,
                          "it is set; muster's gRPC connections go to the "
                          "endpoints themselves, and ignore it");
            is_any_set = true;
        }
    }
    if (!is_any_set) {
        report_unset(self, "proxy", "no variable names one");
    }
}

/* ---- muster ---- */

/* As the loader of plugins has it. */
static void check_folder(doctor *self, const char *path)
{
    struct stat folder;

    if (stat(path, &folder) != 0) {
        doctor_report(self, VERDICT_WARNING, "MUSTER_PLUGIN_PATH", path,
                      "make the folder, or take it out of the variable", "%s",
                      strerror(errno));
    } else if (!S_ISDIR(folder.st_mode)) {
        doctor_report(self, VERDICT_FAILURE, "MUSTER_PLUGIN_PATH", path,
                      "name the folder that the plugins are in",
                      "it is not a folder");
    } else if (folder.st_uid != 0 && folder.st_uid != geteuid()) {
        doctor_report(self, VERDICT_FAILURE, "MUSTER_PLUGIN_PATH", path,
                      "chown it: no plugin is loaded from it",
                      "it belongs to user %lu, not to root or user %lu",
                      (unsigned long)folder.st_uid, (unsigned long)geteuid());
    } else if ((folder.st_mode & S_IWOTH) != 0) {
        doctor_report(self, VERDICT_FAILURE, "MUSTER_PLUGIN_PATH", path,
                      "chmod o-w: no plugin is loaded from it",
                      "everyone may write to it (mode %04o)",
                      (unsigned)(folder.st_mode & 07777));
    } else {
        doctor_report(self, VERDICT_OK, "MUSTER_PLUGIN_PATH", path, NULL,
                      "a folder, with mode %04o",
                      (unsigned)(folder.st_mode & 07777));
    }
}

static void check_plugin_path(doctor *self)
{
    const char *value = doctor_variable("MUSTER_PLUGIN_PATH");
    char *copy = value == NULL ? NULL : strdup(value);
    char *rest = NULL;

    if (copy == NULL) {
        report_unset(self, "MUSTER_PLUGIN_PATH", "not set");
        return;
    }
    for (char *path = strtok_r(copy, ":", &rest); path != NULL;
         path = strtok_r(NULL, ":", &rest)) {
        check_folder(self, path);
    }
    free(copy);
}

/* "unix:/run/muster.sock": of a process that may not run yet, so that only the
 * folder has to be there. */
static void check_admin(doctor *self)
{
    const char *value = doctor_variable("MUSTER_ADMIN");
    const char *path;
    char folder[512];

    if (value == NULL) {
        return;
    }
    if (strncmp(value, "unix:/", 6) != 0) {
        doctor_report(self, VERDICT_WARNING, "MUSTER_ADMIN", value,
                      "say unix:PATH, and PATH with a \"/\" in front",
                      "no process makes an admin socket of it");
        return;
    }
    path = value + strlen("unix:");
    (void)snprintf(folder, sizeof folder, "%.*s",
                   (int)(strrchr(path, '/') - path + 1), path);
    if (access(folder, X_OK) != 0) {
        doctor_report(self, VERDICT_WARNING, "MUSTER_ADMIN", value,
                      "make the folder, and let this user search it",
                      "its folder: %s", strerror(errno));
    } else {
        doctor_report(self, VERDICT_OK, "MUSTER_ADMIN", value, NULL,
                      "its folder is there");
    }
}

void doctor_check_muster(doctor *self)
{
    check_plugin_path(self);
    check_admin(self);
}

/* ---- gRPC ---- */

static void check_roots(doctor *self)
{
    static const char name[] = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH";
    const char *path = doctor_variable(name);

    if (path == NULL) {
        return;
    }
    if (access(path, R_OK) != 0) {
        doctor_report(self, VERDICT_FAILURE, name, path,
                      "name a file of PEM certificates: without it, TLS with "
                      "the default roots trusts the system's",
                      "%s", strerror(errno));
    } else {
        doctor_report(self, VERDICT_OK, name, path, NULL, "readable");
    }
}

typedef struct variable {
    const char *name;
    verdict result;
    const char *text;
    const char *hint;
} variable;

static const variable grpc_variables[] = {
    {"GRPC_VERBOSITY", VERDICT_OK, "how much C core logs to stderr", NULL},
    {"GRPC_TRACE", VERDICT_WARNING,
     "C core traces, which slows calls and may write what they carry",
     "unset it unless you are looking for something"},
    {"GRPC_ENABLE_FORK_SUPPORT", VERDICT_WARNING,
     "C core's fork handlers run at each fork, and wait for calls; muster says "
     "FORKED in the child all the same",
     "unset it, and make channels after forking"},
    {"GRPC_POLL_STRATEGY", VERDICT_WARNING,
     "C core polls in another way than muster is measured with",
     "unset it: the default is epoll1"},
    {"GRPC_DNS_RESOLVER", VERDICT_OK,
     "muster resolves by itself, and ignores it", NULL},
};

/* Said, and as if it were not. */
static bool is_off(const char *value)
{
    return strcmp(value, "0") == 0 || strcasecmp(value, "false") == 0;
}

void doctor_check_grpc(doctor *self)
{
    bool is_any_set =
        doctor_variable("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH") != NULL;

    check_roots(self);
    for (size_t i = 0; i < sizeof grpc_variables / sizeof grpc_variables[0];
         i++) {
        const variable *at = &grpc_variables[i];
        const char *value = doctor_variable(at->name);

        if (value != NULL && !is_off(value)) {
            doctor_report(self, at->result, at->name, value, at->hint, "%s",
                          at->text);
            is_any_set = true;
        }
    }
    if (!is_any_set) {
        report_unset(self, "gRPC", "no variable changes what it does");
    }
}
