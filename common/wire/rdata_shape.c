#include "common/wire/rdata_shape.h"

#define C SHAPE_COMPRESS
#define D SHAPE_DECOMPRESS
#define L SHAPE_LOWER
#define K SHAPE_CHECKED

/* Sorted by type. D also for the types of RFC 3597 4 that must still be decompressed (RP, AFSDB, RT, SIG, PX,
 * NXT, NAPTR, SRV), and leniently for DNAME and RRSIG, which some servers compressed; never for NSEC and
 * SVCB. */
// clang-format off
static const struct rdata_shape shapes[] = {
    {TYPE_A, K, "A", "a"},
    {TYPE_NS, C | D | L | K, "NS", "n"},
    {TYPE_MD, C | D | L, "MD", "n"},
    {TYPE_MF, C | D | L, "MF", "n"},
    {TYPE_CNAME, C | D | L | K, "CNAME", "n"},
    {TYPE_SOA, C | D | L | K, "SOA", "nn44444"},
    {TYPE_MB, C | D | L, "MB", "n"},
    {TYPE_MG, C | D | L, "MG", "n"},
    {TYPE_MR, C | D | L, "MR", "n"},
    {TYPE_NULL, 0, "NULL", "."},
    {TYPE_WKS, 0, "WKS", "aw"},
    {TYPE_PTR, C | D | L, "PTR", "n"},
    {TYPE_HINFO, 0, "HINFO", "ss"},
    {TYPE_MINFO, C | D | L, "MINFO", "nn"},
    {TYPE_MX, C | D | L, "MX", "2n"},
    {TYPE_TXT, 0, "TXT", "S"},
    {TYPE_RP, D | L, "RP", "nn"},
    {TYPE_AFSDB, D | L, "AFSDB", "2n"},
    {TYPE_X25, 0, "X25", "s"},
    {TYPE_ISDN, 0, "ISDN", "S"},
    {TYPE_RT, D | L, "RT", "2n"},
    {TYPE_NSAP, 0, "NSAP", "z"},
    {TYPE_SIG, D | L, "SIG", "t114DD2nb"},
    {TYPE_KEY, 0, "KEY", "211b"},
    {TYPE_PX, D | L, "PX", "2nn"},
    {TYPE_GPOS, 0, "GPOS", "sss"},
    {TYPE_AAAA, K, "AAAA", "A"},
    {TYPE_LOC, 0, "LOC", "L"},
    {TYPE_NXT, D | L, "NXT", "no"},
    {TYPE_SRV, D | L, "SRV", "222n"},
    {TYPE_NAPTR, D | L, "NAPTR", "22sssn"},
    {TYPE_KX, L, "KX", "2n"},
    {TYPE_CERT, 0, "CERT", "221b"},
    {TYPE_A6, L, "A6", "pN"},
    {TYPE_DNAME, D | L | K, "DNAME", "n"},
    {TYPE_OPT, 0, "OPT", "."},
    {TYPE_APL, 0, "APL", "P"},
    {TYPE_DS, K, "DS", "211x"},
    {TYPE_SSHFP, 0, "SSHFP", "11x"},
    {TYPE_IPSECKEY, 0, "IPSECKEY", "111gb"},
    {TYPE_RRSIG, D | L | K, "RRSIG", "t114DD2nb"},
    {TYPE_NSEC, K, "NSEC", "nm"},
    {TYPE_DNSKEY, K, "DNSKEY", "211b"},
    {TYPE_DHCID, 0, "DHCID", "b"},
    {TYPE_NSEC3, K, "NSEC3", "112hkm"},
    {TYPE_NSEC3PARAM, K, "NSEC3PARAM", "112h"},
    {TYPE_TLSA, 0, "TLSA", "111x"},
    {TYPE_SMIMEA, 0, "SMIMEA", "111x"},
    {TYPE_HIP, 0, "HIP", "H"},
    {TYPE_CDS, 0, "CDS", "211x"},
    {TYPE_CDNSKEY, 0, "CDNSKEY", "211b"},
    {TYPE_OPENPGPKEY, 0, "OPENPGPKEY", "b"},
    {TYPE_CSYNC, 0, "CSYNC", "42m"},
    {TYPE_ZONEMD, 0, "ZONEMD", "411x"},
    {TYPE_SVCB, 0, "SVCB", "2nv"},
    {TYPE_HTTPS, 0, "HTTPS", "2nv"},
    {TYPE_SPF, 0, "SPF", "S"},
    {TYPE_NID, 0, "NID", "2i"},
    {TYPE_L32, 0, "L32", "2a"},
    {TYPE_L64, 0, "L64", "2i"},
    {TYPE_LP, 0, "LP", "2n"},
    {TYPE_EUI48, 0, "EUI48", "e"},
    {TYPE_EUI64, 0, "EUI64", "E"},
    {TYPE_NXNAME, 0, "NXNAME", "."},
    {TYPE_TKEY, 0, "TKEY", "."},
    {TYPE_TSIG, 0, "TSIG", "."},
    {TYPE_IXFR, 0, "IXFR", "."},
    {TYPE_AXFR, 0, "AXFR", "."},
    {TYPE_MAILB, 0, "MAILB", "."},
    {TYPE_MAILA, 0, "MAILA", "."},
    {TYPE_ANY, 0, "ANY", "."},
    {TYPE_URI, 0, "URI", "22q"},
    {TYPE_CAA, 0, "CAA", "1cq"},
    {TYPE_DLV, 0, "DLV", "211x"},
};
// clang-format on

const struct rdata_shape *rdata_shapes(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(shapes);
    return shapes;
}

const struct rdata_shape *rdata_shape_find(uint16_t type)
{
    size_t low = 0, high = ARRAY_SIZE(shapes);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (shapes[middle].type == type)
            return &shapes[middle];
        if (shapes[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct rdata_walk rdata_walk_begin(const struct rdata_shape *shape, struct reader reader, bool pointers)
{
    return (struct rdata_walk){
        .reader = reader, .start = reader.at, .next = shape->fields, .pointers = pointers};
}

/* Windows in increasing order, 1 to 32 octets each, RFC 4034 4.1.2. An empty map is allowed: NSEC3 of an
 * empty non-terminal has one. */
static void skip_bitmap(struct reader *r)
{
    int last = -1;
    while (reader_left(r)) {
        uint8_t window = reader_u8(r), size = reader_u8(r);
        if (window <= last || size < 1 || size > 32)
            r->failed = true;
        reader_bytes(r, size);
        last = window;
    }
}

static size_t fixed_size(char code)
{
    switch (code) {
    case '1':
        return 1;
    case '2':
    case 't':
        return 2;
    case '4':
    case 'D':
    case 'a':
        return 4;
    case 'e':
        return 6;
    case 'E':
    case 'i':
        return 8;
    case 'A':
        return 16;
    default:
        return 0;
    }
}

bool rdata_walk_next(struct rdata_walk *walk, struct rdata_field *ret_field)
{
    struct reader *r = &walk->reader;
    if (!*walk->next || r->failed)
        return false;
    char code = *walk->next++;
    size_t begin = r->at, fixed = fixed_size(code);
    ret_field->code = code;
    ret_field->name_size = 0;
    if (fixed) {
        reader_bytes(r, fixed);
    } else {
        switch (code) {
        case 'n':
            ret_field->name_size = reader_name(r, walk->pointers, ret_field->name, &walk->compressed);
            break;
        case 's':
        case 'h':
            reader_bytes(r, reader_u8(r));
            break;
        case 'c':
        case 'k': /* not empty: RFC 8659 4.1, RFC 5155 3.1.7 */
            reader_bytes(r, reader_u8(r));
            if (r->at < begin + 2)
                r->failed = true;
            break;
        case 'S':
            do
                reader_bytes(r, reader_u8(r));
            while (reader_left(r));
            break;
        case 'm':
            skip_bitmap(r);
            break;
        case 'x':
        case 'z':
        case 'b':
        case 'q':
        case '.':
            reader_bytes(r, reader_left(r));
            break;
        case 'N':
            /* A6 with prefix length 0 has no name, RFC 2874 3.1. */
            if (r->data[walk->start])
                ret_field->name_size = reader_name(r, false, ret_field->name, NULL);
            break;
        default:
            rdata_skip_special(code, r, walk->start);
            break;
        }
    }
    ret_field->data = r->data + begin;
    ret_field->size = r->at - begin;
    return !r->failed;
}

bool rdata_walk_complete(const struct rdata_walk *walk)
{
    return !*walk->next && !walk->reader.failed && walk->reader.at == walk->reader.size;
}
