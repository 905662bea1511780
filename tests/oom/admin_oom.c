/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while a process is asked through its admin
 * socket: who asks gets a whole line or none, and when memory is back it
 * answers again. admin_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"

enum { HANG_S = 20 };

static char path[64];
static char address[80];

/* Whether a whole line came. */
static bool ask(const char *request)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte = '\0';

    strcpy(place.sun_path, path);
    if (connect(fd, (const struct sockaddr *)&place, sizeof place) == 0) {
        (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
        while (recv(fd, &byte, 1, 0) == 1 && byte != '\n') {
        }
    }
    (void)close(fd);
    return byte == '\n';
}

static void live(void)
{
    muster_status status = muster_admin_listen(address, NULL);

    if (status != MUSTER_OK && status != MUSTER_NOMEM) {
        passes_die(muster_status_name(status));
    }
    (void)ask("channels\n");
    (void)ask("bogus\n");
    muster_admin_close();
    if (access(path, F_OK) == 0) {
        passes_die("it was not closed");
    }
}

static bool run(void *arg, const passes_failure *failure)
{
    const muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster_channel *channel = NULL;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S);
    if (muster_channel_create("script:///oom", NULL, &channel, NULL) !=
        MUSTER_OK) {
        passes_die("no channel");
    }
    script_report("oom", &endpoint, 1);
    failing_malloc_arm(failure->countdown, failure->n);
    live();
    has_failed = failing_malloc_disarm();
    if (muster_admin_listen(address, NULL) != MUSTER_OK || !ask("channels\n")) {
        passes_die("no answer after memory came back");
    }
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/muster-admin-XXXXXX";
    int code;

    if (mkdtemp(folder) == NULL) {
        passes_die("no folder");
    }
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(address, sizeof address, "unix:%s", path);
    script_register();
    code = passes_run(argc, argv, run, NULL);
    (void)rmdir(folder);
    return code;
}
