/* SPDX-License-Identifier: Apache-2.0 */
#include "message_list.h"

#include <stdlib.h>

#include <grpc/byte_buffer.h>

bool message_list_add(message_list *list, grpc_byte_buffer *message)
{
    grpc_byte_buffer **items =
        realloc(list->items, (list->n + 1) * sizeof(grpc_byte_buffer *));

    if (items == NULL) {
        grpc_byte_buffer_destroy(message);
        return false;
    }
    list->items = items;
    list->items[list->n++] = message;
    return true;
}

grpc_byte_buffer *message_list_last(const message_list *list)
{
    return list->n == 0 ? NULL : list->items[list->n - 1];
}

void message_list_fini(message_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        grpc_byte_buffer_destroy(list->items[i]);
    }
    free(list->items);
}
