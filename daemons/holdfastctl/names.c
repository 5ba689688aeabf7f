/* Names and durations from the command line. */

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

int ctl_name(struct ctl *ctl, const char *text, uint8_t ret_name[255], size_t *ret_size)
{
    char *ascii = NULL;
    bool foreign = false;
    for (const char *c = text; *c; c++)
        foreign |= (unsigned char)*c >= 0x80;
    if (foreign) {
        int r = idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
        if (r != IDN2_OK)
            return ctl_fail(ctl, CTL_USAGE, "\"%s\" is no international domain name: %s", text,
                            idn2_strerror(r));
    }
    int r = text[0] == '\0' ? 1 : name_from_text(ascii ? ascii : text, ret_name);
    idn2_free(ascii);
    if (r != 0)
        return ctl_fail(ctl, CTL_USAGE,
                        "\"%s\" is no domain name (labels of 1 to 63 characters, 255 octets in all)", text);
    *ret_size = name_size(ret_name);
    return CTL_OK;
}

int ctl_reverse_name(const char *text, char buf[80])
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1) {
        snprintf(buf, 80, "%u.%u.%u.%u.in-addr.arpa.", bytes[3], bytes[2], bytes[1], bytes[0]);
        return 0;
    }
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return 1;
    for (size_t i = 0; i < 16; i++)
        snprintf(buf + 4 * i, 5, "%x.%x.", bytes[15 - i] & 15, bytes[15 - i] >> 4);
    memcpy(buf + 64, "ip6.arpa.", sizeof("ip6.arpa."));
    return 0;
}

int ctl_duration(struct ctl *ctl, const char *text, uint64_t *ret_ms)
{
    static const struct {
        char name[4];
        uint64_t ms;
    } units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (text[0] >= '0' && text[0] <= '9' && strcmp(end, units[i].name) == 0 && number > 0 &&
            number < 1000000) {
            *ret_ms = number * units[i].ms;
            return CTL_OK;
        }
    return ctl_fail(ctl, CTL_USAGE, "\"%s\" is no time; say for example 30m, 1h or 1d", text);
}
