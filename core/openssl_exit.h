/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL, where C core or libcurl uses it, at exit(). Header only, so that a
 * plugin can use it without a symbol of the core's. */
#ifndef MUSTER_CORE_OPENSSL_EXIT_H
#define MUSTER_CORE_OPENSSL_EXIT_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

/* OPENSSL_INIT_NO_ATEXIT of <openssl/crypto.h>; versions without it ignore it.
 */
#define MUSTER__OPENSSL_INIT_NO_ATEXIT UINT64_C(0x00080000)

/* Whoever initializes OpenSSL first decides whether exit() frees what it has
 * (OPENSSL_init_crypto(3ssl)). Threads that are within a handshake then crash,
 * and they are not muster's alone: also C core's. So, no; the system frees all.
 * https://github.com/openssl/openssl/issues/6214. Nothing where OpenSSL is not
 * loaded yet, or was initialized before. Thread: any. */
static inline void muster__openssl_survives_exit(void)
{
    int (*init)(uint64_t options, const void *settings) = NULL;

    /* The way POSIX says to turn dlsym()'s answer into a function. */
    *(void **)&init = dlsym(RTLD_DEFAULT, "OPENSSL_init_crypto");
    if (init != NULL) {
        (void)init(MUSTER__OPENSSL_INIT_NO_ATEXIT, NULL);
    }
}

#endif
