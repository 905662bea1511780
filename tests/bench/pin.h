/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what is compared on the same processor: those of a virtual machine
 * differ in speed from minute to minute, and may share no cache. */
#ifndef MUSTER_TESTS_PIN_H
#define MUSTER_TESTS_PIN_H

/* The calling thread, and the threads that it starts from now on. */
void pin_to(int cpu);

#endif
