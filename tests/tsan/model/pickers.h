/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that pick, ask, finish, and rest when they are told to. */
#ifndef MUSTER_TESTS_MODEL_PICKERS_H
#define MUSTER_TESTS_MODEL_PICKERS_H

/* For pthread_create(); arg is the world. */
void *picker_main(void *arg);

#endif
