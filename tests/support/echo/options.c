/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of muster-echo-server. */
#include "options.h"

#include <argp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <status_code_name.h>

#include "health.h"

echo_options chosen = {
    .id = "", .address = "127.0.0.1", .error_status = GRPC_STATUS_UNAVAILABLE};

static bool has_client_certificate_mode;

/* Keys of flags without a letter. */
enum {
    ERROR_STATUS = 0x100,
    END_WITH_PARENT,
    DELAY_JITTER_MS,
    HEALTH,
    HEALTH_SERVICE,
    TLS_CERTIFICATE,
    TLS_KEY,
    TLS_CLIENT_CA,
    TLS_CLIENT_CERTIFICATE,
    FIRST_ARGUMENT = 0x200, /* and up: a place in argument_names */
    MAX_IDLE = FIRST_ARGUMENT,
    MAX_AGE,
    MAX_AGE_GRACE,
    KEEPALIVE_TIME,
    KEEPALIVE_TIMEOUT,
    KEEPALIVE_WITHOUT_CALLS,
    MIN_PING_INTERVAL,
    MAX_PING_STRIKES,
    END_OF_ARGUMENTS
};

static char *const argument_names[] = {
    GRPC_ARG_MAX_CONNECTION_IDLE_MS,
    GRPC_ARG_MAX_CONNECTION_AGE_MS,
    GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
    GRPC_ARG_KEEPALIVE_TIME_MS,
    GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
    GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,
    GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
    GRPC_ARG_HTTP2_MAX_PING_STRIKES};

static const struct argp_option flags[] = {
    {NULL, 0, NULL, 0, "Where it listens, and what it tells:", 1},
    {"address", 'l', "IPV4", 0, "listen there instead of on 127.0.0.1", 0},
    {"port", 'p', "N", 0, "listen on this port; 0: any (the default)", 0},
    {"unix", 'u', "PATH", 0, "listen on a socket in the file system", 0},
    {"id", 'i', "TEXT", 0, "answers carry it", 0},
    {"tell-calls", 't', NULL, 0,
     "print CALL when one has come; calls of the health service are not told",
     0},
    {"end-with-parent", END_WITH_PARENT, NULL, 0,
     "be killed, also while stopped, when the thread that started it ends", 0},

    {NULL, 0, NULL, 0,
     "Connections (0 or not given: without such a limit):", 2},
    {"max-connection-idle-ms", MAX_IDLE, "N", 0,
     "close after so long without a call; the GOAWAY of C core then says "
     "INTERNAL_ERROR",
     0},
    {"max-connection-age-ms", 'a', "N", 0,
     "send GOAWAY at that age, +-10 %, so that the client connects anew", 0},
    {"max-connection-age-grace-ms", 'g', "N", 0,
     "calls have so long from that GOAWAY on; then the connection is closed",
     0},

    {NULL, 0, NULL, 0, "Keepalive, of the server's own pings:", 3},
    {"keepalive-time-ms", KEEPALIVE_TIME, "N", 0,
     "ping after so long without data (7200000)", 0},
    {"keepalive-timeout-ms", KEEPALIVE_TIMEOUT, "N", 0,
     "close when the answer takes longer (20000)", 0},
    {"keepalive-permit-without-calls", KEEPALIVE_WITHOUT_CALLS, NULL, 0,
     "ping connections without a call, too; and let clients do so, which is "
     "the same setting in C core",
     0},

    {NULL, 0, NULL, 0,
     "Enforcement, against the client's pings. Too many end the connection "
     "with GOAWAY ENHANCE_YOUR_CALM, too_many_pings:",
     4},
    {"min-ping-interval-ms", MIN_PING_INTERVAL, "N", 0,
     "a ping sooner after the last is a strike, unless the server has sent "
     "data or headers in between (300000). Two hours on a connection without a "
     "call, unless --keepalive-permit-without-calls",
     0},
    {"max-ping-strikes", MAX_PING_STRIKES, "N", 0,
     "so many are borne; 0: any number (2)", 0},

    {NULL, 0, NULL, 0,
     "Faults of echo calls. A request may ask for more in its metadata: see "
     "faults.h:",
     5},
    {"delay-ms", 'd', "N", 0, "wait before each answer", 0},
    {"delay-jitter-ms", DELAY_JITTER_MS, "N", 0,
     "wait up to so much less or more", 0},
    {"error-rate", 'e', "0..1", 0, "fail that share of the calls", 0},
    {"error-status", ERROR_STATUS, "STATUS", 0,
     "with this, a number or a name (UNAVAILABLE)", 0},

    {NULL, 0, NULL, 0,
     "Health: without any of these flags, grpc.health.v1 is UNIMPLEMENTED. A "
     "STATUS is UNKNOWN, SERVING, NOT_SERVING or SERVICE_UNKNOWN:",
     6},
    {"health", HEALTH, "STATUS", 0, "of the whole server, the name \"\"", 0},
    {"health-service", HEALTH_SERVICE, "NAME=STATUS", 0,
     "of one service; may be given more than once", 0},

    {NULL, 0, NULL, 0,
     "TLS. The files are read again at each new connection; what does not fit "
     "together is not taken over:",
     7},
    {"tls-certificate", TLS_CERTIFICATE, "FILE", 0,
     "the server's certificates, PEM; plaintext without it", 0},
    {"tls-key", TLS_KEY, "FILE", 0, "its private key, PEM", 0},
    {"tls-client-ca", TLS_CLIENT_CA, "FILE", 0,
     "authorities of client certificates, PEM", 0},
    {"tls-client-certificate", TLS_CLIENT_CERTIFICATE, "MODE", 0,
     "none, request, request-and-verify, require or require-and-verify (the "
     "last with --tls-client-ca, else none)",
     0},
    {0}};

static const char *const client_certificate_modes[] = {
    [GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE] = "none",
    [GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY] = "request",
    [GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY] = "request-and-verify",
    [GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY] =
        "require",
    [GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY] =
        "require-and-verify"};

/* -1: not among them. */
static int find(const char *text, const char *const *names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool options_parse_status(const char *text, grpc_status_code *ret_status)
{
    int code = 0;
    char *end = NULL;

    while (code < MUSTER__N_STATUS_CODES &&
           strcmp(text, muster__status_code_name(code)) != 0) {
        code++;
    }
    if (code == MUSTER__N_STATUS_CODES) {
        const long number = strtol(text, &end, 10);

        if (end == text || *end != '\0' || number < 0 ||
            number >= MUSTER__N_STATUS_CODES) {
            return false;
        }
        code = (int)number;
    }
    *ret_status = (grpc_status_code)code;
    return true;
}

/* Not negative. */
static int number_in(const char *text, struct argp_state *state)
{
    char *end = NULL;
    const long number = strtol(text, &end, 10);

    if (end == text || *end != '\0' || number < 0 || number > INT_MAX) {
        argp_error(state, "%s is not a number from 0 to %d", text, INT_MAX);
    }
    return (int)number;
}

static double share_in(const char *text, struct argp_state *state)
{
    char *end = NULL;
    const double share = strtod(text, &end);

    if (end == text || *end != '\0' || !(share >= 0 && share <= 1)) {
        argp_error(state, "%s is not a share from 0 to 1", text);
    }
    return share;
}

static grpc_status_code status_in(const char *text, struct argp_state *state)
{
    grpc_status_code status = GRPC_STATUS_UNKNOWN;

    if (!options_parse_status(text, &status)) {
        argp_error(state, "%s is no status", text);
    }
    return status;
}

static void add_argument(int key, int value, struct argp_state *state)
{
    if (chosen.n_arguments == OPTIONS_MAX_ARGUMENTS) {
        argp_error(state, "too many flags");
        return;
    }
    chosen.arguments[chosen.n_arguments++] =
        (grpc_arg){.type = GRPC_ARG_INTEGER,
                   .key = argument_names[key - FIRST_ARGUMENT],
                   .value.integer = value};
}

/* 0 is how to ask for no limit; to C core, it is a limit. */
static void add_limit(int key, int value, struct argp_state *state)
{
    if (value > 0) {
        add_argument(key, value, state);
    }
}

static void add_service(const char *text, struct argp_state *state)
{
    const char *status = strchr(text, '=');

    if (chosen.n_services == OPTIONS_MAX_SERVICES) {
        argp_error(state, "at most %d services", OPTIONS_MAX_SERVICES);
    } else if (status == NULL || !health_is_status(status + 1)) {
        argp_error(state, "%s does not end in = and a status of health", text);
    } else {
        chosen.services[chosen.n_services++] = text;
    }
}

static void add_server_health(const char *status, struct argp_state *state)
{
    char *text = NULL;

    if (asprintf(&text, "=%s", status) < 0) {
        abort();
    }
    add_service(text, state); /* which keeps it */
}

static void set_client_certificate(const char *text, struct argp_state *state)
{
    const int mode = find(text, client_certificate_modes,
                          sizeof client_certificate_modes /
                              sizeof *client_certificate_modes);

    if (mode < 0) {
        argp_error(state, "%s is no way to treat client certificates", text);
    }
    chosen.tls_client_certificate =
        (grpc_ssl_client_certificate_request_type)mode;
    has_client_certificate_mode = true;
}

static void check_tls(struct argp_state *state)
{
    const grpc_ssl_client_certificate_request_type mode =
        chosen.tls_client_certificate;
    const bool verifies =
        mode == GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY ||
        mode == GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;

    if ((chosen.tls_certificate == NULL) != (chosen.tls_key == NULL)) {
        argp_error(state, "a certificate and a key go together");
    }
    if (chosen.tls_certificate == NULL &&
        (chosen.tls_client_ca != NULL ||
         mode != GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE)) {
        argp_error(state, "client certificates want --tls-certificate");
    }
    if (verifies && chosen.tls_client_ca == NULL) {
        argp_error(state, "to verify wants --tls-client-ca");
    }
}

static void finish_tls(struct argp_state *state)
{
    if (chosen.tls_client_ca != NULL && !has_client_certificate_mode) {
        chosen.tls_client_certificate =
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    }
    check_tls(state);
}

static void parse_fault(int key, const char *text, struct argp_state *state)
{
    switch (key) {
    case 'd':
        chosen.delay_ms = number_in(text, state);
        break;
    case DELAY_JITTER_MS:
        chosen.delay_jitter_ms = number_in(text, state);
        break;
    case 'e':
        chosen.error_rate = share_in(text, state);
        break;
    default:
        chosen.error_status = status_in(text, state);
        break;
    }
}

static void parse_tls(int key, const char *text, struct argp_state *state)
{
    switch (key) {
    case TLS_CERTIFICATE:
        chosen.tls_certificate = text;
        break;
    case TLS_KEY:
        chosen.tls_key = text;
        break;
    case TLS_CLIENT_CA:
        chosen.tls_client_ca = text;
        break;
    default:
        set_client_certificate(text, state);
        break;
    }
}

static void parse_connection(int key, const char *text,
                             struct argp_state *state)
{
    switch (key) {
    case 'a':
        add_limit(MAX_AGE, number_in(text, state), state);
        break;
    case 'g':
        add_limit(MAX_AGE_GRACE, number_in(text, state), state);
        break;
    case MAX_IDLE:
        add_limit(MAX_IDLE, number_in(text, state), state);
        break;
    case KEEPALIVE_WITHOUT_CALLS:
        add_argument(key, 1, state);
        break;
    default:
        add_argument(key, number_in(text, state), state);
        break;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    switch (key) {
    case 'p':
        chosen.port = number_in(text, state);
        break;
    case 'i':
        chosen.id = text;
        break;
    case 'l':
        chosen.address = text;
        break;
    case 'u':
        chosen.unix_path = text;
        break;
    case 't':
        chosen.tells_calls = true;
        break;
    case END_WITH_PARENT:
        chosen.ends_with_parent = true;
        break;
    case 'd':
    case 'e':
    case DELAY_JITTER_MS:
    case ERROR_STATUS:
        parse_fault(key, text, state);
        break;
    case HEALTH:
        add_server_health(text, state);
        break;
    case HEALTH_SERVICE:
        add_service(text, state);
        break;
    case ARGP_KEY_END:
        finish_tls(state);
        break;
    default:
        if (key >= TLS_CERTIFICATE && key <= TLS_CLIENT_CERTIFICATE) {
            parse_tls(key, text, state);
        } else if (key == 'a' || key == 'g' ||
                   (key >= FIRST_ARGUMENT && key < END_OF_ARGUMENTS)) {
            parse_connection(key, text, state);
        } else {
            return ARGP_ERR_UNKNOWN;
        }
        break;
    }
    return 0;
}

void options_read(int argc, char **argv)
{
    static const struct argp argp = {
        .options = flags,
        .parser = parse,
        .doc = "A gRPC server that answers with what it got.\v"
               "Prints PORT N when it listens (0 with --unix). SIGTERM ends it "
               "gracefully: calls have a second to finish. End of input ends "
               "it at once. Before that, each line of input is a command, "
               "which it answers with a line:\n"
               "  health STATUS [NAME]   sets it, and tells who watches\n"
               "  health-calls STATUS    health calls, also those that are "
               "open, end with this gRPC status; OK: no more\n"
               "  delay MS               instead of --delay-ms, for calls that "
               "come from now on\n"
               "  counts                 COUNTS calls=N failed=N ..., see "
               "counts.h"};

    (void)argp_parse(&argp, argc, argv, 0, NULL, NULL);
}
