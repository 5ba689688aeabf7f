/* What must hold between keys, looked at once each of them is right by itself. */

#include <string.h>

#include "common/conf/compile_internal.h"
#include "common/wire/name.h"

/* A daemon takes at most this many passed sockets (DAEMON_MAX_FDS), two of which are its edge and control. */
#define MAX_NETD_SOCKETS 1022u

static unsigned either_line(const struct conf *conf, const char *a, const char *b)
{
    unsigned line = conf_line_of(conf, a);
    line = line ? line : conf_line_of(conf, b);
    return line ? line : 1;
}

static void check_zones(struct conf *conf)
{
    const Holdfast__Config__Snapshot *s = conf->snapshot;
    for (size_t i = 0; i < s->n_forward + s->n_stub; i++)
        for (size_t j = 0; j < i; j++) {
            const Holdfast__Config__ZoneServers *a =
                i < s->n_forward ? s->forward[i] : s->stub[i - s->n_forward];
            const Holdfast__Config__ZoneServers *b =
                j < s->n_forward ? s->forward[j] : s->stub[j - s->n_forward];
            if (a->zone.len == b->zone.len && memcmp(a->zone.data, b->zone.data, a->zone.len) == 0)
                conf_complain(
                    conf,
                    either_line(conf, i < s->n_forward ? "resolve.forward" : "resolve.stub", "resolve.stub"),
                    "forward and stub name one zone twice (entries %zu and %zu); put its servers into one "
                    "entry",
                    j + 1, i + 1);
        }
}

static void check_sockets(struct conf *conf)
{
    const Holdfast__Config__Snapshot *s = conf->snapshot;
    size_t sockets = 0;
    for (size_t i = 0; i < s->n_listen; i++)
        sockets += s->listen[i]->transport == HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP ? s->workers : 1;
    if (sockets > MAX_NETD_SOCKETS)
        conf_complain(
            conf, either_line(conf, "server.workers", "server.listen"),
            "%u workers on these endpoints need %zu sockets; write fewer workers or endpoints, at most %u "
            "sockets (udp: one a worker)",
            s->workers, sockets, MAX_NETD_SOCKETS);
}

static void check_sources(struct conf *conf)
{
    const Holdfast__Config__Snapshot *s = conf->snapshot;
    for (size_t i = 0; i < s->n_source_addresses; i++)
        if (!(s->source_addresses[i].len == 4 ? s->ipv4 : s->ipv6))
            conf_complain(
                conf, conf_line_of(conf, "resolve.source_addresses"),
                "source_addresses number %zu is of a family that is off; switch it on or remove the address",
                i + 1);
}

/* RFC 8624, RFC 9904: what validatord checks. */
static bool anchor_usable(const Holdfast__Config__Snapshot *s, const Holdfast__Config__Anchor *anchor)
{
    enum { TYPE_DS = 43 };
    bool ds = anchor->type == TYPE_DS;
    uint8_t algorithm = ds ? anchor->rdata.data[2] : anchor->rdata.data[3];
    bool sha1 = algorithm == 5 || algorithm == 7;
    bool known = sha1 || algorithm == 8 || algorithm == 10 || (algorithm >= 13 && algorithm <= 16);
    if (ds) {
        uint8_t digest = anchor->rdata.data[3];
        sha1 |= digest == 1;
        known &= digest == 1 || digest == 2 || digest == 4;
    }
    return known && (!sha1 || s->allow_sha1);
}

/* A zone whose anchors are all of algorithms that validatord does not know is insecure (RFC 4035 5.2), with
 * all below it: nobody who writes an anchor means that. */
static void check_anchors(struct conf *conf)
{
    const Holdfast__Config__Snapshot *s = conf->snapshot;
    for (size_t i = 0; i < s->n_trust_anchors; i++) {
        const ProtobufCBinaryData *zone = &s->trust_anchors[i]->zone;
        bool first = true, usable = false;
        for (size_t j = 0; j < s->n_trust_anchors; j++) {
            const ProtobufCBinaryData *other = &s->trust_anchors[j]->zone;
            if (other->len != zone->len || memcmp(other->data, zone->data, zone->len) != 0)
                continue;
            first &= j >= i;
            usable |= anchor_usable(s, s->trust_anchors[j]);
        }
        char text[NAME_TEXT_MAX];
        if (first && !usable)
            conf_complain(
                conf, either_line(conf, "dnssec.trust_anchors", "dnssec.allow_sha1"),
                "trust_anchors: %s would not be validated, no anchor of it has an algorithm and a "
                "digest that are supported (and SHA-1 is off unless allow_sha1 is true); add a DS with "
                "SHA-256, or remove them",
                name_to_text(zone->data, text));
    }
}

void conf_check_relations(struct conf *conf)
{
    const Holdfast__Config__Snapshot *s = conf->snapshot;
    if (s->min_ttl_ms > s->max_ttl_ms)
        conf_complain(conf, either_line(conf, "cache.min_ttl", "cache.max_ttl"),
                      "min_ttl is longer than max_ttl; write a min_ttl of at most max_ttl");
    if (s->nta_lifetime_ms > s->nta_max_lifetime_ms)
        conf_complain(conf, either_line(conf, "dnssec.nta.lifetime", "dnssec.nta.max_lifetime"),
                      "nta.lifetime is longer than nta.max_lifetime; write at most max_lifetime");
    if (!s->ipv4 && !s->ipv6)
        conf_complain(conf, either_line(conf, "resolve.ipv6", "resolve.ipv4"),
                      "ipv4 and ipv6 are both false, no server could be asked; switch one on");
    if (s->validate && s->n_trust_anchors == 0)
        conf_complain(conf, either_line(conf, "dnssec.trust_anchors", "dnssec.validate"),
                      "no trust anchor to validate from; write trust_anchors: builtin, or validate: false");
    check_zones(conf);
    check_sockets(conf);
    check_sources(conf);
    check_anchors(conf);
}
