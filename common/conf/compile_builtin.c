/* What is built in: the defaults as configuration text, the root's servers and trust anchors, the prefixes of
 * special use. Read by the same code that reads a user's files, so that a default cannot mean something else.
 */

#include "common/conf/compile_internal.h"

const char conf_default_text[] = "server:\n"
                                 "  listen: [ \"udp://127.0.0.1:53\", \"tcp://127.0.0.1:53\" ]\n"
                                 "  workers: 2\n"
                                 "  allow: [ \"127.0.0.0/8\", \"::1/128\" ]\n"
                                 "  allow_snoop: [ ]\n"
                                 "  minimal_responses: true\n"
                                 "  special_use_names: true\n"
                                 "process: { users: true, sandbox: true }\n"
                                 "cache:\n"
                                 "  directory: /var/lib/holdfast\n"
                                 "  size: 256M\n"
                                 "  min_ttl: 0s\n"
                                 "  max_ttl: 1d\n"
                                 "  commit_interval: 100ms\n"
                                 "  prefetch: true\n"
                                 "stale:\n"
                                 "  enabled: true\n"
                                 "  client_timeout: 1800ms\n"
                                 "  answer_ttl: 30s\n"
                                 "  max_age: 3d\n"
                                 "  delegation_max_age: 7d\n"
                                 "  recheck_interval: 30s\n"
                                 "  disabled_zones: [ ]\n"
                                 "resolve:\n"
                                 "  root_hints: builtin\n"
                                 "  priming: true\n"
                                 "  qname_minimisation: relaxed\n"
                                 "  case_randomisation: true\n"
                                 "  edns_size: 1232\n"
                                 "  source_addresses: [ ]\n"
                                 "  never_query: default\n"
                                 "  ipv4: true\n"
                                 "  ipv6: true\n"
                                 "  server_timeout: 400ms\n"
                                 "  forward: [ ]\n"
                                 "  stub: [ ]\n"
                                 "dnssec:\n"
                                 "  validate: true\n"
                                 "  trust_anchors: builtin\n"
                                 "  anchor_updates: true\n"
                                 "  signalling: true\n"
                                 "  error_reporting: true\n"
                                 "  insecure_zones: [ ]\n"
                                 "  nta: { lifetime: 1h, max_lifetime: 7d, probe_interval: 5m }\n"
                                 "  aggressive_denial: true\n"
                                 "  allow_sha1: false\n"
                                 "  nsec3_iterations: 50\n"
                                 "  clock_override: none\n"
                                 "log: { level: info }\n";

/* IANA, "Root Servers". b.root-servers.net has its addresses since 2023-11-27. */
const char conf_builtin_hints[] = ". 3600000 NS a.root-servers.net.\n"
                                  ". 3600000 NS b.root-servers.net.\n"
                                  ". 3600000 NS c.root-servers.net.\n"
                                  ". 3600000 NS d.root-servers.net.\n"
                                  ". 3600000 NS e.root-servers.net.\n"
                                  ". 3600000 NS f.root-servers.net.\n"
                                  ". 3600000 NS g.root-servers.net.\n"
                                  ". 3600000 NS h.root-servers.net.\n"
                                  ". 3600000 NS i.root-servers.net.\n"
                                  ". 3600000 NS j.root-servers.net.\n"
                                  ". 3600000 NS k.root-servers.net.\n"
                                  ". 3600000 NS l.root-servers.net.\n"
                                  ". 3600000 NS m.root-servers.net.\n"
                                  "a.root-servers.net. 3600000 A 198.41.0.4\n"
                                  "a.root-servers.net. 3600000 AAAA 2001:503:ba3e::2:30\n"
                                  "b.root-servers.net. 3600000 A 170.247.170.2\n"
                                  "b.root-servers.net. 3600000 AAAA 2801:1b8:10::b\n"
                                  "c.root-servers.net. 3600000 A 192.33.4.12\n"
                                  "c.root-servers.net. 3600000 AAAA 2001:500:2::c\n"
                                  "d.root-servers.net. 3600000 A 199.7.91.13\n"
                                  "d.root-servers.net. 3600000 AAAA 2001:500:2d::d\n"
                                  "e.root-servers.net. 3600000 A 192.203.230.10\n"
                                  "e.root-servers.net. 3600000 AAAA 2001:500:a8::e\n"
                                  "f.root-servers.net. 3600000 A 192.5.5.241\n"
                                  "f.root-servers.net. 3600000 AAAA 2001:500:2f::f\n"
                                  "g.root-servers.net. 3600000 A 192.112.36.4\n"
                                  "g.root-servers.net. 3600000 AAAA 2001:500:12::d0d\n"
                                  "h.root-servers.net. 3600000 A 198.97.190.53\n"
                                  "h.root-servers.net. 3600000 AAAA 2001:500:1::53\n"
                                  "i.root-servers.net. 3600000 A 192.36.148.17\n"
                                  "i.root-servers.net. 3600000 AAAA 2001:7fe::53\n"
                                  "j.root-servers.net. 3600000 A 192.58.128.30\n"
                                  "j.root-servers.net. 3600000 AAAA 2001:503:c27::2:30\n"
                                  "k.root-servers.net. 3600000 A 193.0.14.129\n"
                                  "k.root-servers.net. 3600000 AAAA 2001:7fd::1\n"
                                  "l.root-servers.net. 3600000 A 199.7.83.42\n"
                                  "l.root-servers.net. 3600000 AAAA 2001:500:9f::42\n"
                                  "m.root-servers.net. 3600000 A 202.12.27.33\n"
                                  "m.root-servers.net. 3600000 AAAA 2001:dc3::35\n";

/* IANA's root-anchors.xml: KSK-2017 and KSK-2024; the second signs since 2026-10-11. */
const char conf_builtin_anchors[] =
    ". 172800 DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
    ". 172800 DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

/* IANA's special-purpose registries (RFC 6890), as far as no server on the Internet can have such an address.
 */
const char *const conf_special_use_prefixes[] = {
    "0.0.0.0/8",    "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",   "169.254.0.0/16",  "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",  "::/128",       "::1/128",        "::ffff:0:0/96", "64:ff9b:1::/48",  "100::/64",
    "2001:2::/48",  "2001:10::/28", "2001:db8::/32",  "3fff::/20",     "5f00::/16",       "fc00::/7",
    "fe80::/10",    "fec0::/10",    "ff00::/8",
};
const size_t conf_special_use_prefix_count = ARRAY_SIZE(conf_special_use_prefixes);
