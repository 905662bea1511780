/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_H
#define MUSTER_H

/* Everything a program needs that uses libmuster; <muster/grpc.h> for gRPC.
 *
 * Threads. muster has one control thread a process, started when first needed.
 * "Thread: any" functions may be called from any thread, control included, and
 * from several at once; never from a signal handler. Callbacks run on the
 * control thread; blocking functions called there return MUSTER_WOULD_DEADLOCK.
 * muster's threads and C core's leave signals to the program's, but for those
 * that they cause themselves (SIGSEGV, SIGABRT).
 *
 * Exit. exit() needs nothing before it; all threads go on until the process has
 * ended. For that, muster has OpenSSL, where it is loaded, not free anything at
 * exit() (OPENSSL_INIT_NO_ATEXIT of OPENSSL_init_crypto(3ssl)), unless somebody
 * initialized it before libmuster was loaded.
 *
 * Fork. In a child of fork() every function returns MUSTER_FORKED, or does
 * nothing, and destroying leaks on purpose; the parent is not disturbed. */

#include <muster/admin.h>
#include <muster/channel.h>
#include <muster/connectivity.h>
#include <muster/endpoint.h>
#include <muster/export.h>
#include <muster/log.h>
#include <muster/plugin.h>
#include <muster/service_config.h>
#include <muster/shutdown.h>
#include <muster/status.h>
#include <muster/version.h>
#include <muster/watch.h>

#endif
