/* SPDX-License-Identifier: Apache-2.0 */
/* Which server a call was on, by the port that it listens on. */
#ifndef MUSTER_TESTS_SERVER_PORT_H
#define MUSTER_TESTS_SERVER_PORT_H

/* Of a peer or an address that ends in ":PORT"; 0 when it does not, or is NULL.
 */
int server_port(const char *peer);

/* Of a call that failed with a message. C core does not always know the peer of
 * one that failed on its way out; muster's message, "target: address: cause",
 * names the connection. 0 when neither does. */
int server_port_of_failed(const char *peer, const char *message);

#endif
