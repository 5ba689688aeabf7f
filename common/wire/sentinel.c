#include "common/wire/sentinel.h"

#include <string.h>

#include "common/wire/dns.h"

#define TAG_DIGITS 5u /* RFC 8509 2.1: exactly, zero-padded */

static bool label_is(const uint8_t *qname, const char *prefix, uint16_t *ret_tag)
{
    size_t size = strlen(prefix);
    uint32_t tag = 0;

    if (qname[0] != size + TAG_DIGITS || memcmp(qname + 1, prefix, size) != 0)
        return false;
    for (unsigned i = 0; i < TAG_DIGITS; i++) {
        uint8_t c = qname[1 + size + i];
        if (c < '0' || c > '9')
            return false;
        tag = tag * 10 + (uint32_t)(c - '0');
    }
    if (tag > UINT16_MAX)
        return false;
    *ret_tag = (uint16_t)tag;
    return true;
}

bool sentinel_parse(const uint8_t *qname, uint16_t qtype, bool *ret_is_ta, uint16_t *ret_tag)
{
    if (qtype != TYPE_A && qtype != TYPE_AAAA)
        return false;
    *ret_is_ta = label_is(qname, "root-key-sentinel-is-ta-", ret_tag);
    return *ret_is_ta || label_is(qname, "root-key-sentinel-not-ta-", ret_tag);
}
