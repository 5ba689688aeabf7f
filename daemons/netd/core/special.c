/* Names that are answered here and never asked of the Internet: RFC 6761 (localhost, invalid, test), 7686
 * (onion), 8375 (home.arpa), 6762 (local), 9462 (resolver.arpa), and the locally served zones of RFC 6303,
 * 7793 and their registry.
 *
 * An answer is not authenticated (AD 0): nothing signs it. DS at such a zone's apex is the parent's to
 * answer, so that validators behind us see the insecure delegation that IANA published. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

#define SPECIAL_TTL_S      10800u /* RFC 6303 3: SOA with TTL 10800 as BIND's and Unbound's built-in zones */
#define SPECIAL_NAME_BYTES 75u    /* the longest, ::1 in ip6.arpa, has 74 octets */

enum special_kind {
    SPECIAL_EMPTY = 1,     /* SOA and NS at the apex, nothing below */
    SPECIAL_LOCALHOST = 2, /* the loopback addresses, at every depth (RFC 6761 6.3) */
    SPECIAL_LOOPBACK4 = 3, /* 127.in-addr.arpa: PTR of 127.0.0.1 */
    SPECIAL_LOOPBACK6 = 4, /* ::1: PTR at the apex */
    SPECIAL_ABSENT = 5,    /* NXDOMAIN at the apex too (RFC 6761 6.2, 6.4, RFC 7686 2) */
};

struct special_zone {
    uint8_t kind, size;
    char name[SPECIAL_NAME_BYTES]; /* wire form; the string's own NUL is the root label */
};

// clang-format off
#define ZONE(kind, literal) {kind, sizeof(literal), literal}
#define IN_ADDR    "\7in-addr\4arpa"
#define IP6        "\3ip6\4arpa"
#define NIBBLE(x)  "\1" x
#define ZEROS7     NIBBLE("0") NIBBLE("0") NIBBLE("0") NIBBLE("0") NIBBLE("0") NIBBLE("0") NIBBLE("0")
#define ZEROS31    ZEROS7 ZEROS7 ZEROS7 ZEROS7 NIBBLE("0") NIBBLE("0") NIBBLE("0")

static const struct special_zone zones[] = {
    ZONE(SPECIAL_LOCALHOST, "\11localhost"),
    ZONE(SPECIAL_ABSENT, "\7invalid"),
    ZONE(SPECIAL_ABSENT, "\4test"),
    ZONE(SPECIAL_ABSENT, "\5onion"),
    ZONE(SPECIAL_ABSENT, "\5local"),
    ZONE(SPECIAL_EMPTY, "\4home\4arpa"),
    ZONE(SPECIAL_EMPTY, "\10resolver\4arpa"),
    ZONE(SPECIAL_EMPTY, "\7service\4arpa"),
    ZONE(SPECIAL_EMPTY, "\1" "0" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\2" "10" IN_ADDR),
    ZONE(SPECIAL_LOOPBACK4, "\3" "127" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\3" "254\3" "169" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\3" "168\3" "192" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\1" "2\1" "0\3" "192" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\3" "100\2" "51\3" "198" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\3" "113\1" "0\3" "203" IN_ADDR),
    ZONE(SPECIAL_EMPTY, "\3" "255\3" "255\3" "255\3" "255" IN_ADDR),
    ZONE(SPECIAL_EMPTY, NIBBLE("0") ZEROS31 IP6),
    ZONE(SPECIAL_LOOPBACK6, NIBBLE("1") ZEROS31 IP6),
    ZONE(SPECIAL_EMPTY, NIBBLE("d") NIBBLE("f") IP6),
    ZONE(SPECIAL_EMPTY, NIBBLE("8") NIBBLE("e") NIBBLE("f") IP6),
    ZONE(SPECIAL_EMPTY, NIBBLE("9") NIBBLE("e") NIBBLE("f") IP6),
    ZONE(SPECIAL_EMPTY, NIBBLE("a") NIBBLE("e") NIBBLE("f") IP6),
    ZONE(SPECIAL_EMPTY, NIBBLE("b") NIBBLE("e") NIBBLE("f") IP6),
    ZONE(SPECIAL_EMPTY, NIBBLE("8") NIBBLE("b") NIBBLE("d") NIBBLE("0") NIBBLE("1") NIBBLE("0") NIBBLE("0")
                        NIBBLE("2") IP6),
};
// clang-format on

static const uint8_t *zone_name(const struct special_zone *zone)
{
    return (const uint8_t *)zone->name;
}

/* The cheap question first, since every name passes here: is the top label one of those above? */
static bool top_label_is_special(const uint8_t *name)
{
    const uint8_t *label = name, *last = name;
    for (; *label; label += 1 + *label)
        last = label;
    switch (last[0]) {
    case 4:
        return memcmp(last + 1, "arpa", 4) == 0 || memcmp(last + 1, "test", 4) == 0;
    case 5:
        return memcmp(last + 1, "onion", 5) == 0 || memcmp(last + 1, "local", 5) == 0;
    case 7:
        return memcmp(last + 1, "invalid", 7) == 0;
    case 9:
        return memcmp(last + 1, "localhost", 9) == 0;
    default:
        return false;
    }
}

/* A label that is a decimal number without leading zero; -1: it is none. */
static int decimal_label(const uint8_t *label)
{
    int value = 0;
    if (label[0] == 0 || label[0] > 3 || (label[1] == '0' && label[0] > 1))
        return -1;
    for (unsigned i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9')
            return -1;
        value = value * 10 + (label[i] - '0');
    }
    return value;
}

/* 16.172 to 31.172 (RFC 1918) and 64.100 to 127.100 (RFC 7793): the zone is the suffix of four labels. */
static const uint8_t *range_zone(const uint8_t *name)
{
    unsigned labels = name_labels(name);
    if (labels < 4)
        return NULL;
    const uint8_t *zone = name_suffix(name, 4), *second = zone + 1 + zone[0];
    if (memcmp(name_parent(second), IN_ADDR, sizeof(IN_ADDR)) != 0)
        return NULL;
    int high = decimal_label(second), low = decimal_label(zone);
    bool in_range = (high == 172 && low >= 16 && low <= 31) || (high == 100 && low >= 64 && low <= 127);
    return in_range ? zone : NULL;
}

static enum special_kind find_zone(const uint8_t *name, const uint8_t **ret_zone)
{
    size_t size = name_size(name);
    for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
        /* The bytes first, which nearly always differ at once; then whether they begin at a label. */
        if (zones[i].size <= size && memcmp(name + size - zones[i].size, zones[i].name, zones[i].size) == 0 &&
            name_is_under(name, zone_name(&zones[i]))) {
            *ret_zone = zone_name(&zones[i]);
            return (enum special_kind)zones[i].kind;
        }
    }
    *ret_zone = range_zone(name);
    return *ret_zone ? SPECIAL_EMPTY : 0;
}

/* The operator's own servers for a zone at or below a special one win (a company's 10.in-addr.arpa). */
static bool exempted(const struct netd_config *config, const uint8_t *name, const uint8_t *zone)
{
    for (size_t i = 0; i < config->exempt_count; i++) {
        if (name_is_under(config->exempt[i], zone) && name_is_under(name, config->exempt[i]))
            return true;
    }
    return false;
}

static bool above_exempted(const struct netd_config *config, const uint8_t *name)
{
    for (size_t i = 0; i < config->exempt_count; i++) {
        if (name_is_under(config->exempt[i], name))
            return true;
    }
    return false;
}

// clang-format off
static const uint8_t localhost_name[] = "\11localhost";
static const uint8_t loopback4[4] = {127, 0, 0, 1};
static const uint8_t loopback6[16] = {[15] = 1};
static const uint8_t loopback4_owner[] = "\1" "1\1" "0\1" "0\3" "127" IN_ADDR;
/* "localhost. nobody.invalid. 1 3600 1200 604800 10800": RFC 6303 3 */
static const uint8_t soa_rdata[] = "\11localhost\0" "\6nobody\7invalid\0"
                                   "\0\0\0\1" "\0\0\16\20" "\0\0\4\260" "\0\11\72\200" "\0\0\52\60";
// clang-format on

static bool add(struct arena *arena, struct rrset_list *list, const uint8_t *owner, uint16_t type,
                const void *data, size_t size)
{
    struct rdata *rdata = ARENA_NEW(arena, struct rdata);
    if (!rdata)
        return false;
    *rdata = (struct rdata){.data = data, .size = (uint16_t)size};
    struct rrset set = {.owner = owner,
                        .type = type,
                        .class = CLASS_IN,
                        .ttl = SPECIAL_TTL_S,
                        .count = 1,
                        .rdata = rdata,
                        .rank = RANK_ANSWER,
                        .security = SECURITY_INSECURE};
    return rrset_list_add(arena, list, &set) == 0;
}

/* The record a special name has for the type, besides SOA and NS. */
static bool add_data(struct arena *arena, enum special_kind kind, const uint8_t *zone, const uint8_t *name,
                     uint16_t type, struct rrset_list *list)
{
    switch (kind) {
    case SPECIAL_LOCALHOST:
        if (type == TYPE_A)
            return add(arena, list, name, TYPE_A, loopback4, sizeof(loopback4));
        return type == TYPE_AAAA && add(arena, list, name, TYPE_AAAA, loopback6, sizeof(loopback6));
    case SPECIAL_LOOPBACK4:
        return type == TYPE_PTR && name_equal(name, loopback4_owner) &&
               add(arena, list, name, TYPE_PTR, localhost_name, sizeof(localhost_name));
    case SPECIAL_LOOPBACK6:
        return type == TYPE_PTR && name_equal(name, zone) &&
               add(arena, list, name, TYPE_PTR, localhost_name, sizeof(localhost_name));
    default:
        return false;
    }
}

/* Does the name exist, whatever its types? */
static bool exists(const struct netd_config *config, enum special_kind kind, const uint8_t *zone,
                   const uint8_t *name)
{
    return (name_equal(name, zone) && kind != SPECIAL_ABSENT) || kind == SPECIAL_LOCALHOST ||
           (kind == SPECIAL_LOOPBACK4 && name_is_under(loopback4_owner, name)) ||
           above_exempted(config, name);
}

bool special_answer(const struct netd_config *config, struct arena *arena,
                    const struct netd_question *question, struct answer *ret_answer)
{
    const uint8_t *name = question->qname, *zone;
    if (!top_label_is_special(name))
        return false;
    enum special_kind kind = find_zone(name, &zone);
    if (kind == 0 || exempted(config, name, zone) || (question->qtype == TYPE_DS && name_equal(name, zone)))
        return false;

    struct answer answer = {.rcode = RCODE_NOERROR, .security = SECURITY_INSECURE, .ttl = SPECIAL_TTL_S};
    bool apex = name_equal(name, zone) && kind != SPECIAL_ABSENT;
    uint16_t type = question->ask_type;
    bool has = add_data(arena, kind, zone, name, type, &answer.answer);
    if (!has && apex && (question->qtype == TYPE_SOA || question->qtype == TYPE_ANY))
        has = add(arena, &answer.answer, zone, TYPE_SOA, soa_rdata, sizeof(soa_rdata) - 1);
    if (!has && apex && question->qtype == TYPE_NS)
        has = add(arena, &answer.answer, zone, TYPE_NS, localhost_name, sizeof(localhost_name));
    if (!has) {
        answer.negative = true;
        answer.rcode = exists(config, kind, zone, name) ? RCODE_NOERROR : RCODE_NXDOMAIN;
        add(arena, &answer.authority, zone, TYPE_SOA, soa_rdata, sizeof(soa_rdata) - 1);
    }
    *ret_answer = answer;
    return true;
}
