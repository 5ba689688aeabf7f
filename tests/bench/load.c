#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: load [--tcp] [--sockets N] [--window N] [--rate N] [--seconds N] [--once] [--zipf EXPONENT]\n"
    "            [--seed N] [--do] [--any-rcode] [--trace FILE] ADDRESS PORT NAMES\n"
    "Asks the names of a file (NAME or NAME TYPE-NUMBER a line) and prints what came of it as JSON, times in "
    "us.\n"
    "  --sockets  UDP sockets or TCP connections (8)     --window   questions under way on each (64, most "
    "1024)\n"
    "  --rate     questions a second, open loop           --once     each name once, lost ones again\n"
    "  --trace    with --rate: what was asked and what came of it goes to FILE, four 32-bit numbers an "
    "answer "
    "(load.h),\n"
    "             and no draw of the Zipf order is used twice\n";

static int parse_address(const char *address, const char *port, struct load *load)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&load->to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&load->to;
    uint16_t number = htons((uint16_t)atoi(port));
    if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = number;
        load->to_size = sizeof(*in);
        return 0;
    }
    if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = number;
        load->to_size = sizeof(*in6);
        return 0;
    }
    fprintf(stderr, "load: not an address: %s\n", address);
    return -1;
}

static void print_result(const struct load *load)
{
    static const struct {
        const char *name;
        double quantile;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    printf("{\"sent\": %llu, \"answered\": %llu, \"lost\": %llu, \"wrong\": %llu, \"failed\": %llu, "
           "\"seconds\": %.6f",
           (unsigned long long)load->sent, (unsigned long long)load->answered, (unsigned long long)load->lost,
           (unsigned long long)load->wrong, (unsigned long long)load->failed, load->took);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++)
        printf(", \"%s\": %.2f", quantiles[i].name,
               (double)histogram_quantile(&load->histogram, quantiles[i].quantile) / 1e3);
    printf(", \"max\": %.2f}\n", (double)load->histogram.max / 1e3);
}

/* Room for what the rate can give, touched now so that the run has no page faults of its own. */
static int trace_begin(struct load *load)
{
    load->trace_room = (size_t)(load->rate * load->seconds) + LOAD_SLOTS * load->sockets;
    load->trace = malloc(load->trace_room * sizeof(*load->trace));
    if (!load->trace) {
        fprintf(stderr, "load: no memory for a trace of %zu answers\n", load->trace_room);
        return -1;
    }
    memset(load->trace, 0xff, load->trace_room * sizeof(*load->trace));
    return 0;
}

static int trace_write(const struct load *load, const char *path)
{
    FILE *f = fopen(path, "we");
    size_t written = f ? fwrite(load->trace, sizeof(*load->trace), load->trace_count, f) : 0;
    if (!f || fclose(f) != 0 || written != load->trace_count) {
        perror(path);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"tcp", no_argument, NULL, 't'},
        {"sockets", required_argument, NULL, 's'},
        {"window", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 'T'},
        {"once", no_argument, NULL, '1'},
        {"zipf", required_argument, NULL, 'z'},
        {"seed", required_argument, NULL, 'S'},
        {"do", no_argument, NULL, 'd'},
        {"any-rcode", no_argument, NULL, 'a'},
        {"trace", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    struct load *load = calloc(1, sizeof(*load));
    enum load_order order = LOAD_ZIPF;
    double exponent = 1;
    uint64_t seed = 1;
    const char *trace = NULL;
    bool want_do = false;
    if (!load)
        return 1;
    load->sockets = 8;
    load->window = 64;
    load->seconds = 5;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 't':
            load->tcp = true;
            break;
        case 's':
            load->sockets = (unsigned)atoi(optarg);
            break;
        case 'w':
            load->window = (unsigned)atoi(optarg);
            break;
        case 'r':
            load->rate = atof(optarg);
            break;
        case 'T':
            load->seconds = atof(optarg);
            break;
        case '1':
            order = LOAD_ONCE;
            break;
        case 'z':
            exponent = atof(optarg);
            break;
        case 'S':
            seed = strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15u;
            break;
        case 'd':
            want_do = true;
            break;
        case 'a':
            load->any_rcode = true;
            break;
        case 'f':
            trace = optarg;
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (argc - optind != 3 || load->window == 0 || load->window > LOAD_SLOTS || load->sockets == 0 ||
        (load->tcp && load->rate > 0) || (trace && load->rate <= 0)) {
        fputs(usage, stderr);
        return 2;
    }
    if (parse_address(argv[optind], argv[optind + 1], load) != 0 ||
        names_read(argv[optind + 2], want_do, order, exponent, seed,
                   trace ? (uint32_t)(load->rate * load->seconds) + 1 : 0, &load->names) != 0 ||
        (trace && trace_begin(load) != 0))
        return 1;
    if ((load->tcp ? load_tcp(load) : load_udp(load)) != 0)
        return 1;
    if (trace && trace_write(load, trace) != 0)
        return 1;
    print_result(load);
    return 0;
}
