/* SPDX-License-Identifier: Apache-2.0 */
/* exit() while muster's threads run: they go on until the process has ended. */
#include "exit.h"

#include "openssl_exit.h"

/* Also when muster is loaded: what a program does with OpenSSL itself comes
 * later. */
__attribute__((constructor)) void muster__exit_prepare(void)
{
    muster__openssl_survives_exit();
}
