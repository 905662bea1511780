/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside, made fit for a terminal. */
#ifndef MUSTER_TOOLS_CLEAN_H
#define MUSTER_TOOLS_CLEAN_H

/* What comes from outside may not steer the terminal: control characters become
 * question marks, also those of UTF-8 beyond ASCII (0xc2 0x80 to 0xc2 0x9f). */
void clean_text(char *text);

#endif
