/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on the server's input, one a line: --help has them. Each is answered
 * with a line, "OK", "COUNTS ..." or "ERROR why". */
#ifndef MUSTER_TESTS_ECHO_CONTROL_H
#define MUSTER_TESTS_ECHO_CONTROL_H

/* Ends the process at the end of the input, so that it never outlives the test
 * that started it. To be run by a thread. */
void *control_run(void *unused);

#endif
