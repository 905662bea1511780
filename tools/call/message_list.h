/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that the command line has. */
#ifndef MUSTER_TOOLS_CALL_MESSAGE_LIST_H
#define MUSTER_TOOLS_CALL_MESSAGE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include <grpc/grpc.h>

/* All zero: none. */
typedef struct message_list {
    grpc_byte_buffer **items;
    size_t n;
} message_list;

/* Takes over message. False: out of memory. */
bool message_list_add(message_list *list, grpc_byte_buffer *message);

/* NULL: there is none. */
grpc_byte_buffer *message_list_last(const message_list *list);

void message_list_fini(message_list *list);

#endif
