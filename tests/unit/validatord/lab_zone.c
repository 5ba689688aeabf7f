/* Zones of the little Internet: keys, signatures, and what their servers say. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/validatord/core/signature.h"
#include "common/wire/rdata.h"
#include "lab.h"

static void make_key(struct lab *lab, struct lab_key *key, uint16_t flags)
{
    uint8_t *data = arena_alloc(lab->arena, 36);
    size_t size = 32;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    assert_non_null(pkey);
    data[0] = (uint8_t)(flags >> 8);
    data[1] = (uint8_t)flags;
    data[2] = 3;
    data[3] = ALG_ED25519;
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, data + 4, &size), 1);
    key->pkey = pkey;
    key->dnskey = (struct rdata){.data = data, .size = 36};
    key->tag = dnskey_tag(&key->dnskey);
}

void lab_prepare_keys(struct lab *lab, struct lab_zone *zone)
{
    if (zone->denial == LAB_UNSIGNED)
        return;
    make_key(lab, &zone->key, zone->key_flags ? zone->key_flags : 257);
    if (zone->extra_key)
        make_key(lab, &zone->extra, 256);
    struct rrset set = {.owner = zone->name, .type = TYPE_DNSKEY, .class = CLASS_IN, .ttl = 3600, .count = 1};
    set.rdata = arena_array(lab->arena, 2, sizeof(*set.rdata));
    set.rdata[0] = zone->key.dnskey;
    if (zone->extra_key)
        set.rdata[set.count++] = zone->extra.dnskey;
    assert_int_equal(rrset_list_add(lab->arena, &zone->sets, &set), 0);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void lab_sign(struct lab *lab, const struct lab_zone *zone, struct rrset *rrset)
{
    uint8_t *data = arena_alloc(lab->arena, 18 + NAME_MAX + 64);
    size_t signer = name_size(zone->name), size = 64;
    struct rdata rdata = {.data = data, .size = (uint16_t)(18 + signer + 64)};
    struct slice to_sign;
    struct rrsig sig;

    data[0] = (uint8_t)(rrset->type >> 8);
    data[1] = (uint8_t)rrset->type;
    data[2] = ALG_ED25519;
    data[3] = (uint8_t)(name_labels(rrset->owner) - name_is_wildcard(rrset->owner));
    put_u32(data + 4, rrset->ttl);
    put_u32(data + 8, (uint32_t)(lab->env.wall.s + (zone->expiration ? zone->expiration : 864000)));
    put_u32(data + 12, (uint32_t)(lab->env.wall.s + (zone->inception ? zone->inception : -3600)));
    data[16] = (uint8_t)(zone->key.tag >> 8);
    data[17] = (uint8_t)zone->key.tag;
    memcpy(data + 18, zone->name, signer);
    assert_int_equal(rrsig_parse(&rdata, &sig), 0);
    assert_int_equal(signature_data(lab->arena, rrset, &sig, &rdata, &to_sign), 0);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, zone->key.pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, data + 18 + signer, &size, to_sign.data, to_sign.size), 1);
    EVP_MD_CTX_free(ctx);
    rrset->sig = arena_copy(lab->arena, &rdata, sizeof(rdata));
    rrset->sig_count = 1;
    rrset->sig_ttl = rrset->ttl;
}

static void put(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply, enum section section,
                const struct rrset *rrset, bool sign)
{
    struct rrset copy = *rrset;

    if (rrset_list_find(&reply->section[section], copy.owner, copy.type))
        return;
    if (sign && zone->denial != LAB_UNSIGNED)
        lab_sign(lab, zone, &copy);
    assert_int_equal(rrset_list_add(lab->arena, &reply->section[section], &copy), 0);
}

/* Is the name below or at a cut of this zone (other than its apex)? The cut's NS. */
static struct rrset *cut_above(const struct lab_zone *zone, const uint8_t *name)
{
    for (unsigned i = name_labels(zone->name) + 1; i <= name_labels(name); i++) {
        struct rrset *ns = rrset_list_find(&zone->sets, name_suffix(name, i), TYPE_NS);
        if (ns)
            return ns;
    }
    return NULL;
}

/* Names that have records of this zone (cuts count, glue does not), each once, in canonical order. */
static unsigned owners(const struct lab_zone *zone, const uint8_t **names, bool ents)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < zone->sets.count; i++) {
        const uint8_t *owner = zone->sets.items[i].owner;
        struct rrset *cut = cut_above(zone, owner);
        if (cut && !name_equal(cut->owner, owner))
            continue;
        for (const uint8_t *at = owner; name_is_under(at, zone->name); at = name_parent(at)) {
            bool known = false;
            for (unsigned j = 0; j < count; j++)
                known |= name_equal(names[j], at);
            if (!known)
                names[count++] = at;
            if (!ents || name_equal(at, zone->name))
                break;
        }
    }
    for (unsigned i = 1; i < count; i++)
        for (unsigned j = i; j > 0 && name_compare(names[j], names[j - 1]) < 0; j--) {
            const uint8_t *swap = names[j];
            names[j] = names[j - 1];
            names[j - 1] = swap;
        }
    return count;
}

static size_t bitmap(const struct lab_zone *zone, const uint8_t *name, bool nsec, uint8_t *ret)
{
    uint8_t bits[32] = {0};
    size_t length = 0;
    struct rrset *cut = cut_above(zone, name);
    bool any = false, signed_here = false;

    for (uint32_t i = 0; i < zone->sets.count; i++) {
        const struct rrset *set = &zone->sets.items[i];
        if (!name_equal(set->owner, name) || (cut && set->type != TYPE_NS && set->type != TYPE_DS))
            continue;
        bits[set->type / 8] |= (uint8_t)(0x80 >> set->type % 8);
        any = true;
        signed_here |= !(cut && set->type == TYPE_NS);
    }
    if (nsec)
        bits[TYPE_NSEC / 8] |= 0x80 >> TYPE_NSEC % 8;
    if (signed_here || nsec)
        bits[TYPE_RRSIG / 8] |= 0x80 >> TYPE_RRSIG % 8;
    for (size_t i = 0; i < sizeof(bits); i++)
        if (bits[i])
            length = i + 1;
    if (!any && !nsec)
        return 0; /* an empty non-terminal */
    ret[0] = 0;
    ret[1] = (uint8_t)length;
    memcpy(ret + 2, bits, length);
    return length + 2;
}

static void put_nsec(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply,
                     const uint8_t *name)
{
    const uint8_t *names[256];
    unsigned count = owners(zone, names, false), at = 0;
    uint8_t *data = arena_alloc(lab->arena, NAME_MAX + 64);

    for (unsigned i = 0; i < count; i++)
        if (name_compare(names[i], name) <= 0)
            at = i;
    const uint8_t *next = names[(at + 1) % count];
    size_t size = name_size(next);
    memcpy(data, next, size);
    size += bitmap(zone, names[at], true, data + size);
    struct rdata rdata = {.data = data, .size = (uint16_t)size};
    struct rrset set = {.owner = names[at], .type = TYPE_NSEC, .class = CLASS_IN, .ttl = 1800, .count = 1};
    set.rdata = arena_copy(lab->arena, &rdata, sizeof(rdata));
    put(lab, zone, reply, SECTION_AUTHORITY, &set, true);
}

static void hash_name(struct lab *lab, const struct lab_zone *zone, const uint8_t *name, uint8_t hash[20])
{
    assert_int_equal(lab->ops.nsec3_hash(lab->ops.ctx, name, 1, zone->iterations, (struct slice){0}, hash),
                     0);
}

static bool is_unsigned_cut(const struct lab_zone *zone, const uint8_t *name)
{
    return !name_equal(name, zone->name) && rrset_list_find(&zone->sets, name, TYPE_NS) &&
           !rrset_list_find(&zone->sets, name, TYPE_DS);
}

/* The NSEC3 record that matches or covers the name. */
static void put_nsec3(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply,
                      const uint8_t *name)
{
    const uint8_t *all[256], *names[256];
    uint8_t hashes[256][20], hash[20];
    unsigned total = owners(zone, all, true), count = 0, at = 0, next = 0;
    bool found = false, found_next = false;

    for (unsigned i = 0; i < total; i++)
        if (zone->denial != LAB_OPTOUT || !is_unsigned_cut(zone, all[i])) {
            hash_name(lab, zone, all[i], hashes[count]);
            names[count++] = all[i];
        }
    hash_name(lab, zone, name, hash);
    /* greatest hash <= it, else the greatest of all; and the one behind that */
    for (unsigned i = 0; i < count; i++)
        if (memcmp(hashes[i], hash, 20) <= 0 && (!found || memcmp(hashes[i], hashes[at], 20) > 0)) {
            at = i;
            found = true;
        }
    for (unsigned i = 0; i < count && !found; i++)
        if (memcmp(hashes[i], hashes[at], 20) > 0)
            at = i;
    for (unsigned i = 0; i < count; i++)
        if (memcmp(hashes[i], hashes[at], 20) > 0 &&
            (!found_next || memcmp(hashes[i], hashes[next], 20) < 0)) {
            next = i;
            found_next = true;
        }
    for (unsigned i = 0; i < count && !found_next; i++)
        if (memcmp(hashes[i], hashes[next], 20) < 0)
            next = i;

    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint8_t *owner = arena_alloc(lab->arena, NAME_MAX), *data = arena_alloc(lab->arena, 128);
    owner[0] = 32;
    for (unsigned i = 0; i < 32; i++) {
        unsigned bit = i * 5, byte = bit / 8;
        unsigned two = (unsigned)hashes[at][byte] << 8 | (byte + 1 < 20 ? hashes[at][byte + 1] : 0);
        owner[1 + i] = (uint8_t)digits[two >> (11 - bit % 8) & 31];
    }
    memcpy(owner + 33, zone->name, name_size(zone->name));
    data[0] = 1;
    data[1] = zone->denial == LAB_OPTOUT;
    data[2] = (uint8_t)(zone->iterations >> 8);
    data[3] = (uint8_t)zone->iterations;
    data[4] = 0;
    data[5] = 20;
    memcpy(data + 6, hashes[next], 20);
    size_t size = 26 + bitmap(zone, names[at], false, data + 26);
    struct rdata rdata = {.data = data, .size = (uint16_t)size};
    struct rrset set = {.owner = owner, .type = TYPE_NSEC3, .class = CLASS_IN, .ttl = 1800, .count = 1};
    set.rdata = arena_copy(lab->arena, &rdata, sizeof(rdata));
    put(lab, zone, reply, SECTION_AUTHORITY, &set, true);
}

static bool exists(const struct lab_zone *zone, const uint8_t *name)
{
    for (uint32_t i = 0; i < zone->sets.count; i++)
        if (name_is_under(zone->sets.items[i].owner, name))
            return true;
    return false;
}

static const uint8_t *encloser_of(const struct lab_zone *zone, const uint8_t *name)
{
    const uint8_t *at = name;

    while (!exists(zone, at))
        at = name_parent(at);
    return at;
}

static void put_soa(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply)
{
    put(lab, zone, reply, SECTION_AUTHORITY, rrset_list_find(&zone->sets, zone->name, TYPE_SOA), true);
}

/* Proof that the name is absent: its closer name, and with wildcard the wildcard there. */
static void put_absence(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply,
                        const uint8_t *name, bool wildcard)
{
    const uint8_t *encloser = encloser_of(zone, name);
    uint8_t star[NAME_MAX];

    assert_int_equal(name_make_wildcard(encloser, star), 0);
    if (zone->denial == LAB_NSEC) {
        put_nsec(lab, zone, reply, name);
        if (wildcard)
            put_nsec(lab, zone, reply, star);
    } else if (zone->denial != LAB_UNSIGNED) {
        put_nsec3(lab, zone, reply, encloser);
        put_nsec3(lab, zone, reply, name_suffix(name, name_labels(encloser) + 1));
        if (wildcard)
            put_nsec3(lab, zone, reply, star);
    }
}

static void put_match(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply,
                      const uint8_t *name)
{
    if (zone->denial == LAB_NSEC)
        put_nsec(lab, zone, reply, name);
    else if (zone->denial == LAB_OPTOUT && is_unsigned_cut(zone, name)) {
        put_nsec3(lab, zone, reply, encloser_of(zone, name_parent(name)));
        put_nsec3(lab, zone, reply, name);
    } else if (zone->denial != LAB_UNSIGNED)
        put_nsec3(lab, zone, reply, name);
}

static void refer(struct lab *lab, const struct lab_zone *zone, const struct rrset *ns,
                  struct lab_reply *reply)
{
    struct rrset *ds = rrset_list_find(&zone->sets, ns->owner, TYPE_DS);

    reply->referral = true;
    reply->flags &= (uint16_t)~FLAG_AA;
    put(lab, zone, reply, SECTION_AUTHORITY, ns, false);
    if (ds)
        put(lab, zone, reply, SECTION_AUTHORITY, ds, true);
    else
        put_match(lab, zone, reply, ns->owner);
    for (unsigned i = 0; i < ns->count; i++) {
        uint8_t name[NAME_MAX];
        assert_int_equal(name_from_bytes(ns->rdata[i].data, ns->rdata[i].size, name), 0);
        struct rrset *glue = rrset_list_find(&zone->sets, name, TYPE_A);
        if (glue)
            put(lab, zone, reply, SECTION_ADDITIONAL, glue, false);
    }
}

/* The RRset at the wildcard, under the name's own owner, with the wildcard's signature. */
static void put_expanded(struct lab *lab, const struct lab_zone *zone, struct lab_reply *reply,
                         const struct rrset *source, const uint8_t *name)
{
    struct rrset copy = *source;

    if (zone->denial != LAB_UNSIGNED)
        lab_sign(lab, zone, &copy);
    copy.owner = name;
    assert_int_equal(rrset_list_add(lab->arena, &reply->section[SECTION_ANSWER], &copy), 0);
    put_absence(lab, zone, reply, name, false);
}

static const uint8_t *target_of(struct lab *lab, const struct rrset *set)
{
    return arena_copy(lab->arena, set->rdata[0].data, set->rdata[0].size);
}

/* One name; *ret_next: where a CNAME or DNAME in the zone leads, else NULL. */
static void serve_name(struct lab *lab, const struct lab_zone *zone, const uint8_t *name, uint16_t qtype,
                       struct lab_reply *reply, const uint8_t **ret_next)
{
    uint8_t star[NAME_MAX], made[NAME_MAX];

    *ret_next = NULL;
    for (const uint8_t *at = name_parent(name); name_is_under(at, zone->name); at = name_parent(at)) {
        struct rrset *dname = rrset_list_find(&zone->sets, at, TYPE_DNAME);
        if (dname && !name_equal(at, name)) {
            put(lab, zone, reply, SECTION_ANSWER, dname, true);
            if (name_substitute(name, at, dname->rdata[0].data, made)) {
                reply->rcode = RCODE_YXDOMAIN;
                return;
            }
            struct rdata rdata = {.data = arena_copy(lab->arena, made, name_size(made)),
                                  .size = (uint16_t)name_size(made)};
            struct rrset cname = {
                .owner = name, .type = TYPE_CNAME, .class = CLASS_IN, .ttl = dname->ttl, .count = 1};
            cname.rdata = arena_copy(lab->arena, &rdata, sizeof(rdata));
            assert_int_equal(rrset_list_add(lab->arena, &reply->section[SECTION_ANSWER], &cname), 0);
            *ret_next = rdata.data;
            return;
        }
        if (name_is_root(at))
            break;
    }
    struct rrset *set = rrset_list_find(&zone->sets, name, qtype);
    struct rrset *cname = rrset_list_find(&zone->sets, name, TYPE_CNAME);
    for (uint32_t i = 0; qtype == TYPE_ANY && !set && i < zone->sets.count; i++)
        if (name_equal(zone->sets.items[i].owner, name))
            set = &zone->sets.items[i];
    if (set || (cname && qtype != TYPE_CNAME)) {
        put(lab, zone, reply, SECTION_ANSWER, set ? set : cname, true);
        *ret_next = set ? NULL : target_of(lab, cname);
        return;
    }
    if (exists(zone, name)) {
        put_soa(lab, zone, reply);
        put_match(lab, zone, reply, name);
        return;
    }
    const uint8_t *encloser = encloser_of(zone, name);
    assert_int_equal(name_make_wildcard(encloser, star), 0);
    set = rrset_list_find(&zone->sets, star, qtype);
    cname = rrset_list_find(&zone->sets, star, TYPE_CNAME);
    if (set || cname) {
        put_expanded(lab, zone, reply, set ? set : cname, name);
        *ret_next = set ? NULL : target_of(lab, cname);
        return;
    }
    put_soa(lab, zone, reply);
    if (exists(zone, star)) {
        put_absence(lab, zone, reply, name, false);
        put_match(lab, zone, reply, arena_copy(lab->arena, star, name_size(star)));
        return;
    }
    reply->rcode = RCODE_NXDOMAIN;
    put_absence(lab, zone, reply, name, true);
}

void lab_serve(struct lab *lab, const struct lab_zone *zone, const uint8_t *qname, uint16_t qtype,
               struct lab_reply *reply)
{
    const uint8_t *name = qname;

    *reply =
        (struct lab_reply){.cut = zone->name, .qname = qname, .qtype = qtype, .flags = FLAG_QR | FLAG_AA};
    for (unsigned steps = 0; name && steps < 8 && name_is_under(name, zone->name); steps++) {
        struct rrset *cut = cut_above(zone, name);
        if (cut && !(qtype == TYPE_DS && name_equal(cut->owner, name))) {
            if (steps == 0)
                refer(lab, zone, cut, reply);
            return;
        }
        serve_name(lab, zone, name, qtype, reply, &name);
    }
}
