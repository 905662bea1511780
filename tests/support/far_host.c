/* SPDX-License-Identifier: Apache-2.0 */
/* Makes network namespaces, and joins them. */
#include "far_host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NEAR_ADDRESS "10.77.0.1"

/* Commands of ip, a line each, run in the namespace of the calling thread. */
__attribute__((format(printf, 1, 2))) static bool run_ip(const char *format,
                                                         ...)
{
    FILE *ip = popen("PATH=$PATH:/usr/sbin:/sbin exec ip -batch -", "we");
    va_list args;

    if (ip == NULL) {
        return false;
    }
    va_start(args, format);
    (void)vfprintf(ip, format, args);
    va_end(args);
    return pclose(ip) == 0;
}

/* That of the calling thread. */
static int open_namespace(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int make_namespace(void)
{
    return unshare(CLONE_NEWNET) == 0 ? open_namespace() : -1;
}

static bool enter(int space)
{
    return setns(space, CLONE_NEWNET) == 0;
}

/* The calling thread is at the far end, and leaves it. */
static bool lay_cable(const far_host *self)
{
    return run_ip("link set lo up\n"
                  "link add far type veth peer name near"
                  " netns /proc/%d/fd/%d\n"
                  "address add " FAR_HOST_ADDRESS "/24 dev far\n"
                  "link set far up\n",
                  (int)getpid(), self->near) &&
           enter(self->near) &&
           run_ip("link set lo up\n"
                  "address add " NEAR_ADDRESS "/24 dev near\n"
                  "link set near up\n");
}

bool far_host_create(far_host *ret_host, char *reason, size_t size)
{
    far_host host = {.home = open_namespace(), .near = -1, .far = -1};

    host.near = make_namespace();
    host.far = host.near < 0 ? -1 : make_namespace();
    if (host.far < 0) {
        (void)snprintf(reason, size, "no network namespace: %s",
                       strerror(errno));
        far_host_destroy(&host);
        return false;
    }
    if (!lay_cable(&host)) {
        (void)snprintf(reason, size, "ip cannot make a pair of interfaces");
        far_host_destroy(&host);
        return false;
    }
    *ret_host = host;
    return true;
}

void far_host_destroy(far_host *self)
{
    const int spaces[] = {self->home, self->near, self->far};

    if (self->home >= 0) {
        (void)enter(self->home);
    }
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        if (spaces[i] >= 0) {
            (void)close(spaces[i]);
        }
    }
}

bool far_host_start(const far_host *self, backend *ret_backend,
                    const char *const *flags)
{
    const bool is_started =
        enter(self->far) && backend_start(ret_backend, flags);

    return enter(self->near) && is_started;
}

bool far_host_set_link(const far_host *self, bool is_up)
{
    const bool is_set =
        enter(self->far) && run_ip("link set far %s\n", is_up ? "up" : "down");

    return enter(self->near) && is_set;
}
