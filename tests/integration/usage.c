/* SPDX-License-Identifier: Apache-2.0 */
/* What this process holds, and what the kernel knows of its connections. */
#include "usage.h"

#include <dirent.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"

#ifdef __SANITIZE_ADDRESS__
/* Of sanitizer/allocator_interface.h, which Debian's gcc does not bring. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

/* In /proc/net/tcp and tcp6. */
enum { ESTABLISHED = 1 };

/* Those that is_left_out (NULL: none are) says nothing against. */
static size_t count_entries(const char *path,
                            bool (*is_left_out)(const char *name))
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    size_t n = 0;

    if (folder == NULL) {
        cluster_die("cannot read %s", path);
    }
    while ((entry = readdir(folder)) != NULL) {
        n += entry->d_name[0] != '.' &&
             (is_left_out == NULL || !is_left_out(entry->d_name));
    }
    (void)closedir(folder);
    return n;
}

size_t usage_descriptors(void)
{
    return count_entries("/proc/self/fd", NULL) - 1; /* of the folder itself */
}

/* By its name. One that has just ended has none. */
static bool is_of_core(const char *task)
{
    static const char *const names[] = {"default-exec", "resolver-exec",
                                        "event_engine", "grpc_"};
    char path[64];
    char name[32] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", task);
    file = fopen(path, "re");
    if (file == NULL) {
        return true;
    }
    (void)fgets(name, sizeof name, file);
    (void)fclose(file);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

size_t usage_threads(void)
{
    return count_entries("/proc/self/task", is_of_core);
}

size_t usage_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

enum { MAX_SEEN = 256 };

typedef struct sight {
    size_t n;
    unsigned remotes[MAX_SEEN];
} sight;

/* The table may name one connection twice: it is read in pieces, while others
 * come and go. */
static void note(sight *seen, unsigned remote)
{
    for (size_t i = 0; i < seen->n; i++) {
        if (seen->remotes[i] == remote) {
            return;
        }
    }
    if (seen->n == MAX_SEEN) {
        cluster_die("more than %d connections to one server", MAX_SEEN);
    }
    seen->remotes[seen->n++] = remote;
}

static void look_into(const char *path, int port, sight *seen)
{
    FILE *table = fopen(path, "re");
    char line[512];
    unsigned local;
    unsigned remote;
    unsigned state;

    if (table == NULL) {
        cluster_die("cannot read %s", path);
    }
    while (fgets(line, sizeof line, table) != NULL) {
        if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local,
                   &remote, &state) == 3 &&
            local == (unsigned)port && state == ESTABLISHED) {
            note(seen, remote);
        }
    }
    (void)fclose(table);
}

/* C core's sockets speak IPv4 through IPv6. */
static sight look_at(int port)
{
    sight seen = {0};

    look_into("/proc/net/tcp", port, &seen);
    look_into("/proc/net/tcp6", port, &seen);
    return seen;
}

size_t usage_connections(int port)
{
    return look_at(port).n;
}

uint64_t usage_fingerprint(int port)
{
    const sight seen = look_at(port);
    uint64_t fingerprint = 0;

    for (size_t i = 0; i < seen.n; i++) {
        fingerprint +=
            (uint64_t)seen.remotes[i] * seen.remotes[i] * seen.remotes[i];
    }
    return fingerprint;
}
