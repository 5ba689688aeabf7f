#pragma once
/* The load generator: asks a DNS server over UDP or TCP, checks every answer, keeps a latency histogram.
 *
 * Closed loop: a fixed number of questions is under way, each answer releases the next; for the cost of an
 * answer and the greatest rate. Open loop: questions leave at a fixed rate whatever the server does, and
 * latency counts from when a question was due, so that a server that stops for a while cannot hide it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LOAD_REPLY_MAX 65535u
#define LOAD_SLOTS     1024u         /* under way on a socket at most; the id's low 10 bits are the slot */
#define LOAD_TIMEOUT   2000000000ull /* ns after which a question counts as lost */
#define LOAD_NONE      UINT32_MAX

/* names.c: questions ready to be sent, and the order in which they are asked. */
struct question {
    uint8_t *wire;             /* without the TCP length */
    uint16_t size, asked_size; /* asked_size: octets of the question section */
};

enum load_order {
    LOAD_ONCE, /* each name once, then the end */
    LOAD_ZIPF, /* for ever, name number k with a probability that goes with k^-exponent */
};

struct names {
    struct question *questions;
    uint32_t count;
    uint32_t *sequence; /* LOAD_ZIPF: `draws` of them, then they repeat */
    uint32_t draws;
    uint32_t at;
    enum load_order order;
    uint32_t *again; /* LOAD_ONCE: those that were lost */
    uint32_t again_count;
};

/* A line is NAME or NAME TYPE-NUMBER; `want_do` sets DO in all of them; draws 0: as many as usual. 0 or -1
 * (said on stderr). */
int names_read(const char *path, bool want_do, enum load_order order, double exponent, uint64_t seed,
               uint32_t draws, struct names *ret_names);
/* Index of the next question, LOAD_NONE at the end. */
uint32_t names_next(struct names *names);
void names_lost(struct names *names, uint32_t index);

/* load_histogram.c: logarithmic buckets, 64 for each doubling, so a quantile is right to about 1 %. */
#define HISTOGRAM_SUB     64u
#define HISTOGRAM_BUCKETS (HISTOGRAM_SUB * 40u)
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS], total, max;
};
void histogram_add(struct histogram *histogram, uint64_t ns);
/* The upper edge of the bucket that the quantile falls into, ns. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* One answer of a trace, as the file has it. */
struct traced {
    uint32_t index;   /* of the name in its file */
    uint32_t took_us; /* since it was sent, or due */
    uint32_t ttl_s;   /* of the first record of the answer section */
    uint32_t at_ms;   /* when the answer came, since the load began */
};

/* What is asked of whom, and what came of it. */
struct load {
    struct sockaddr_storage to;
    socklen_t to_size;
    bool tcp;
    unsigned sockets, window; /* window: under way on each socket */
    double rate;              /* questions a second; 0: closed loop */
    double seconds;           /* LOAD_ZIPF */
    bool any_rcode;           /* answers count whatever their rcode and section counts are */
    struct names names;

    uint64_t sent, answered, lost;
    uint64_t wrong;  /* no question of ours has that id, or another question section came back */
    uint64_t failed; /* rcode other than NOERROR, no record in the answer section, or truncated */
    struct histogram histogram;
    struct traced *trace; /* of the first trace_room answers; NULL: none is wanted */
    size_t trace_count, trace_room;
    uint64_t began_ns;
    double took; /* seconds */
};

/* slots.c: questions under way on one socket. */
struct slot {
    uint32_t index;
    uint8_t generation;
    bool busy;
    uint64_t sent_ns;
};
struct slots {
    struct slot slot[LOAD_SLOTS];
    uint16_t free[LOAD_SLOTS];
    unsigned free_count, size;
};
void slots_init(struct slots *slots, unsigned size);
/* Takes a slot for the question and returns its id. There is a free one. */
uint16_t slots_take(struct slots *slots, uint32_t index, uint64_t now_ns);
/* Checks one reply, counts it, and frees its slot. */
void slots_reply(struct slots *slots, struct load *load, const uint8_t *reply, size_t size, uint64_t now_ns);
/* Frees what is under way for longer than LOAD_TIMEOUT. */
void slots_expire(struct slots *slots, struct load *load, uint64_t now_ns);

uint64_t clock_ns(void);

/* udp.c, tcp.c: run until the names or the seconds end. 0 or -1 (said on stderr). */
int load_udp(struct load *load);
int load_tcp(struct load *load);
