/* The protocol's numbers under their names. */

#include <string.h>

#include "common/base/text.h"
#include "common/wire/rdata_shape.h"

/* Fixed arrays in the entries, not pointers: a table of pointers would be writable data until it is
 * relocated. */
struct number_name {
    uint16_t number;
    char name[28];
};

// clang-format off
static const struct number_name rcodes[] = {
    {0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"}, {4, "NOTIMP"}, {5, "REFUSED"},
    {6, "YXDOMAIN"}, {7, "YXRRSET"}, {8, "NXRRSET"}, {9, "NOTAUTH"}, {10, "NOTZONE"}, {11, "DSOTYPENI"},
    {16, "BADVERS"}, {17, "BADKEY"}, {18, "BADTIME"}, {19, "BADMODE"}, {20, "BADNAME"}, {21, "BADALG"},
    {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

static const struct number_name algorithms[] = {
    {0, "DELETE"}, {1, "RSAMD5"}, {2, "DH"}, {3, "DSA"}, {5, "RSASHA1"}, {6, "DSA-NSEC3-SHA1"},
    {7, "RSASHA1-NSEC3-SHA1"}, {8, "RSASHA256"}, {10, "RSASHA512"}, {12, "ECC-GOST"}, {13, "ECDSAP256SHA256"},
    {14, "ECDSAP384SHA384"}, {15, "ED25519"}, {16, "ED448"}, {17, "SM2SM3"}, {23, "ECC-GOST12"},
    {252, "INDIRECT"}, {253, "PRIVATEDNS"}, {254, "PRIVATEOID"},
};

static const struct { uint16_t number; char name[36]; } errors[] = {
    {EDE_OTHER, "Other Error"},
    {EDE_UNSUPPORTED_DNSKEY_ALGORITHM, "Unsupported DNSKEY Algorithm"},
    {EDE_UNSUPPORTED_DS_DIGEST, "Unsupported DS Digest Type"},
    {EDE_STALE_ANSWER, "Stale Answer"},
    {EDE_FORGED_ANSWER, "Forged Answer"},
    {EDE_DNSSEC_INDETERMINATE, "DNSSEC Indeterminate"},
    {EDE_DNSSEC_BOGUS, "DNSSEC Bogus"},
    {EDE_SIGNATURE_EXPIRED, "Signature Expired"},
    {EDE_SIGNATURE_NOT_YET_VALID, "Signature Not Yet Valid"},
    {EDE_DNSKEY_MISSING, "DNSKEY Missing"},
    {EDE_RRSIGS_MISSING, "RRSIGs Missing"},
    {EDE_NO_ZONE_KEY_BIT, "No Zone Key Bit Set"},
    {EDE_NSEC_MISSING, "NSEC Missing"},
    {EDE_CACHED_ERROR, "Cached Error"},
    {EDE_NOT_READY, "Not Ready"},
    {EDE_BLOCKED, "Blocked"},
    {EDE_CENSORED, "Censored"},
    {EDE_FILTERED, "Filtered"},
    {EDE_PROHIBITED, "Prohibited"},
    {EDE_STALE_NXDOMAIN, "Stale NXDomain Answer"},
    {EDE_NOT_AUTHORITATIVE, "Not Authoritative"},
    {EDE_NOT_SUPPORTED, "Not Supported"},
    {EDE_NO_REACHABLE_AUTHORITY, "No Reachable Authority"},
    {EDE_NETWORK_ERROR, "Network Error"},
    {EDE_INVALID_DATA, "Invalid Data"},
    {EDE_SIGNATURE_EXPIRED_BEFORE_VALID, "Signature Expired before Valid"},
    {EDE_TOO_EARLY, "Too Early"},
    {EDE_UNSUPPORTED_NSEC3_ITERATIONS, "Unsupported NSEC3 Iterations Value"},
    {EDE_POLICY, "Unable to conform to policy"},
    {EDE_SYNTHESIZED, "Synthesized"},
    {EDE_INVALID_QUERY_TYPE, "Invalid Query Type"},
    {EDE_RATE_LIMITED, "Rate Limited"},
    {EDE_OVER_QUOTA, "Over Quota"},
    {EDE_NEGATIVE_TRUST_ANCHOR, "Negative Trust Anchor"},
};
// clang-format on

static const char *name_or_number(const struct number_name *table, size_t count, unsigned number,
                                  const char *prefix, char *buf, size_t room)
{
    struct text text = text_make(buf, room);
    for (size_t i = 0; i < count; i++) {
        if (table[i].number == number) {
            text_add(&text, table[i].name);
            return buf;
        }
    }
    text_add(&text, prefix);
    text_add_uint(&text, number);
    return buf;
}

const char *rrtype_to_text(uint16_t type, char buf[16])
{
    struct text text = text_make(buf, 16);
    const struct rdata_shape *shape = rdata_shape_find(type);
    text_add(&text, shape ? shape->name : "TYPE");
    if (!shape)
        text_add_uint(&text, type);
    return buf;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 0x20) : c;
}

static bool same_word(const char *text, const char *word)
{
    for (; *word; text++, word++)
        if (upper(*text) != *word)
            return false;
    return !*text;
}

int rrtype_from_text(const char *text, uint16_t *ret_type)
{
    size_t count;
    const struct rdata_shape *shapes = rdata_shapes(&count);
    for (size_t i = 0; i < count; i++) {
        if (same_word(text, shapes[i].name)) {
            *ret_type = shapes[i].type;
            return 0;
        }
    }
    for (const char *prefix = "TYPE"; *prefix; prefix++)
        if (upper(*text++) != *prefix)
            return 1;
    uint32_t number = 0;
    if (!*text)
        return 1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 1;
        number = number * 10 + (uint32_t)(*text - '0');
        if (number > UINT16_MAX)
            return 1;
    }
    *ret_type = (uint16_t)number;
    return 0;
}

const char *rcode_to_text(uint16_t rcode, char buf[16])
{
    return name_or_number(rcodes, ARRAY_SIZE(rcodes), rcode, "RCODE", buf, 16);
}

const char *ede_to_text(uint16_t code)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].number == code)
            return errors[i].name;
    return "";
}

const char *algorithm_to_text(uint8_t algorithm, char buf[24])
{
    return name_or_number(algorithms, ARRAY_SIZE(algorithms), algorithm, "ALG", buf, 24);
}
