/* The configuration compiler: every key, the defaults of the man page, mistakes by line with their cure, and
 * that what is shown compiles to the same again. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/conf/compile.h"
#include "common/conf/snapshot.h"

static struct conf *compile(const char *text)
{
    struct conf *conf = NULL;
    int r = conf_compile_text(text, strlen(text), "test.yaml", NULL, &conf);
    assert_true(r >= 0);
    assert_int_equal(r, conf_message_count(conf) > 0);
    return conf;
}

static struct conf *compile_good(const char *text)
{
    struct conf *conf = compile(text);
    for (size_t i = 0; i < conf_message_count(conf); i++)
        print_message("%s\n", conf_message(conf, i));
    assert_non_null(conf_snapshot(conf));
    return conf;
}

/* The text has exactly one mistake, whose message begins and goes on like this. */
static void assert_mistake(const char *text, const char *begin, const char *holds)
{
    struct conf *conf = compile(text);
    if (conf_message_count(conf) != 1)
        for (size_t i = 0; i < conf_message_count(conf); i++)
            print_message("%s\n", conf_message(conf, i));
    if (conf_message_count(conf) != 1)
        fail_msg("%zu messages for %s", conf_message_count(conf), text);
    if (strncmp(conf_message(conf, 0), begin, strlen(begin)) != 0 || !strstr(conf_message(conf, 0), holds))
        fail_msg("\"%s\" is not \"%s…%s\"", conf_message(conf, 0), begin, holds);
    assert_non_null(strchr(conf_message(conf, 0), ';'));
    assert_null(conf_snapshot(conf));
    conf_free(conf);
}

static void an_empty_file_means_the_defaults(void **state)
{
    struct conf *conf = compile_good("# nothing\n");
    const Holdfast__Config__Snapshot *s = conf_snapshot(conf);
    assert_string_equal(s->runtime_directory, "/run/holdfast");
    assert_string_equal(s->state_directory, "/var/lib/holdfast");
    assert_int_equal(s->n_listen, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s->listen[i]->transport, i); /* UDP, TCP */
        assert_int_equal(s->listen[i]->port, 53);
        assert_memory_equal(s->listen[i]->address.data, "\177\0\0\001", 4);
    }
    assert_int_equal(s->workers, 2);
    assert_int_equal(s->n_allow, 2);
    assert_int_equal(s->n_allow_snoop, 0);
    assert_true(s->minimal_responses && s->special_use_names && s->users && s->sandbox && s->prefetch);
    assert_int_equal(s->cache_size_bytes, 256 << 20);
    assert_int_equal(s->min_ttl_ms, 0);
    assert_int_equal(s->max_ttl_ms, 86400000);
    assert_int_equal(s->commit_interval_ms, 100);
    assert_true(s->stale_enabled);
    assert_int_equal(s->stale_client_timeout_ms, 1800);
    assert_int_equal(s->stale_answer_ttl_ms, 30000);
    assert_int_equal(s->stale_max_age_ms, 3 * 86400000ll);
    assert_int_equal(s->stale_delegation_max_age_ms, 7 * 86400000ll);
    assert_int_equal(s->n_root_hints, 13);
    for (size_t i = 0; i < 13; i++) {
        assert_int_equal(s->root_hints[i]->n_addresses, 2);
        assert_int_equal(s->root_hints[i]->addresses[0].len, 4);
        assert_int_equal(s->root_hints[i]->addresses[1].len, 16);
    }
    assert_memory_equal(s->root_hints[0]->name.data, "\001a\014root-servers\003net", 20);
    assert_true(s->priming && s->case_randomisation && s->ipv4 && s->ipv6);
    assert_int_equal(s->qname_minimisation, HOLDFAST__CONFIG__MINIMISATION__RELAXED);
    assert_int_equal(s->edns_size, 1232);
    assert_int_equal(s->n_source_addresses, 0);
    assert_true(s->n_never_query > 20 && s->never_query_default);
    assert_int_equal(s->server_timeout_ms, 400);
    assert_int_equal(s->n_forward + s->n_stub + s->n_insecure_zones, 0);
    assert_true(s->validate && s->anchor_updates && s->signalling && s->error_reporting &&
                s->aggressive_denial && !s->allow_sha1);
    assert_int_equal(s->n_trust_anchors, 2);
    assert_int_equal(s->trust_anchors[0]->type, 43);
    assert_int_equal(s->trust_anchors[0]->rdata.len, 36);
    assert_memory_equal(s->trust_anchors[0]->rdata.data, "\x4f\x66\x08\x02\xe0\x6d", 6); /* 20326 */
    assert_memory_equal(s->trust_anchors[1]->rdata.data, "\x97\x28\x08\x02\x68\x3d", 6); /* 38696 */
    assert_int_equal(s->trust_anchors[0]->zone.len, 1);
    assert_int_equal(s->nta_lifetime_ms, 3600000);
    assert_int_equal(s->nta_max_lifetime_ms, 7 * 86400000ll);
    assert_int_equal(s->nta_probe_interval_ms, 300000);
    assert_int_equal(s->nsec3_iterations, 50);
    assert_int_equal(s->clock_override_s, 0);
    assert_int_equal(s->log_level, 6);
    conf_free(conf);
}

static const char every_key[] =
    "server:\n"
    "  listen: [ \"udp://127.0.0.1:5300\", \"tcp://[::1]:5300\", \"udp://192.0.2.1\" ]\n"
    "  workers: 3\n"
    "  allow: [ \"192.0.2.0/24\", \"2001:db8::/32\", \"192.0.2.7\" ]\n"
    "  allow_snoop: [ \"127.0.0.1/32\" ]\n"
    "  minimal_responses: false\n"
    "  special_use_names: false\n"
    "process: { users: false, sandbox: false }\n"
    "cache: { directory: /tmp/cache, size: 1G, min_ttl: 5s, max_ttl: 2h, commit_interval: 50ms, prefetch: "
    "false }\n"
    "stale: { enabled: false, client_timeout: 900ms, answer_ttl: 15s, max_age: 36h, delegation_max_age: 2d "
    "}\n"
    "resolve:\n"
    "  root_hints: builtin\n"
    "  priming: false\n"
    "  qname_minimisation: strict\n"
    "  case_randomisation: false\n"
    "  edns_size: 1400\n"
    "  source_addresses: [ 192.0.2.9, \"2001:db8::9\" ]\n"
    "  never_query: [ ]\n"
    "  ipv4: true\n"
    "  ipv6: yes\n"
    "  server_timeout: 1s\n"
    "  forward:\n"
    "    - { zone: \"Corp.example.\", to: [\"192.0.2.1@5353\", \"2001:db8::1\"], first: true }\n"
    "  stub: [ { zone: \"lab.example\", to: \"192.0.2.2@53\" } ]\n"
    "dnssec:\n"
    "  validate: true\n"
    "  trust_anchors: [ builtin ]\n"
    "  anchor_updates: false\n"
    "  signalling: false\n"
    "  error_reporting: false\n"
    "  insecure_zones: [ intern., 'a\\.b.example.' ]\n"
    "  nta: { lifetime: 2h, max_lifetime: 1d, probe_interval: 1m }\n"
    "  aggressive_denial: false\n"
    "  allow_sha1: true\n"
    "  nsec3_iterations: 100\n"
    "  clock_override: 2020-10-20T12:00:00Z\n"
    "log: { level: debug }\n";

static void every_key_is_taken_over(void **state)
{
    struct conf *conf = compile_good(every_key);
    const Holdfast__Config__Snapshot *s = conf_snapshot(conf);
    assert_int_equal(s->n_listen, 3);
    assert_int_equal(s->listen[0]->transport, HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP);
    assert_int_equal(s->listen[0]->port, 5300);
    assert_int_equal(s->listen[1]->transport, HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__TCP);
    assert_int_equal(s->listen[1]->address.len, 16);
    assert_int_equal(s->listen[1]->address.data[15], 1);
    assert_int_equal(s->listen[2]->port, 53);
    assert_int_equal(s->workers, 3);
    assert_int_equal(s->n_allow, 3);
    assert_int_equal(s->allow[0]->length, 24);
    assert_int_equal(s->allow[1]->length, 32);
    assert_int_equal(s->allow[2]->length, 32);
    assert_int_equal(s->n_allow_snoop, 1);
    assert_false(s->minimal_responses || s->special_use_names || s->users || s->sandbox || s->prefetch);
    assert_string_equal(s->state_directory, "/tmp/cache");
    assert_true(s->cache_size_bytes == 1ull << 30);
    assert_int_equal(s->min_ttl_ms, 5000);
    assert_int_equal(s->max_ttl_ms, 7200000);
    assert_int_equal(s->commit_interval_ms, 50);
    assert_false(s->stale_enabled);
    assert_int_equal(s->stale_client_timeout_ms, 900);
    assert_int_equal(s->stale_answer_ttl_ms, 15000);
    assert_int_equal(s->stale_max_age_ms, 36 * 3600000);
    assert_int_equal(s->stale_delegation_max_age_ms, 2 * 86400000);
    assert_false(s->priming || s->case_randomisation || s->never_query_default);
    assert_int_equal(s->qname_minimisation, HOLDFAST__CONFIG__MINIMISATION__STRICT);
    assert_int_equal(s->edns_size, 1400);
    assert_int_equal(s->n_source_addresses, 2);
    assert_int_equal(s->n_never_query, 0);
    assert_int_equal(s->server_timeout_ms, 1000);
    assert_int_equal(s->n_forward, 1);
    assert_memory_equal(s->forward[0]->zone.data, "\004corp\007example", 14);
    assert_int_equal(s->forward[0]->n_to, 2);
    assert_int_equal(s->forward[0]->to[0]->port, 5353);
    assert_int_equal(s->forward[0]->to[1]->address.len, 16);
    assert_true(s->forward[0]->first);
    assert_int_equal(s->n_stub, 1);
    assert_int_equal(s->stub[0]->n_to, 1);
    assert_false(s->anchor_updates || s->signalling || s->error_reporting || s->aggressive_denial);
    assert_int_equal(s->n_insecure_zones, 2);
    assert_memory_equal(s->insecure_zones[1].data, "\003a.b\007example", 13);
    assert_int_equal(s->nta_lifetime_ms, 7200000);
    assert_int_equal(s->nta_max_lifetime_ms, 86400000);
    assert_int_equal(s->nta_probe_interval_ms, 60000);
    assert_true(s->allow_sha1);
    assert_int_equal(s->nsec3_iterations, 100);
    assert_int_equal(s->clock_override_s, 1603195200);
    assert_int_equal(s->log_level, 7);
    conf_free(conf);
}

static void ten_mistakes_are_ten_messages_with_line_and_cure(void **state)
{
    static const char text[] = "server:\n"                               /* 1 */
                               "  listen: [ \"tls://127.0.0.1:853\" ]\n" /* 2 */
                               "  wokers: 2\n"                           /* 3 */
                               "  allow: [ \"127.0.0.1/8\" ]\n"          /* 4 */
                               "cache:\n"                                /* 5 */
                               "  size: 256\n"                           /* 6 */
                               "  max_ttl: 90d\n"                        /* 7 */
                               "resolve:\n"                              /* 8 */
                               "  qname_minimisation: loose\n"           /* 9 */
                               "  root_hints: /nonexistent/root\n"       /* 10 */
                               "  validate: true\n"                      /* 11 */
                               "dnssec:\n"                               /* 12 */
                               "  insecure_zones: [ \"a..b\" ]\n"        /* 13 */
                               "  clock_override: yesterday\n";          /* 14 */
    static const struct {
        unsigned line;
        const char *holds, *cure;
    } wanted[] = {
        {2, "this version answers over udp and tcp", "; write udp://127.0.0.1:53"},
        {3, "unknown key \"wokers\" in server", "; did you mean \"workers\"?"},
        {4, "bits set behind its length", "; write 127.0.0.0/8"},
        {6, "has no unit", "for example 256M"},
        {7, "out of range", "; write 1s to 4w"},
        {9, "\"loose\" is no mode", "; write relaxed, strict or off"},
        {10, "cannot read \"/nonexistent/root\"", "; write builtin or"},
        {11, "unknown key \"validate\" in resolve", "; it belongs under \"dnssec\""},
        {13, "no domain name", "; write for example"},
        {14, "no UTC time", "; write none or"},
    };
    struct conf *conf = compile(text);
    assert_int_equal(conf_message_count(conf), 10);
    for (size_t i = 0; i < 10; i++) {
        char begin[32];
        snprintf(begin, sizeof(begin), "test.yaml:%u: ", wanted[i].line);
        const char *message = conf_message(conf, i);
        if (strncmp(message, begin, strlen(begin)) != 0 || !strstr(message, wanted[i].holds) ||
            !strstr(message, wanted[i].cure))
            fail_msg("message %zu is \"%s\"", i, message);
    }
    conf_free(conf);
}

static void each_mistake_says_what_would_be_right(void **state)
{
    assert_mistake("server: { listen: [ ] }", "test.yaml:1: listen is empty", "write [ \"udp");
    assert_mistake("server: { listen: [ \"udp://localhost:53\" ] }", "test.yaml:1: ", "no IP address");
    assert_mistake("server: { listen: [ \"udp://127.0.0.1:0\" ] }", "test.yaml:1: ", "no port");
    assert_mistake("server: { listen: [ \"udp://::1:53\" ] }", "test.yaml:1: ", "no IP address");
    assert_mistake("server: { listen: [ \"quic://[::1]:53\" ] }", "test.yaml:1: ", "no transport");
    assert_mistake("server: { listen: [ \"127.0.0.1\" ] }", "test.yaml:1: ", "names no transport");
    assert_mistake("server: { listen: [ \"https://[::1]:443/dns-query\" ] }", "test.yaml:1: ", "udp and tcp");
    assert_mistake("server: { listen: [ \"udp://[::1]:53\", \"udp://[::1]\" ] }",
                   "test.yaml:1: ", "there twice");
    assert_mistake("server:\n  allow: [ \"10.0.0.0/33\" ]", "test.yaml:2: ", "write /0 to /32");
    assert_mistake("server:\n  workers: two\n", "test.yaml:2: ", "a number from 1 to 64");
    assert_mistake("server:\n  workers: 65\n", "test.yaml:2: ", "out of range");
    assert_mistake("server:\n  workers:\n", "test.yaml:2: ", "has no value");
    assert_mistake("server:\n  workers: 2\n  workers: 2\n", "test.yaml:3: ", "set in line 2");
    assert_mistake("server: 5\n", "test.yaml:1: ", "is a section");
    assert_mistake("- a\n", "test.yaml:1: ", "not a configuration");
    assert_mistake("server:\n  listen: [ \"udp\n\n", "test.yaml:", "check indentation");
    assert_mistake("sever: {}\n", "test.yaml:1: ", "did you mean \"server\"?");
    assert_mistake("dnssec: { nat: { lifetime: 1h } }\n", "test.yaml:1: ", "did you mean \"nta\"?");
    assert_mistake("quux: 1\n", "test.yaml:1: ", "holdfast.yaml(5)");
    assert_mistake("process: { users: maybe }", "test.yaml:1: ", "write true or false");
    assert_mistake("cache: { directory: var }", "test.yaml:1: ", "begin it with /");
    assert_mistake("cache: { size: 1M }", "test.yaml:1: ", "write 4M to 1T");
    assert_mistake("cache: { size: 99999999999999999999G }", "test.yaml:1: ", "not a number");
    assert_mistake("cache: { max_ttl: 5 parsecs }", "test.yaml:1: ", "unknown unit");
    assert_mistake("cache: { min_ttl: 1h, max_ttl: 1m }", "test.yaml:1: ", "longer than max_ttl");
    assert_mistake("resolve: { ipv4: false, ipv6: false }", "test.yaml:1: ", "switch one on");
    assert_mistake("resolve: { ipv6: false, source_addresses: [ \"::1\" ] }",
                   "test.yaml:1: ", "family that is off");
    assert_mistake("resolve: { source_addresses: [ one ] }", "test.yaml:1: ", "no IP address");
    assert_mistake("resolve: { forward: [ { zone: a., too: [ 192.0.2.1 ], to: [ 192.0.2.1 ] } ] }",
                   "test.yaml:1: ", "unknown key \"too\"");
    assert_mistake("resolve: { forward: [ { zone: a. } ] }", "test.yaml:1: ", "without servers");
    assert_mistake("resolve: { forward: [ { to: [ 192.0.2.1 ] } ] }", "test.yaml:1: ", "without zone");
    assert_mistake("resolve: { stub: [ { zone: a., to: [ 192.0.2.1 ], first: true } ] }",
                   "test.yaml:1: ", "\"first\"");
    assert_mistake("resolve: { stub: [ { zone: a., to: [ \"192.0.2.1@x\" ] } ] }",
                   "test.yaml:1: ", "no port");
    assert_mistake("resolve:\n  forward: [ { zone: a., to: [ 192.0.2.1 ] } ]\n"
                   "  stub: [ { zone: A, to: [ 192.0.2.1 ] } ]\n",
                   "test.yaml:3: ", "name one zone twice");
    assert_mistake("dnssec: { nta: { lifetime: 2d, max_lifetime: 1d } }",
                   "test.yaml:1: ", "nta.lifetime is longer");
    assert_mistake("dnssec: { nta: { max_lifetime: 8d } }", "test.yaml:1: ", "write 1m to 1w");
    assert_mistake("dnssec: { trust_anchors: [ ] }", "test.yaml:1: ", "no trust anchor");
    assert_mistake("dnssec: { clock_override: 2021-02-30T00:00:00Z }", "test.yaml:1: ", "no UTC time");
    assert_mistake("log: { level: loud }", "test.yaml:1: ", "no level");
    assert_mistake("log: { level: [ info ] }", "test.yaml:1: ", "takes one value");
}

static void what_no_text_editor_shows_is_still_named_with_its_line(void **state)
{
    /* libyaml knows no line where its reader fails. */
    assert_mistake("server:\n  workers: 1\n# caf\xe9\nlog: {}\n", "test.yaml:3: ", "write UTF-8");
    assert_mistake("server:\n  workers: 1\n\x01\n", "test.yaml:3: ", "write UTF-8");
    /* A terminal must not be told what to do by a file. */
    assert_mistake("server: { \"\\e[31mworkers\": 1 }\n", "test.yaml:1: unknown key \"\\x1b[31mworkers\"",
                   "");
    assert_mistake("server: { \"work\\ners\": 1 }\n", "test.yaml:1: unknown key \"work\\x0aers\"",
                   "did you mean");
    assert_mistake("dnssec: { insecure_zones: [ \"a.\\0b\" ] }\n", "test.yaml:1: ", "in quotes");
    assert_mistake("server: { workers: 1 }\n---\nserver: { workers: 2 }\n",
                   "test.yaml:3: ", "second document");
    assert_mistake("server: { workers: 1 }\n---\n  ]\n", "test.yaml:3: ", "brackets");
    conf_free(compile_good("---\nserver: { workers: 1 }\n...\n# end\n"));
}

static void names_that_no_zone_has_are_mistakes(void **state)
{
    /* A list without its commas, and letters that the DNS carries as A-labels only (RFC 5891). */
    assert_mistake("dnssec: { insecure_zones: a.example b.example }", "test.yaml:1: ", "a space");
    assert_mistake("dnssec: { insecure_zones: [ \"b\xc3\xbc"
                   "cher.example\" ] }",
                   "test.yaml:1: ", "A-label");
    assert_mistake("resolve: { stub: [ { zone: \"b\xc3\xbc"
                   "cher.example\", to: [ 192.0.2.1 ] } ] }",
                   "test.yaml:1: ", "A-label");
    conf_free(compile_good("dnssec: { insecure_zones: [ 'a\\032b.example', 'xn--bcher-kva.example' ] }"));
    assert_mistake("server: { allow: [ \"::ffff:10.0.0.0/104\" ] }", "test.yaml:1: ", "write 10.0.0.0/8");
}

static void more_sockets_than_netd_can_be_passed_are_refused(void **state)
{
    char text[1024] = "server: { workers: 64, listen: [";
    for (unsigned i = 1; i <= 16; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"udp://192.0.2.%u\"", i > 1 ? "," : "",
                 i);
    strcat(text, "] }");
    assert_mistake(text, "test.yaml:1: 64 workers", "at most 1022 sockets");
}

static char *temporary_file(const char *text)
{
    char *path = strdup("/tmp/holdfast-conf-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void forget_file(struct conf *conf, char *path)
{
    conf_free(conf);
    unlink(path);
    free(path);
}

static struct conf *compile_with_file(const char *format, const char *content, char **ret_path)
{
    char text[512];
    *ret_path = temporary_file(content);
    snprintf(text, sizeof(text), format, *ret_path);
    struct conf *conf = compile(text);
    for (size_t i = 0; i < conf_message_count(conf); i++)
        print_message("%s\n", conf_message(conf, i));
    return conf;
}

static void hints_and_anchors_come_from_zone_files(void **state)
{
    char *path;
    struct conf *conf = compile_with_file("resolve: { root_hints: %s }",
                                          "; lab\n$ORIGIN lab.\n. IN NS Root\nroot.lab. 60 A 192.0.2.53\n"
                                          "root 60 AAAA 2001:db8::53\n",
                                          &path);
    assert_non_null(conf_snapshot(conf));
    assert_int_equal(conf_snapshot(conf)->n_root_hints, 1);
    assert_memory_equal(conf_snapshot(conf)->root_hints[0]->name.data, "\004root\003lab", 10);
    assert_int_equal(conf_snapshot(conf)->root_hints[0]->n_addresses, 2);
    conf_free(conf);
    unlink(path);
    free(path);

    conf = compile_with_file("dnssec: { trust_anchors: %s }",
                             "Example. IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n"
                             ". DS 1 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n",
                             &path);
    assert_non_null(conf_snapshot(conf));
    assert_int_equal(conf_snapshot(conf)->n_trust_anchors, 2);
    assert_int_equal(conf_snapshot(conf)->trust_anchors[0]->type, 48);
    assert_int_equal(conf_snapshot(conf)->trust_anchors[0]->rdata.len, 36);
    assert_memory_equal(conf_snapshot(conf)->trust_anchors[0]->zone.data, "\007example", 9);
    conf_free(conf);
    unlink(path);
    free(path);
}

static void mistakes_in_zone_files_name_their_own_line(void **state)
{
    static const char *const format[] = {"resolve: { root_hints: %s }", "dnssec: { trust_anchors: %s }"};
    static const struct {
        unsigned format, line;
        const char *text, *holds;
    } cases[] = {
        {0, 2, ". NS a.\na. A 192.0.2.999\n. NS b.\nb. A 192.0.2.1\na. A 192.0.2.1\n", "zone format"},
        {0, 1, ". NS a.\n", "without an address"},
        {0, 1, "example. NS a.\na. A 192.0.2.1\n", "another name than the root"},
        {0, 1, "; empty\n", "no root server"},
        {1, 1, ". DS 1 8 2 E06D44B8\n", "not the size of its type"},
        {1, 1, ". DNSKEY 0 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n", "no zone key"},
        {1, 1, ". DNSKEY 385 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n", "revoked"},
        {1, 2, ". DS 1 8 1 0000000000000000000000000000000000000000\n. A 192.0.2.1\n", "no trust anchor"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *path, begin[64];
        struct conf *conf = compile_with_file(format[cases[i].format], cases[i].text, &path);
        snprintf(begin, sizeof(begin), "%s:%u: ", path, cases[i].line);
        if (conf_message_count(conf) != 1)
            fail_msg("case %zu has %zu messages", i, conf_message_count(conf));
        if (strncmp(conf_message(conf, 0), begin, strlen(begin)) != 0 ||
            !strstr(conf_message(conf, 0), cases[i].holds))
            fail_msg("case %zu: \"%s\"", i, conf_message(conf, 0));
        conf_free(conf);
        unlink(path);
        free(path);
    }
}

static void what_is_no_zone_file_is_refused_and_ends(void **state)
{
    static const char *const format[] = {"resolve: { root_hints: %s }", "dnssec: { trust_anchors: %s }"};
    static const char *const paths[] = {"/", "/dev/zero", "/dev/null"};
    for (size_t i = 0; i < ARRAY_SIZE(format); i++)
        for (size_t j = 0; j < ARRAY_SIZE(paths); j++) {
            char text[128];
            snprintf(text, sizeof(text), format[i], paths[j]);
            assert_mistake(text, "test.yaml:1: ", "no regular file");
        }
}

static void anchors_that_would_switch_validation_off_are_mistakes(void **state)
{
    /* An algorithm and a digest type that nobody has assigned, and SHA-1 (RFC 9905). */
    static const char useless[] =
        "example. DS 1 250 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
        "example. DS 2 8 200 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
        "example. DS 3 8 1 E06D44B80B8F1D39A95C0B0D7C65D08458E88040\n";
    char beside_a_good_one[1024], *path;
    struct conf *conf = compile_with_file("dnssec: { trust_anchors: %s }", useless, &path);
    assert_int_equal(conf_message_count(conf), 1);
    assert_non_null(
        strstr(conf_message(conf, 0), "test.yaml:1: trust_anchors: example. would not be validated"));
    assert_non_null(strchr(conf_message(conf, 0), ';'));
    forget_file(conf, path);
    conf = compile_with_file("dnssec: { allow_sha1: true, trust_anchors: %s }", useless, &path);
    assert_int_equal(conf_message_count(conf), 0);
    forget_file(conf, path);
    snprintf(beside_a_good_one, sizeof(beside_a_good_one),
             "%sexample. DS 4 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n",
             useless);
    conf = compile_with_file("dnssec: { trust_anchors: %s }", beside_a_good_one, &path);
    assert_int_equal(conf_message_count(conf), 0);
    forget_file(conf, path);
    conf = compile_with_file(
        "dnssec: { trust_anchors: %s }",
        ". CH DS 1 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n", &path);
    assert_int_equal(conf_message_count(conf), 1);
    assert_non_null(strstr(conf_message(conf, 0), "class"));
    forget_file(conf, path);
}

static void what_is_shown_compiles_to_the_same(void **state)
{
    const char *const texts[] = {"", every_key};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct conf *first = compile_good(texts[i]);
        char *shown = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&shown, &size);
        conf_show(conf_snapshot(first), out);
        fclose(out);
        struct conf *second = compile_good(shown);
        Holdfast__Config__Snapshot a = *conf_snapshot(first), b = *conf_snapshot(second);
        a.generation = b.generation = 0;
        size_t a_size = holdfast__config__snapshot__get_packed_size(&a);
        assert_int_equal(a_size, holdfast__config__snapshot__get_packed_size(&b));
        uint8_t *a_bytes = malloc(a_size), *b_bytes = malloc(a_size);
        holdfast__config__snapshot__pack(&a, a_bytes);
        holdfast__config__snapshot__pack(&b, b_bytes);
        assert_memory_equal(a_bytes, b_bytes, a_size);
        free(a_bytes);
        free(b_bytes);
        free(shown);
        conf_free(first);
        conf_free(second);
    }
}

static void what_is_written_is_what_daemons_load(void **state)
{
    const struct conf_overrides overrides = {.runtime_directory = "/tmp/run",
                                             .state_directory = "/tmp/state"};
    struct conf *conf;
    assert_int_equal(conf_compile_text(every_key, strlen(every_key), "x", &overrides, &conf), 0);
    char *path = temporary_file("before");
    assert_int_equal(conf_write(conf, path), 0);
    Holdfast__Config__Snapshot *loaded;
    const char *error = "";
    int r = snapshot_load(path, &loaded, &error);
    if (r != 0)
        fail_msg("%d %s", r, error);
    assert_string_equal(loaded->runtime_directory, "/tmp/run");
    assert_string_equal(loaded->state_directory, "/tmp/state");
    assert_true(loaded->generation > 1600000000000000ull);
    struct address address;
    assert_int_equal(snapshot_endpoint(loaded->listen[0], &address), 0);
    assert_int_equal(address.port, 5300);
    assert_int_equal(loaded->n_trust_anchors, 2);
    snapshot_free(loaded);
    conf_free(conf);
    unlink(path);
    free(path);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    struct conf *conf = compile_good("");
    assert_int_equal(conf_write(conf, "/nonexistent/config.pb"), -ENOENT);
    conf_free(conf);
    conf = compile("x: 1");
    char *path = temporary_file("before");
    assert_int_equal(conf_write(conf, path), -EINVAL);
    char before[7] = "";
    FILE *file = fopen(path, "re");
    assert_non_null(fgets(before, sizeof(before), file));
    fclose(file);
    assert_string_equal(before, "before");
    conf_free(conf);
    unlink(path);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_means_the_defaults),
        cmocka_unit_test(every_key_is_taken_over),
        cmocka_unit_test(ten_mistakes_are_ten_messages_with_line_and_cure),
        cmocka_unit_test(each_mistake_says_what_would_be_right),
        cmocka_unit_test(what_no_text_editor_shows_is_still_named_with_its_line),
        cmocka_unit_test(names_that_no_zone_has_are_mistakes),
        cmocka_unit_test(more_sockets_than_netd_can_be_passed_are_refused),
        cmocka_unit_test(hints_and_anchors_come_from_zone_files),
        cmocka_unit_test(mistakes_in_zone_files_name_their_own_line),
        cmocka_unit_test(what_is_no_zone_file_is_refused_and_ends),
        cmocka_unit_test(anchors_that_would_switch_validation_off_are_mistakes),
        cmocka_unit_test(what_is_shown_compiles_to_the_same),
        cmocka_unit_test(what_is_written_is_what_daemons_load),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
