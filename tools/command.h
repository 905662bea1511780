/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the muster command and its exit codes. */
#ifndef MUSTER_TOOLS_COMMAND_H
#define MUSTER_TOOLS_COMMAND_H

#include <muster/status.h>

/* Part of the interface: scripts rely on them. README.md lists them. */
typedef enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILURE = 1,      /* anything that has no number of its own */
    EXIT_CODE_USAGE = 2,        /* the command line, the target included */
    EXIT_CODE_NO_ENDPOINTS = 3, /* the list is empty, or no such name */
    EXIT_CODE_SOURCE = 4,       /* unreachable, failing, or timed out */
    EXIT_CODE_DATA = 5,         /* the source answered something invalid */
    EXIT_CODE_PLUGIN = 6,       /* a plugin cannot be loaded */
    EXIT_CODE_STALE = 7,        /* the list is kept, not confirmed */
    EXIT_CODE_THRESHOLD = 8,    /* measured, and not as it is to be */
    EXIT_CODE_GRPC_STATUS = 64 /* and the status of a call, as grpcurl has it */
} exit_code;

/* argv[0] is "muster VERB". */
typedef exit_code (*command_fn)(int argc, char **argv);

exit_code command_bench(int argc, char **argv); /* with gRPC only */
exit_code command_call(int argc, char **argv);  /* with gRPC only */
exit_code command_channels(int argc, char **argv);
exit_code command_config(int argc, char **argv);
exit_code command_doctor(int argc, char **argv);
exit_code command_explain(int argc, char **argv);
exit_code command_plugins(int argc, char **argv);
exit_code command_resolve(int argc, char **argv);
exit_code command_simulate(int argc, char **argv);
exit_code command_top(int argc, char **argv);
exit_code command_version(int argc, char **argv);
exit_code command_watch(int argc, char **argv);

/* A line on stderr, behind "muster: ". What of it came from outside does not
 * steer the terminal. */
MUSTER_FORMAT_(1, 2)
void command_say(const char *format, ...);

/* Says on stderr what failed, on what, and why. Returns code. */
exit_code command_fail(exit_code code, const char *subject,
                       const char *message);

/* As command_fail(), when target cannot be watched at all. */
exit_code command_fail_create(muster_status status, const char *target,
                              const muster_error *err);

/* Of a source that was asked and failed. */
exit_code command_code_of_source(muster_status status);

#endif
