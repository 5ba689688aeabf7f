#pragma once
/* A netd and a recursord played by a test, with the real validatord between them. */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc/control.h"
#include "common/ipc/shared.h"
#include "common/wire/answer.h"

#define WAIT_MS 8000

extern const char *daemon_program; /* path of holdfast-validatord */

static const char question[] = "\3www\7example"; /* what ask() asks and fetches are for */

struct fixture {
    char directory[32];
    int netd_listen, recursord_listen, control_listen;
    int netd, recursord;
    int page, sketch; /* descriptors of the last Hello */
    uint64_t epoch;
    pid_t child;
    uint64_t lifetime_ms; /* of NTAs that control_verb() adds; 0: the default */
};

/* Runs validatord in a directory of its own and greets it from both sides. */
int daemon_setup(void **state);
int daemon_teardown(void **state);
void start(struct fixture *f);
void stop(struct fixture *f, int signal_number);

int accept_one(int listen_fd);
/* One frame; descriptors into fds, if any. Size, or 0: the other side is gone. */
size_t receive(int fd, uint8_t *frame, int fds[2]);
/* The other side has closed, whatever frames it sent before. */
void expect_closed(int fd);
void meet_netd(struct fixture *f);
void part_netd(struct fixture *f);
void meet_recursord(struct fixture *f);

/* As netd. */
void ask(int netd, uint64_t id, const void *qname, size_t size);
void expect_verdict(int netd, uint64_t id, uint16_t rcode);
uint64_t page_epoch(const struct fixture *f);

/* As recursord. An answer is an A record from the root's server, unsigned: fine while validation is off. */
uint64_t expect_fetch(int recursord);
void send_answer(int recursord, uint64_t fetch);
/* The same, with the end of fetch `ended` in the frame; 0: none. */
void send_answer_with_end(int recursord, uint64_t fetch, uint64_t ended);
void send_done(int recursord, uint64_t fetch, uint32_t outcome);

/* As holdfastctl. */
struct reply {
    int code;
    char json[8192];
};

struct reply control_verb(struct fixture *f, const char *verb, const char *name);
