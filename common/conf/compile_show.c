/* The snapshot as YAML, every key with its value: what `holdfastctl config show` prints, and what compiles to
 * the same snapshot again. */

#include <arpa/inet.h>
#include <inttypes.h>
#include <ldns/ldns.h>
#include <string.h>
#include <time.h>

#include "common/conf/compile_internal.h"

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static const char *duration(uint64_t ms, char buf[32])
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (ms == 0 ? i < 3 : ms % units[i].ms != 0)
        i++;
    snprintf(buf, 32, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
    return buf;
}

static const char *size_text(uint64_t bytes, char buf[32])
{
    static const char names[] = "TGMK";
    for (unsigned i = 0, shift = 40; i < 4; i++, shift -= 10)
        if (bytes % (1ull << shift) == 0) {
            snprintf(buf, 32, "%" PRIu64 "%c", bytes >> shift, names[i]);
            return buf;
        }
    snprintf(buf, 32, "%" PRIu64, bytes);
    return buf;
}

static const char *address(const ProtobufCBinaryData *bytes, char buf[INET6_ADDRSTRLEN])
{
    inet_ntop(bytes->len == 4 ? AF_INET : AF_INET6, bytes->data, buf, INET6_ADDRSTRLEN);
    return buf;
}

static void quoted_name(const ProtobufCBinaryData *name, FILE *out)
{
    ldns_rdf rdf = {._size = name->len, ._type = LDNS_RDF_TYPE_DNAME, ._data = name->data};
    char *text = ldns_rdf2str(&rdf);
    fputc('\'', out); /* single quotes: YAML then leaves the backslashes of \DDD alone */
    for (const char *c = text ? text : "."; *c; c++)
        fprintf(out, *c == '\'' ? "''" : "%c", *c);
    fputc('\'', out);
    LDNS_FREE(text);
}

static void show_prefixes(const char *name, size_t count, Holdfast__Config__Prefix **list, FILE *out)
{
    char buf[INET6_ADDRSTRLEN];
    fprintf(out, "  %s: [ ", name);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\"%s/%u\"", i ? ", " : "", address(&list[i]->address, buf), list[i]->length);
    fputs(count ? " ]\n" : "]\n", out);
}

static void show_zone_servers(const char *name, size_t count, Holdfast__Config__ZoneServers **list, FILE *out)
{
    char buf[INET6_ADDRSTRLEN];
    fprintf(out, "  %s:%s\n", name, count ? "" : " [ ]");
    for (size_t i = 0; i < count; i++) {
        fputs("    - { zone: ", out);
        quoted_name(&list[i]->zone, out);
        fputs(", to: [ ", out);
        for (size_t j = 0; j < list[i]->n_to; j++)
            fprintf(out, "%s\"%s@%u\"", j ? ", " : "", address(&list[i]->to[j]->address, buf),
                    list[i]->to[j]->port);
        fprintf(out, " ]%s }\n", list[i]->first ? ", first: true" : "");
    }
}

static void show_server(const Holdfast__Config__Snapshot *s, FILE *out)
{
    static const char transports[4][8] = {"udp", "tcp", "tls", "https"};
    char buf[INET6_ADDRSTRLEN];
    fputs("server:\n  listen: [ ", out);
    for (size_t i = 0; i < s->n_listen; i++) {
        const Holdfast__Config__Endpoint *e = s->listen[i];
        bool v6 = e->address.len == 16;
        fprintf(out, "%s\"%s://%s%s%s:%u\"", i ? ", " : "", transports[e->transport & 3], v6 ? "[" : "",
                address(&e->address, buf), v6 ? "]" : "", e->port);
    }
    fprintf(out, " ]\n  workers: %u\n", s->workers);
    show_prefixes("allow", s->n_allow, s->allow, out);
    show_prefixes("allow_snoop", s->n_allow_snoop, s->allow_snoop, out);
    fprintf(out, "  minimal_responses: %s\n", truth(s->minimal_responses));
    fprintf(out, "  special_use_names: %s\n", truth(s->special_use_names));
    fprintf(out, "process:\n  users: %s\n  sandbox: %s\n", truth(s->users), truth(s->sandbox));
}

static void show_names(const char *key, size_t count, const ProtobufCBinaryData *names, FILE *out)
{
    fprintf(out, "  %s: [ ", key);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        quoted_name(&names[i], out);
    }
    fputs(count ? " ]\n" : "]\n", out);
}

static void show_cache(const Holdfast__Config__Snapshot *s, FILE *out)
{
    char buf[32];
    fprintf(out, "cache:\n  directory: %s\n", s->state_directory);
    fprintf(out, "  size: %s\n", size_text(s->cache_size_bytes, buf));
    fprintf(out, "  min_ttl: %s\n", duration(s->min_ttl_ms, buf));
    fprintf(out, "  max_ttl: %s\n", duration(s->max_ttl_ms, buf));
    fprintf(out, "  commit_interval: %s\n", duration(s->commit_interval_ms, buf));
    fprintf(out, "  prefetch: %s\n", truth(s->prefetch));
    fprintf(out, "stale:\n  enabled: %s\n", truth(s->stale_enabled));
    fprintf(out, "  client_timeout: %s\n", duration(s->stale_client_timeout_ms, buf));
    fprintf(out, "  answer_ttl: %s\n", duration(s->stale_answer_ttl_ms, buf));
    fprintf(out, "  max_age: %s\n", duration(s->stale_max_age_ms, buf));
    fprintf(out, "  delegation_max_age: %s\n", duration(s->stale_delegation_max_age_ms, buf));
    fprintf(out, "  recheck_interval: %s\n", duration(s->stale_recheck_interval_ms, buf));
    show_names("disabled_zones", s->n_stale_disabled_zones, s->stale_disabled_zones, out);
}

static void show_resolve(const Holdfast__Config__Snapshot *s, FILE *out)
{
    static const char modes[3][8] = {"off", "relaxed", "strict"};
    char buf[MAX(INET6_ADDRSTRLEN, 32)];
    fprintf(out, "resolve:\n  root_hints: %s\n", s->root_hints_origin);
    fprintf(out, "  priming: %s\n", truth(s->priming));
    fprintf(out, "  qname_minimisation: %s\n", modes[s->qname_minimisation % 3]);
    fprintf(out, "  case_randomisation: %s\n", truth(s->case_randomisation));
    fprintf(out, "  edns_size: %u\n", s->edns_size);
    fputs("  source_addresses: [ ", out);
    for (size_t i = 0; i < s->n_source_addresses; i++)
        fprintf(out, "%s\"%s\"", i ? ", " : "", address(&s->source_addresses[i], buf));
    fputs(s->n_source_addresses ? " ]\n" : "]\n", out);
    if (s->never_query_default)
        fputs("  never_query: default\n", out);
    else
        show_prefixes("never_query", s->n_never_query, s->never_query, out);
    fprintf(out, "  ipv4: %s\n  ipv6: %s\n", truth(s->ipv4), truth(s->ipv6));
    fprintf(out, "  server_timeout: %s\n", duration(s->server_timeout_ms, buf));
    show_zone_servers("forward", s->n_forward, s->forward, out);
    show_zone_servers("stub", s->n_stub, s->stub, out);
}

static void show_dnssec(const Holdfast__Config__Snapshot *s, FILE *out)
{
    char buf[32];
    fprintf(out, "dnssec:\n  validate: %s\n  trust_anchors: [ ", truth(s->validate));
    for (size_t i = 0; i < s->n_trust_anchors_origin; i++)
        fprintf(out, "%s%s", i ? ", " : "", s->trust_anchors_origin[i]);
    fprintf(out, " ]\n  anchor_updates: %s\n  signalling: %s\n  error_reporting: %s\n",
            truth(s->anchor_updates), truth(s->signalling), truth(s->error_reporting));
    show_names("insecure_zones", s->n_insecure_zones, s->insecure_zones, out);
    fputs("  nta:\n", out);
    fprintf(out, "    lifetime: %s\n", duration(s->nta_lifetime_ms, buf));
    fprintf(out, "    max_lifetime: %s\n", duration(s->nta_max_lifetime_ms, buf));
    fprintf(out, "    probe_interval: %s\n", duration(s->nta_probe_interval_ms, buf));
    fprintf(out, "  aggressive_denial: %s\n", truth(s->aggressive_denial));
    fprintf(out, "  allow_sha1: %s\n", truth(s->allow_sha1));
    fprintf(out, "  nsec3_iterations: %u\n", s->nsec3_iterations);
    time_t clock = s->clock_override_s;
    struct tm tm;
    if (clock && gmtime_r(&clock, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm))
        fprintf(out, "  clock_override: %s\n", buf);
    else
        fputs("  clock_override: none\n", out);
}

void conf_show(const Holdfast__Config__Snapshot *snapshot, FILE *out)
{
    static const char levels[8][8] = {"error",   "error",  "error", "error",
                                      "warning", "notice", "info",  "debug"};
    show_server(snapshot, out);
    show_cache(snapshot, out);
    show_resolve(snapshot, out);
    show_dnssec(snapshot, out);
    fprintf(out, "log:\n  level: %s\n", levels[snapshot->log_level & 7]);
}
