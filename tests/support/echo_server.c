/* SPDX-License-Identifier: Apache-2.0 */
/* muster-echo-server: a gRPC server in C core that answers with what it got.
 *
 * /echo.Echo/Unary answers "ID:request", with x-server-id in its initial
 * metadata; /echo.Echo/Stream sends each message back as it is;
 * /echo.Echo/Authority answers the call's :authority. What a request may ask
 * for in its metadata: x-echo: TEXT (comes back in initial and trailing
 * metadata), x-status: CODE (ends with it), x-delay-ms: N.
 *
 * Prints "PORT n" when it listens (n is 0 with --unix). SIGTERM ends it
 * gracefully: calls have a second to finish. End of input ends it at once, so
 * that it never outlives the test that started it. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <pthread.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

/* Calls asked of C core in advance, of each method. */
#define N_PENDING 64
#define GRACE_MS 1000

typedef struct options {
    const char *id;
    const char *address;
    const char *unix_path;
    int port;
    int max_age_ms;
    int max_age_grace_ms;
    long delay_ms;
    double error_rate;
    bool tells_calls;
} options;

typedef enum method { UNARY, STREAM, OTHER } method;

/* One call, from being asked for to its end; then the next one. */
typedef struct session session;
struct session {
    void (*step)(session *self, bool ok); /* what its next event means */
    method method;
    grpc_call *call;
    grpc_metadata_array request_metadata;
    grpc_byte_buffer *message;
    grpc_call_details details; /* of OTHER */
    gpr_timespec deadline;
    int was_cancelled;
    grpc_status_code status;
    grpc_metadata echo[2];
    size_t n_echo;
    gpr_timespec due; /* while delayed */
    session *next;
};

static options chosen = {.id = "", .address = "127.0.0.1"};
static grpc_server *server;
static grpc_completion_queue *queue;
static void *methods[2];
static session *delayed; /* ordered by due */
static unsigned seed;

static void ask(session *self);
static void on_call(session *self, bool ok);

/* ---- Ending ---- */

static void on_end(session *self, bool ok)
{
    const method kind = self->method;

    (void)ok;
    grpc_byte_buffer_destroy(self->message);
    grpc_metadata_array_destroy(&self->request_metadata);
    grpc_call_details_destroy(&self->details);
    grpc_call_unref(self->call);
    memset(self, 0, sizeof *self);
    self->method = kind;
    ask(self);
}

static void batch(session *self, const grpc_op *ops, size_t n_ops,
                  void (*step)(session *self, bool ok))
{
    self->step = step;
    if (grpc_call_start_batch(self->call, ops, n_ops, self, NULL) !=
        GRPC_CALL_OK) {
        (void)fprintf(stderr, "muster-echo-server: a batch was refused\n");
        abort();
    }
}

static void set_initial(session *self, grpc_op *op)
{
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    op->data.send_initial_metadata.count = self->n_echo;
    op->data.send_initial_metadata.metadata = self->echo;
}

static void set_status(session *self, grpc_op *op, grpc_slice *details)
{
    *details = grpc_slice_from_static_string(
        self->status == GRPC_STATUS_OK ? "" : "the server was asked to fail");
    op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op->data.send_status_from_server.status = self->status;
    op->data.send_status_from_server.status_details = details;
    /* All but the server's id. */
    op->data.send_status_from_server.trailing_metadata_count = self->n_echo - 1;
    op->data.send_status_from_server.trailing_metadata = self->echo + 1;
}

static void set_close(session *self, grpc_op *op)
{
    op->op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op->data.recv_close_on_server.cancelled = &self->was_cancelled;
}

/* ---- Unary ---- */

/* "ID:" before what came, which is not copied. */
static grpc_byte_buffer *answer_to(grpc_byte_buffer *request)
{
    const size_t length = strlen(chosen.id);
    grpc_slice slices[2] = {grpc_slice_malloc(length + 1), grpc_empty_slice()};
    grpc_byte_buffer_reader reader;
    grpc_byte_buffer *answer;

    memcpy(GRPC_SLICE_START_PTR(slices[0]), chosen.id, length);
    GRPC_SLICE_START_PTR(slices[0])[length] = ':';
    if (request != NULL && grpc_byte_buffer_reader_init(&reader, request)) {
        slices[1] = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    answer = grpc_raw_byte_buffer_create(slices, 2);
    grpc_slice_unref(slices[0]);
    grpc_slice_unref(slices[1]);
    return answer;
}

static void answer_with(session *self, grpc_byte_buffer *answer)
{
    grpc_slice details;
    grpc_op ops[4];
    size_t n_ops = 0;

    memset(ops, 0, sizeof ops);
    set_initial(self, &ops[n_ops++]);
    if (self->status == GRPC_STATUS_OK) {
        ops[n_ops].op = GRPC_OP_SEND_MESSAGE;
        ops[n_ops++].data.send_message.send_message = answer;
    }
    set_status(self, &ops[n_ops++], &details);
    set_close(self, &ops[n_ops++]);
    batch(self, ops, n_ops, on_end);
    grpc_byte_buffer_destroy(answer);
}

static void answer_unary(session *self)
{
    answer_with(self, answer_to(self->message));
}

static void delay(session *self, long delay_ms)
{
    session **place = &delayed;

    self->due = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                             gpr_time_from_millis(delay_ms, GPR_TIMESPAN));
    while (*place != NULL && gpr_time_cmp((*place)->due, self->due) <= 0) {
        place = &(*place)->next;
    }
    self->next = *place;
    *place = self;
}

static void answer_due(void)
{
    while (delayed != NULL &&
           gpr_time_cmp(delayed->due, gpr_now(GPR_CLOCK_MONOTONIC)) <= 0) {
        session *self = delayed;

        delayed = self->next;
        answer_unary(self);
    }
}

/* ---- Streams ---- */

static void on_message(session *self, bool ok);

static void receive(session *self)
{
    grpc_op op;

    grpc_byte_buffer_destroy(self->message);
    self->message = NULL;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &self->message;
    batch(self, &op, 1, on_message);
}

static void on_sent(session *self, bool ok)
{
    (void)ok; /* a failed stream ends at the next receive */
    receive(self);
}

static void end_stream(session *self)
{
    grpc_slice details;
    grpc_op ops[2];

    memset(ops, 0, sizeof ops);
    set_status(self, &ops[0], &details);
    set_close(self, &ops[1]);
    batch(self, ops, 2, on_end);
}

static void on_message(session *self, bool ok)
{
    grpc_op op;

    if (!ok || self->message == NULL) {
        end_stream(self);
        return;
    }
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_MESSAGE;
    op.data.send_message.send_message = self->message;
    batch(self, &op, 1, on_sent);
}

static void begin_stream(session *self)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    set_initial(self, &op);
    batch(self, &op, 1, on_sent);
}

/* ---- Beginning ---- */

static long number_of(grpc_slice slice)
{
    char text[24] = "";
    size_t length = GRPC_SLICE_LENGTH(slice);

    if (length < sizeof text) {
        memcpy(text, GRPC_SLICE_START_PTR(slice), length);
    }
    return strtol(text, NULL, 10);
}

/* What the request asks for in its metadata. Returns the delay. */
static long read_wishes(session *self)
{
    long delay_ms = chosen.delay_ms;

    self->echo[0].key = grpc_slice_from_static_string("x-server-id");
    self->echo[0].value = grpc_slice_from_static_string(chosen.id);
    self->n_echo = 1;
    for (size_t i = 0; i < self->request_metadata.count; i++) {
        const grpc_metadata *item = &self->request_metadata.metadata[i];

        if (grpc_slice_str_cmp(item->key, "x-echo") == 0) {
            self->echo[1] = *item;
            self->n_echo = 2;
        } else if (grpc_slice_str_cmp(item->key, "x-status") == 0) {
            self->status = (grpc_status_code)number_of(item->value);
        } else if (grpc_slice_str_cmp(item->key, "x-delay-ms") == 0) {
            delay_ms = number_of(item->value);
        }
    }
    if (chosen.error_rate > 0 &&
        rand_r(&seed) < (int)(chosen.error_rate * RAND_MAX)) {
        self->status = GRPC_STATUS_UNAVAILABLE;
    }
    return delay_ms;
}

static void answer_other(session *self)
{
    grpc_slice host = grpc_slice_ref(self->details.host);

    if (grpc_slice_str_cmp(self->details.method, "/echo.Echo/Authority") != 0) {
        self->status = GRPC_STATUS_UNIMPLEMENTED;
    }
    answer_with(self, grpc_raw_byte_buffer_create(&host, 1));
    grpc_slice_unref(host);
}

static void on_call(session *self, bool ok)
{
    long delay_ms;

    if (!ok) { /* the server shuts down */
        grpc_metadata_array_destroy(&self->request_metadata);
        grpc_call_details_destroy(&self->details);
        free(self);
        return;
    }
    if (chosen.tells_calls) {
        (void)printf("CALL\n");
        (void)fflush(stdout);
    }
    delay_ms = read_wishes(self);
    if (self->method == STREAM) {
        begin_stream(self);
    } else if (self->method == OTHER) {
        answer_other(self);
    } else if (delay_ms > 0) {
        delay(self, delay_ms);
    } else {
        answer_unary(self);
    }
}

static void ask(session *self)
{
    grpc_call_error error;

    self->step = on_call;
    grpc_metadata_array_init(&self->request_metadata);
    grpc_call_details_init(&self->details);
    if (self->method == OTHER) {
        error = grpc_server_request_call(server, &self->call, &self->details,
                                         &self->request_metadata, queue, queue,
                                         self);
    } else {
        error = grpc_server_request_registered_call(
            server, methods[self->method], &self->call, &self->deadline,
            &self->request_metadata,
            self->method == UNARY ? &self->message : NULL, queue, queue, self);
    }
    if (error != GRPC_CALL_OK) {
        (void)fprintf(stderr, "muster-echo-server: cannot ask for a call\n");
        abort();
    }
}

static void ask_in_advance(method kind)
{
    for (int i = 0; i < N_PENDING; i++) {
        session *self = calloc(1, sizeof *self);

        if (self == NULL) {
            abort();
        }
        self->method = kind;
        ask(self);
    }
}

/* ---- The process ---- */

static char stopped_tag; /* the address is what counts */

static void *wait_for_end(void *arg)
{
    char unused[256];

    (void)arg;
    for (;;) {
        ssize_t length = read(STDIN_FILENO, unused, sizeof unused);

        if (length == 0 || (length < 0 && errno != EINTR)) {
            _exit(0);
        }
    }
    return NULL;
}

static void *wait_for_signal(void *arg)
{
    int number;

    (void)sigwait(arg, &number);
    grpc_server_shutdown_and_notify(server, queue, &stopped_tag);
    gpr_sleep_until(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                 gpr_time_from_millis(GRACE_MS, GPR_TIMESPAN)));
    grpc_server_cancel_all_calls(server);
    return NULL;
}

static void serve(void)
{
    gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);

    for (;;) {
        grpc_event event = grpc_completion_queue_next(
            queue, delayed == NULL ? forever : delayed->due, NULL);

        if (event.type == GRPC_OP_COMPLETE && event.tag == &stopped_tag) {
            return;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            session *self = event.tag;

            self->step(self, event.success != 0);
        }
        answer_due();
    }
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, arg) != 0) {
        abort();
    }
    (void)pthread_detach(thread);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case 'p':
        chosen.port = atoi(text);
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
    case 'a':
        chosen.max_age_ms = atoi(text);
        break;
    case 'g':
        chosen.max_age_grace_ms = atoi(text);
        break;
    case 'd':
        chosen.delay_ms = atol(text);
        break;
    case 'e':
        chosen.error_rate = strtod(text, NULL);
        break;
    case 't':
        chosen.tells_calls = true;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option flags[] = {
    {"address", 'l', "IPV4", 0, "listen there instead of on 127.0.0.1", 0},
    {"port", 'p', "N", 0, "listen on this port; 0: any (the default)", 0},
    {"unix", 'u', "PATH", 0, "listen on a socket in the file system", 0},
    {"id", 'i', "TEXT", 0, "answers carry it", 0},
    {"max-connection-age-ms", 'a', "N", 0, "then send GOAWAY", 0},
    {"max-connection-age-grace-ms", 'g', "N", 0, "then close", 0},
    {"delay-ms", 'd', "N", 0, "answer unary calls after it", 0},
    {"error-rate", 'e', "0..1", 0, "answer that share UNAVAILABLE", 0},
    {"tell-calls", 't', NULL, 0, "print CALL when one has come", 0},
    {0}};

static int listen_somewhere(void)
{
    grpc_server_credentials *insecure =
        grpc_insecure_server_credentials_create();
    char address[160];
    int port;

    if (chosen.unix_path != NULL) {
        (void)snprintf(address, sizeof address, "unix:%s", chosen.unix_path);
    } else {
        (void)snprintf(address, sizeof address, "%s:%d", chosen.address,
                       chosen.port);
    }
    port = grpc_server_add_http2_port(server, address, insecure);
    grpc_server_credentials_release(insecure);
    if (port == 0) {
        (void)fprintf(stderr, "muster-echo-server: cannot listen on %s\n",
                      address);
        exit(1);
    }
    return chosen.unix_path == NULL ? port : 0;
}

static void create_server(void)
{
    grpc_arg list[3];
    grpc_channel_args args = {.args = list};

    memset(list, 0, sizeof list);
    list[0].key = "grpc.so_reuseport";
    list[1].key = GRPC_ARG_MAX_CONNECTION_AGE_MS;
    list[1].value.integer = chosen.max_age_ms;
    list[2].key = GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS;
    list[2].value.integer = chosen.max_age_grace_ms;
    for (size_t i = 0; i < 3; i++) {
        list[i].type = GRPC_ARG_INTEGER;
    }
    args.num_args = 1;
    if (chosen.max_age_ms > 0) {
        args.num_args = chosen.max_age_grace_ms > 0 ? 3 : 2;
    }
    server = grpc_server_create(&args, NULL);
    queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queue, NULL);
    methods[UNARY] = grpc_server_register_method(
        server, "/echo.Echo/Unary", NULL,
        GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    methods[STREAM] = grpc_server_register_method(
        server, "/echo.Echo/Stream", NULL, GRPC_SRM_PAYLOAD_NONE, 0);
}

int main(int argc, char **argv)
{
    const struct argp argp = {.options = flags,
                              .parser = parse,
                              .doc = "A gRPC server that answers with what it "
                                     "got."};
    sigset_t ending;

    if (argp_parse(&argp, argc, argv, 0, NULL, NULL) != 0) {
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &ending, NULL);
    seed = (unsigned)getpid();
    grpc_init();
    create_server();
    const int port = listen_somewhere();
    grpc_server_start(server);
    ask_in_advance(UNARY);
    ask_in_advance(STREAM);
    ask_in_advance(OTHER);
    (void)printf("PORT %d\n", port);
    (void)fflush(stdout);
    start_thread(wait_for_end, NULL);
    start_thread(wait_for_signal, &ending);
    serve();
    return 0;
}
