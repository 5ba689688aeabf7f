#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/authority.h"

enum {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_SOA = 6,
    TYPE_OPT = 41,
    TYPE_DS = 43,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_DNSKEY = 48,
    ALGORITHM = 13, /* P-256 with SHA-256 */
    PUBLIC = 64,
    SIGNATURE = 64,
    DNSKEY_SIZE = 4 + PUBLIC,
    NAME = 256,
    LABELS = 128,
    INCEPTION_S = 3600,
    EXPIRATION_S = 14 * 86400,
};

struct authority {
    EVP_PKEY *key;
    EVP_MD_CTX *context;
    uint8_t dnskey[DNSKEY_SIZE];
    uint16_t tag;
    uint8_t addresses[ROLES][4];
};

static const uint8_t root_name[] = "";
static const uint8_t tld_name[] = "\5bench";
static const uint8_t *const server_names[ROLES] = {(const uint8_t *)"\7ns-root\5bench",
                                                   (const uint8_t *)"\6ns-tld\5bench",
                                                   (const uint8_t *)"\10ns-child\5bench"};

static size_t name_size(const uint8_t *name)
{
    size_t at = 0;
    while (name[at])
        at += 1u + name[at];
    return at + 1;
}

static unsigned label_count(const uint8_t *name)
{
    unsigned n = 0;
    for (; *name; name += 1u + *name)
        n++;
    return n;
}

/* The last `keep` labels of a name. */
static const uint8_t *name_tail(const uint8_t *name, unsigned keep)
{
    for (unsigned n = label_count(name); n > keep; n--)
        name += 1u + *name;
    return name;
}

static bool name_equal(const uint8_t *a, const uint8_t *b)
{
    size_t size = name_size(a);
    return size == name_size(b) && memcmp(a, b, size) == 0;
}

static void put16(uint8_t **at, unsigned value)
{
    *(*at)++ = (uint8_t)(value >> 8);
    *(*at)++ = (uint8_t)value;
}

static void put32(uint8_t **at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at, value & 0xffff);
}

static void put_bytes(uint8_t **at, const void *data, size_t size)
{
    memcpy(*at, data, size);
    *at += size;
}

static uint16_t key_tag(const uint8_t *dnskey)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < DNSKEY_SIZE; i++)
        sum += i & 1 ? dnskey[i] : (uint32_t)dnskey[i] << 8;
    return (uint16_t)(sum + (sum >> 16));
}

struct authority *authority_new(const uint8_t addresses[ROLES][4])
{
    static const uint8_t head[4] = {1, 1, 3, ALGORITHM}; /* flags 257 */
    struct authority *authority = calloc(1, sizeof(*authority));
    uint8_t point[1 + PUBLIC];
    size_t size = 0;
    if (!authority)
        return NULL;
    authority->key = EVP_EC_gen("P-256");
    authority->context = EVP_MD_CTX_new();
    if (!authority->key || !authority->context ||
        EVP_PKEY_get_octet_string_param(authority->key, "pub", point, sizeof(point), &size) != 1 ||
        size != sizeof(point)) {
        EVP_MD_CTX_free(authority->context);
        EVP_PKEY_free(authority->key);
        free(authority);
        return NULL;
    }
    memcpy(authority->dnskey, head, sizeof(head));
    memcpy(authority->dnskey + sizeof(head), point + 1, PUBLIC);
    authority->tag = key_tag(authority->dnskey);
    memcpy(authority->addresses, addresses, sizeof(authority->addresses));
    return authority;
}

static void ds_rdata(const struct authority *authority, const uint8_t *zone, uint8_t ret_rdata[36])
{
    uint8_t input[NAME + DNSKEY_SIZE], *at = ret_rdata;
    size_t size = name_size(zone);
    memcpy(input, zone, size);
    memcpy(input + size, authority->dnskey, DNSKEY_SIZE);
    put16(&at, authority->tag);
    *at++ = ALGORITHM;
    *at++ = 2; /* SHA-256 */
    SHA256(input, size + DNSKEY_SIZE, at);
}

void authority_anchor(const struct authority *authority, char *ret_text, size_t room)
{
    uint8_t rdata[36];
    ds_rdata(authority, root_name, rdata);
    int at = snprintf(ret_text, room, ". 86400 IN DS %u %u 2 ", authority->tag, ALGORITHM);
    for (unsigned i = 4; i < sizeof(rdata); i++)
        at += snprintf(ret_text + at, room - (size_t)at, "%02x", rdata[i]);
    snprintf(ret_text + at, room - (size_t)at, "\n");
}

struct reply {
    struct authority *authority;
    uint8_t *start, *at;
    const uint8_t *zone;
    bool want_do;
    uint32_t now;
    unsigned counts[3];
};
enum { ANSWER = 0, AUTHORITY = 1, ADDITIONAL = 2 };

static void add_record(struct reply *r, unsigned section, const uint8_t *owner, unsigned type,
                       const uint8_t *rdata, size_t size)
{
    put_bytes(&r->at, owner, name_size(owner));
    put16(&r->at, type);
    put16(&r->at, 1);
    put32(&r->at, AUTHORITY_TTL);
    put16(&r->at, (unsigned)size);
    put_bytes(&r->at, rdata, size);
    r->counts[section]++;
}

/* Two integers of 32 octets each (RFC 6605 4) from OpenSSL's form. */
static bool sign(struct authority *authority, const uint8_t *data, size_t size,
                 uint8_t ret_signature[SIGNATURE])
{
    uint8_t der[80];
    const uint8_t *in = der;
    size_t der_size = sizeof(der);
    if (EVP_DigestSignInit(authority->context, NULL, EVP_sha256(), NULL, authority->key) != 1 ||
        EVP_DigestSign(authority->context, der, &der_size, data, size) != 1)
        return false;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &in, (long)der_size);
    bool ok = parts && BN_bn2binpad(ECDSA_SIG_get0_r(parts), ret_signature, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(parts), ret_signature + 32, 32) == 32;
    ECDSA_SIG_free(parts);
    return ok;
}

/* A record and, with DO, its RRSIG by the reply's zone (RFC 4034 3.1.8.1; all sets here have one record). */
static void add_signed(struct reply *r, unsigned section, const uint8_t *owner, unsigned type,
                       const uint8_t *rdata, size_t size)
{
    add_record(r, section, owner, type, rdata, size);
    if (!r->want_do)
        return;
    uint8_t data[1024], *at = data;
    put16(&at, type);
    *at++ = ALGORITHM;
    *at++ = (uint8_t)label_count(owner);
    put32(&at, AUTHORITY_TTL);
    put32(&at, r->now + EXPIRATION_S);
    put32(&at, r->now - INCEPTION_S);
    put16(&at, r->authority->tag);
    put_bytes(&at, r->zone, name_size(r->zone));
    size_t head = (size_t)(at - data);
    put_bytes(&at, owner, name_size(owner));
    put16(&at, type);
    put16(&at, 1);
    put32(&at, AUTHORITY_TTL);
    put16(&at, (unsigned)size);
    put_bytes(&at, rdata, size);
    uint8_t rrsig[NAME + 18 + SIGNATURE];
    memcpy(rrsig, data, head);
    if (!sign(r->authority, data, (size_t)(at - data), rrsig + head))
        abort();
    add_record(r, section, owner, TYPE_RRSIG, rrsig, head + SIGNATURE);
}

static void add_soa(struct reply *r, unsigned section)
{
    uint8_t rdata[2 * NAME], *at = rdata;
    put_bytes(&at, server_names[ROLE_TLD], name_size(server_names[ROLE_TLD]));
    put_bytes(&at, tld_name, name_size(tld_name));
    put32(&at, 1);
    put32(&at, 7200);
    put32(&at, 3600);
    put32(&at, 86400);
    put32(&at, 3600);
    add_signed(r, section, r->zone, TYPE_SOA, rdata, (size_t)(at - rdata));
}

static void set_bit(uint8_t *bits, unsigned type)
{
    bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
}

/* Not here: SOA, and an NSEC from the name to the one right behind it. */
static void add_nodata(struct reply *r, const uint8_t *name, const unsigned *types, unsigned count)
{
    uint8_t rdata[2 + NAME + 8], *at = rdata, bits[7] = {0};
    add_soa(r, AUTHORITY);
    if (!r->want_do || name_size(name) + 2 > 255)
        return;
    put16(&at, 0x0100); /* the label \000 */
    put_bytes(&at, name, name_size(name));
    for (unsigned i = 0; i < count; i++)
        set_bit(bits, types[i]);
    set_bit(bits, TYPE_RRSIG);
    set_bit(bits, TYPE_NSEC);
    *at++ = 0;
    *at++ = sizeof(bits);
    put_bytes(&at, bits, sizeof(bits));
    add_signed(r, AUTHORITY, name, TYPE_NSEC, rdata, (size_t)(at - rdata));
}

static void add_apex(struct reply *r, enum authority_role role, unsigned type)
{
    static const unsigned types[] = {TYPE_NS, TYPE_SOA, TYPE_DNSKEY};
    const uint8_t *server = server_names[role];
    if (type == TYPE_SOA) {
        add_soa(r, ANSWER);
    } else if (type == TYPE_NS) {
        add_signed(r, ANSWER, r->zone, TYPE_NS, server, name_size(server));
        add_record(r, ADDITIONAL, server, TYPE_A, r->authority->addresses[role], 4);
    } else if (type == TYPE_DNSKEY) {
        add_signed(r, ANSWER, r->zone, TYPE_DNSKEY, r->authority->dnskey, DNSKEY_SIZE);
    } else {
        add_nodata(r, r->zone, types, 3);
    }
}

static void add_cut(struct reply *r, enum authority_role below, const uint8_t *child, bool ds_asked)
{
    uint8_t rdata[36];
    ds_rdata(r->authority, child, rdata);
    if (ds_asked) {
        add_signed(r, ANSWER, child, TYPE_DS, rdata, sizeof(rdata));
        return;
    }
    r->start[2] &= (uint8_t)~4u; /* a referral is not authoritative */
    const uint8_t *server = server_names[below];
    add_record(r, AUTHORITY, child, TYPE_NS, server, name_size(server));
    if (r->want_do)
        add_signed(r, AUTHORITY, child, TYPE_DS, rdata, sizeof(rdata));
    add_record(r, ADDITIONAL, server, TYPE_A, r->authority->addresses[below], 4);
}

static void answer_root(struct reply *r, const uint8_t *name, unsigned type)
{
    r->zone = root_name;
    if (*name == 0)
        add_apex(r, ROLE_ROOT, type);
    else if (name_equal(name_tail(name, 1), tld_name))
        add_cut(r, ROLE_TLD, tld_name, type == TYPE_DS && name_equal(name, tld_name));
    else
        add_nodata(r, name, NULL, 0);
}

static void answer_tld(struct reply *r, const uint8_t *name, unsigned type)
{
    static const unsigned host_types[] = {TYPE_A};
    r->zone = tld_name;
    if (name_equal(name, tld_name)) {
        add_apex(r, ROLE_TLD, type);
        return;
    }
    const uint8_t *child = name_tail(name, 2);
    for (unsigned i = 0; i < ROLES; i++) {
        if (!name_equal(child, server_names[i]))
            continue;
        if (type == TYPE_A && name == child)
            add_signed(r, ANSWER, name, TYPE_A, r->authority->addresses[i], 4);
        else
            add_nodata(r, name, host_types, name == child ? 1 : 0);
        return;
    }
    add_cut(r, ROLE_CHILD, child, type == TYPE_DS && name == child);
}

static void answer_child(struct reply *r, const uint8_t *name, unsigned type)
{
    static const unsigned types[] = {TYPE_A};
    r->zone = name_tail(name, 2);
    if (name == r->zone && type != TYPE_A) {
        add_apex(r, ROLE_CHILD, type);
        return;
    }
    if (type != TYPE_A) {
        add_nodata(r, name, types, 1);
        return;
    }
    uint8_t address[4] = {20, 0, 0, 1};
    for (const uint8_t *p = name; *p; p++)
        address[1 + (p - name) % 3] = (uint8_t)(address[1 + (p - name) % 3] * 31 + *p);
    add_signed(r, ANSWER, name, TYPE_A, address, sizeof(address));
}

/* The question's name in lower case. false: malformed. */
static bool read_name(const uint8_t *query, size_t size, uint8_t ret_name[NAME], size_t *ret_end)
{
    size_t at = 12, out = 0;
    for (;;) {
        if (at >= size || query[at] > 63 || out + query[at] + 2u > 255 || at + query[at] + 1u > size)
            return false;
        uint8_t label = query[at];
        ret_name[out++] = label;
        for (unsigned i = 1; i <= label; i++) {
            uint8_t octet = query[at + i];
            ret_name[out++] = (uint8_t)(octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet);
        }
        at += 1u + label;
        if (label == 0)
            break;
    }
    *ret_end = at;
    return at + 4 <= size;
}

size_t authority_answer(struct authority *authority, enum authority_role role, const uint8_t *query,
                        size_t size, uint32_t now, uint8_t *reply)
{
    uint8_t name[NAME];
    size_t end;
    if (size < 12 || (query[2] & 0x80) != 0 || query[5] != 1 || !read_name(query, size, name, &end))
        return 0;
    unsigned type = (unsigned)query[end] << 8 | query[end + 1];
    const uint8_t *opt = query + end + 4;
    bool edns = size >= end + 4 + 11 && query[11] == 1 && opt[0] == 0 && opt[2] == TYPE_OPT;
    struct reply r = {.authority = authority,
                      .start = reply,
                      .at = reply,
                      .now = now,
                      .want_do = edns && (opt[7] & 0x80) != 0};
    put_bytes(&r.at, query, end + 4);
    reply[2] = (uint8_t)((query[2] & 1) | 0x84); /* QR, AA */
    reply[3] = 0;
    if (role == ROLE_ROOT)
        answer_root(&r, name, type);
    else if (name_equal(name_tail(name, 1), tld_name) && (role == ROLE_TLD || label_count(name) >= 2))
        (role == ROLE_TLD ? answer_tld : answer_child)(&r, name, type);
    else
        reply[3] = 5; /* REFUSED: lame */
    if (edns) {
        *r.at++ = 0;
        put16(&r.at, TYPE_OPT);
        put16(&r.at, AUTHORITY_REPLY_MAX);
        put32(&r.at, r.want_do ? 0x8000 : 0);
        put16(&r.at, 0);
        r.counts[ADDITIONAL]++;
    }
    uint8_t *counts = reply + 6;
    for (unsigned i = 0; i < 3; i++)
        put16(&counts, r.counts[i]);
    return (size_t)(r.at - reply);
}
