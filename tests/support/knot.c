/* SPDX-License-Identifier: Apache-2.0 */
/* Runs knotd and changes its zone. */
#include "knot.h"

#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "knot_control.h"
#include "knot_process.h"

enum {
    MAX_ATTEMPTS = 8,
    MAX_RESTARTS = 100,
    RETRY_MS = 50,
    PATH_SIZE = 128,
    NUMBER_SIZE = 16
};

/* ---- files ---- */

static bool write_file(const knot *self, const char *name, const char *format,
                       ...)
{
    char path[PATH_SIZE];
    va_list args;
    FILE *file;
    int written;

    (void)snprintf(path, sizeof path, "%s/%s", self->folder, name);
    file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return false;
    }
    va_start(args, format);
    written = vfprintf(file, format, args);
    va_end(args);
    return fclose(file) == 0 && written >= 0;
}

/* What is committed is in the journal, which is read again after a restart.
 * None of it need outlive the machine. */
static bool write_config(const knot *self)
{
    return write_file(self, "knot.conf",
                      "server:\n"
                      "    rundir: \"%s\"\n"
                      "    listen: \"%s@%d\"\n"
                      "    udp-workers: 1\n"
                      "    tcp-workers: 1\n"
                      "    background-workers: 1\n"
                      "control:\n"
                      "    listen: \"%s/control\"\n"
                      "database:\n"
                      "    storage: \"%s\"\n"
                      "    journal-db-mode: asynchronous\n"
                      "    journal-db-max-size: 64M\n"
                      "    timer-db-max-size: 1M\n"
                      "zone:\n"
                      "  - domain: \"%s\"\n"
                      "    file: \"%s/zone\"\n"
                      "    dnssec-signing: off\n"
                      "    zonefile-load: whole\n"
                      "    zonefile-sync: -1\n"
                      "    journal-content: changes\n"
                      "log:\n"
                      "  - target: stderr\n"
                      "    any: info\n",
                      self->folder,
                      self->port.family == AF_INET6 ? "::1" : "127.0.0.1",
                      self->port.number, self->folder, self->folder, self->zone,
                      self->folder);
}

static bool write_zone(const knot *self, const char *records,
                       uint32_t negative_ttl)
{
    const uint32_t ttl = negative_ttl == 0 ? 1 : negative_ttl;

    return write_file(
        self, "zone",
        "$ORIGIN %s\n"
        "$TTL 1\n"
        "@ %" PRIu32 " SOA ns admin 1 3600 600 86400 %" PRIu32 "\n"
        "@ NS ns\n"
        "ns A 127.0.0.1\n"
        "knot-token TXT %s\n"
        "%s\n",
        self->zone, ttl, ttl, self->token, records == NULL ? "" : records);
}

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

/* ---- starting ---- */

static void make_token(knot *self)
{
    uint8_t bytes[(sizeof self->token - 1) / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        abort();
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        (void)snprintf(self->token + 2 * i, 3, "%02x", bytes[i]);
    }
}

static bool make_folder(knot *self)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(self->folder, sizeof self->folder, "%s/muster-knot-XXXXXX",
                   base == NULL || strlen(base) > 32 ? "/tmp" : base);
    if (mkdtemp(self->folder) == NULL) {
        perror(self->folder);
        self->folder[0] = '\0';
        return false;
    }
    return true;
}

static void set_address(knot *self)
{
    const char *format =
        self->port.family == AF_INET6 ? "[::1]:%d" : "127.0.0.1:%d";

    (void)snprintf(self->address, sizeof self->address, format,
                   self->port.number);
}

/* Another port each time that somebody else was given it in between. */
static bool start_on_some_port(knot *self, int family)
{
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (!loopback_port_take(&self->port, family)) {
            perror("no port");
            return false;
        }
        set_address(self);
        if (!write_config(self)) {
            return false;
        }
        switch (knot_process_start(self)) {
        case KNOT_SERVES:
            return true;
        case KNOT_FAILED:
            return false;
        case KNOT_HAS_NO_PORT:
            loopback_port_release(&self->port);
        }
    }
    return false;
}

bool knot_start(knot *ret_knot, const char *zone, const char *records,
                const knot_options *options)
{
    static const knot_options plain;
    const knot_options *chosen = options == NULL ? &plain : options;
    const size_t length = strlen(zone);
    knot self = {0};

    memset(ret_knot, 0, sizeof *ret_knot);
    (void)snprintf(self.zone, sizeof self.zone, "%s%s", zone,
                   length > 0 && zone[length - 1] == '.' ? "" : ".");
    make_token(&self);
    if (!make_folder(&self)) {
        return false;
    }
    if (!write_zone(&self, records, chosen->negative_ttl) ||
        !start_on_some_port(&self, chosen->is_ipv6 ? AF_INET6 : AF_INET)) {
        knot_process_show_log(&self);
        knot_fini(&self);
        return false;
    }
    *ret_knot = self;
    return true;
}

bool knot_restart(knot *self)
{
    knot_outcome outcome;

    self->has_begun = false;
    outcome = knot_process_start(self);
    for (int i = 1; outcome == KNOT_HAS_NO_PORT && i < MAX_RESTARTS; i++) {
        (void)poll(NULL, 0, RETRY_MS);
        outcome = knot_process_start(self);
    }
    if (outcome != KNOT_SERVES) {
        knot_process_show_log(self);
    }
    return outcome == KNOT_SERVES;
}

void knot_fini(knot *self)
{
    knot_kill(self);
    loopback_port_release(&self->port);
    if (self->folder[0] != '\0') {
        (void)nftw(self->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        self->folder[0] = '\0';
    }
}

/* ---- changing ---- */

static bool open_control(const knot *self, knot_control *control)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/control", self->folder);
    if (!knot_control_open(control, path)) {
        perror(path);
        return false;
    }
    return true;
}

static bool run(const knot *self, knot_control *control, knot_command command)
{
    command.zone = self->zone;
    if (knot_control_run(control, &command)) {
        return true;
    }
    (void)fprintf(stderr, "knot: %s %s %s %s: %s\n", command.name,
                  command.owner == NULL ? "" : command.owner,
                  command.type == NULL ? "" : command.type,
                  command.data == NULL ? "" : command.data, control->error);
    return false;
}

static bool unset(const knot *self, knot_control *control, const char *owner,
                  const char *type)
{
    const knot_command command = {
        .name = "zone-unset", .zone = self->zone, .owner = owner, .type = type};

    if (knot_control_run(control, &command) ||
        strstr(control->error, "no such") != NULL ||
        strcmp(control->error, "not exists") == 0) {
        return true;
    }
    (void)fprintf(stderr, "knot: zone-unset %s: %s\n", owner, control->error);
    return false;
}

static bool set(const knot *self, knot_control *control, const char *owner,
                const char *type, uint32_t ttl, const char *const *data,
                size_t n)
{
    char number[NUMBER_SIZE];

    (void)snprintf(number, sizeof number, "%" PRIu32, ttl);
    if (!unset(self, control, owner, type)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!run(self, control,
                 (knot_command){.name = "zone-set",
                                .owner = owner,
                                .ttl = number,
                                .type = type,
                                .data = data[i]})) {
            return false;
        }
    }
    return true;
}

/* A transaction around one change, unless the test has begun one. */
static bool begin(const knot *self, knot_control *control)
{
    if (!open_control(self, control)) {
        return false;
    }
    if (self->has_begun ||
        run(self, control, (knot_command){.name = "zone-begin"})) {
        return true;
    }
    knot_control_close(control);
    return false;
}

static bool commit(const knot *self, knot_control *control)
{
    if (run(self, control, (knot_command){.name = "zone-commit"})) {
        return true;
    }
    (void)run(self, control, (knot_command){.name = "zone-abort"});
    return false;
}

static bool end(const knot *self, knot_control *control, bool is_good)
{
    if (!self->has_begun && is_good) {
        is_good = commit(self, control);
    } else if (!self->has_begun) {
        (void)run(self, control, (knot_command){.name = "zone-abort"});
    }
    knot_control_close(control);
    return is_good;
}

bool knot_set_records(knot *self, const char *owner, const char *type,
                      uint32_t ttl, const char *const *data, size_t n)
{
    knot_control control;

    return begin(self, &control) &&
           end(self, &control, set(self, &control, owner, type, ttl, data, n));
}

bool knot_remove_records(knot *self, const char *owner, const char *type)
{
    knot_control control;

    return begin(self, &control) &&
           end(self, &control, unset(self, &control, owner, type));
}

bool knot_begin(knot *self)
{
    knot_control control;

    if (!begin(self, &control)) {
        return false;
    }
    knot_control_close(&control);
    self->has_begun = true;
    return true;
}

bool knot_commit(knot *self)
{
    knot_control control;
    bool is_good;

    if (!open_control(self, &control)) {
        return false;
    }
    is_good = commit(self, &control);
    knot_control_close(&control);
    self->has_begun = false;
    return is_good;
}
