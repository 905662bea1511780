/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_EXPORT_H
#define MUSTER_EXPORT_H

/* Marks what the shared libraries export. The version scripts in core/cmake
 * list the same names one by one; a test compares the two. */
#if defined(__GNUC__)
#define MUSTER_API __attribute__((visibility("default")))
#define MUSTER_FORMAT_(format_index, first_index)                              \
    __attribute__((format(printf, format_index, first_index)))
#else
#define MUSTER_API
#define MUSTER_FORMAT_(format_index, first_index)
#endif

#endif
