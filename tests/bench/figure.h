/* SPDX-License-Identifier: Apache-2.0 */
/* Prints figures: a table for people, or one JSON object a line. */
#ifndef MUSTER_TESTS_FIGURE_H
#define MUSTER_TESTS_FIGURE_H

#include <stdbool.h>

/* Takes "--json" and "--quick" out of the arguments. */
void figure_init(int *argc, char **argv);

/* --quick: run just enough to see that the benchmark works. */
bool figure_is_quick(void);

/* {"name": ..., "value": ..., "unit": ...} */
void figure_print(const char *name, double value, const char *unit);

/* And "peer": ..., "peer_value": ..., "ratio": ...: the ratio is value by
 * peer_value. */
void figure_print_beside(const char *name, double value, const char *unit,
                         const char *peer, double peer_value);

#endif
