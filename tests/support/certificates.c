/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of certificates for tests of TLS. */
#include "certificates.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* argv[0] is looked for in PATH. */
static bool run(const char *const *argv)
{
    pid_t pid;
    int status = 0;

    return posix_spawnp(&pid, argv[0], NULL, NULL, (char **)(size_t)argv,
                        environ) == 0 &&
           waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

bool certificates_make(certificates *ret_set)
{
    const char *parent = getenv("TMPDIR");
    const char *argv[] = {MUSTER_MAKE_CERTIFICATES, ret_set->folder, NULL};

    (void)snprintf(ret_set->folder, sizeof ret_set->folder, "%s/musterXXXXXX",
                   parent == NULL ? "/tmp" : parent);
    return mkdtemp(ret_set->folder) != NULL && run(argv);
}

bool certificates_add_generations(const certificates *set, int n)
{
    char count[16];
    const char *argv[] = {MUSTER_MAKE_CERTIFICATES, set->folder, count, NULL};

    (void)snprintf(count, sizeof count, "%d", n);
    return run(argv);
}

void certificates_remove(const certificates *set)
{
    const char *argv[] = {"rm", "-rf", set->folder, NULL};

    (void)run(argv);
}

certificates_path certificates_find(const certificates *set, const char *name)
{
    certificates_path path;

    (void)snprintf(path.text, sizeof path.text, "%s/%s.pem", set->folder, name);
    return path;
}

bool certificates_replace(const certificates *set, const char *from,
                          const char *to)
{
    const certificates_path source = certificates_find(set, from);
    const certificates_path place = certificates_find(set, to);
    const certificates_path fresh = certificates_find(set, "fresh");
    const char *argv[] = {"cp", source.text, fresh.text, NULL};

    return run(argv) && rename(fresh.text, place.text) == 0;
}

bool certificates_replace_pair(const certificates *set, const char *from,
                               const char *to)
{
    char from_key[64];
    char to_key[64];

    (void)snprintf(from_key, sizeof from_key, "%s-key", from);
    (void)snprintf(to_key, sizeof to_key, "%s-key", to);
    return certificates_replace(set, from, to) &&
           certificates_replace(set, from_key, to_key);
}

bool certificates_write(const certificates *set, const char *name,
                        const char *text)
{
    const certificates_path path = certificates_find(set, name);
    FILE *file = fopen(path.text, "we");
    bool is_written;

    if (file == NULL) {
        return false;
    }
    is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}
