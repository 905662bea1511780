/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol: units that begin with a code, of which those with data
 * are followed by items of a code, a length of 16 bits and that many bytes. */
#include "knot_control.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_S = 20, MAX_ITEM = 65535 };

enum { UNIT_END = 0, UNIT_DATA = 1, UNIT_BLOCK = 3 };

enum {
    ITEM_FIRST = 16,
    ITEM_COMMAND = 16,
    ITEM_ERROR = 18,
    ITEM_ZONE = 22,
    ITEM_OWNER = 23,
    ITEM_TTL = 24,
    ITEM_TYPE = 25,
    ITEM_DATA = 26
};

bool knot_control_open(knot_control *control, const char *path)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memset(control, 0, sizeof *control);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    control->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (control->socket < 0) {
        return false;
    }
    (void)setsockopt(control->socket, SOL_SOCKET, SO_RCVTIMEO, &wait,
                     sizeof wait);
    if (connect(control->socket, (struct sockaddr *)&address, sizeof address) !=
        0) {
        (void)close(control->socket);
        control->socket = -1;
        return false;
    }
    return true;
}

static bool send_bytes(const knot_control *control, const void *bytes, size_t n)
{
    return send(control->socket, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool send_item(const knot_control *control, uint8_t code,
                      const char *value)
{
    const size_t length = value == NULL ? 0 : strlen(value);
    const uint8_t head[] = {code, (uint8_t)(length >> 8), (uint8_t)length};

    if (value == NULL) {
        return true;
    }
    return length <= MAX_ITEM && send_bytes(control, head, sizeof head) &&
           send_bytes(control, value, length);
}

static bool send_command(const knot_control *control,
                         const knot_command *command)
{
    const uint8_t begin = UNIT_DATA;
    const uint8_t end = UNIT_BLOCK;

    return send_bytes(control, &begin, 1) &&
           send_item(control, ITEM_COMMAND, command->name) &&
           send_item(control, ITEM_ZONE, command->zone) &&
           send_item(control, ITEM_OWNER, command->owner) &&
           send_item(control, ITEM_TTL, command->ttl) &&
           send_item(control, ITEM_TYPE, command->type) &&
           send_item(control, ITEM_DATA, command->data) &&
           send_bytes(control, &end, 1);
}

static bool read_8(knot_control *control, uint8_t *ret_byte)
{
    if (control->read == control->filled) {
        const ssize_t n =
            recv(control->socket, control->input, sizeof control->input, 0);

        if (n <= 0) {
            return false;
        }
        control->read = 0;
        control->filled = (size_t)n;
    }
    *ret_byte = control->input[control->read++];
    return true;
}

static bool read_item(knot_control *control, uint8_t code)
{
    uint8_t high;
    uint8_t low;
    size_t length;
    size_t kept = 0;

    if (!read_8(control, &high) || !read_8(control, &low)) {
        return false;
    }
    length = (size_t)high << 8 | low;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte;

        if (!read_8(control, &byte)) {
            return false;
        }
        if (code == ITEM_ERROR && kept < sizeof control->error - 1) {
            control->error[kept++] = (char)byte;
            control->error[kept] = '\0';
        }
    }
    return true;
}

/* What it says beside errors is of no interest. */
static bool read_reply(knot_control *control)
{
    uint8_t code;

    while (read_8(control, &code)) {
        if (code == UNIT_BLOCK || code == UNIT_END) {
            return control->error[0] == '\0';
        }
        if (code >= ITEM_FIRST && !read_item(control, code)) {
            break;
        }
    }
    (void)snprintf(control->error, sizeof control->error, "no reply");
    return false;
}

bool knot_control_run(knot_control *control, const knot_command *command)
{
    control->error[0] = '\0';
    if (!send_command(control, command)) {
        (void)snprintf(control->error, sizeof control->error, "cannot send");
        return false;
    }
    return read_reply(control);
}

void knot_control_close(knot_control *control)
{
    const uint8_t end = UNIT_END;

    if (control->socket >= 0) {
        (void)send_bytes(control, &end, 1);
        (void)close(control->socket);
        control->socket = -1;
    }
}
