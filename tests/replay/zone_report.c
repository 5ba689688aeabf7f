/* The Report-Channel option (RFC 9567) of a zone's servers: REPORT agent, or REPORT hex=BYTES for one that is
 * no name. */

#include "tests/replay/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_REPORT_CHANNEL 18u

static int complain(char *why, size_t room, const char *line)
{
    snprintf(why, room, "REPORT: neither a name nor hex=BYTES: %s", line);
    return 1;
}

static int read_hex(struct play_zone *zone, const char *text)
{
    for (; text[0] && text[1]; text += 2) {
        unsigned byte;
        if (zone->report_size == sizeof(zone->report) || sscanf(text, "%2x", &byte) != 1)
            return 1;
        zone->report[zone->report_size++] = (uint8_t)byte;
    }
    return *text != '\0';
}

int report_line(struct play_zone *zone, const char *line, char *why, size_t room)
{
    if (strncmp(line, "REPORT ", 7) != 0)
        return -1;
    const char *word = line + 7;
    zone->reports = true;
    zone->report_size = 0;
    if (strncmp(word, "hex=", 4) == 0)
        return read_hex(zone, word + 4) ? complain(why, room, line) : 0;
    ldns_rdf *name = ldns_dname_new_frm_str(word);
    if (!name || ldns_rdf_size(name) > sizeof(zone->report))
        return complain(why, room, line);
    zone->report_size = ldns_rdf_size(name);
    memcpy(zone->report, ldns_rdf_data(name), zone->report_size);
    ldns_rdf_deep_free(name);
    return 0;
}

void report_add(const struct play_zone *zone, ldns_pkt *pkt)
{
    uint8_t option[4 + sizeof(zone->report)];

    if (!zone || !zone->reports)
        return;
    option[0] = 0;
    option[1] = OPTION_REPORT_CHANNEL;
    option[2] = (uint8_t)(zone->report_size >> 8);
    option[3] = (uint8_t)zone->report_size;
    memcpy(option + 4, zone->report, zone->report_size);
    ldns_pkt_set_edns_data(pkt, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_UNKNOWN, 4 + zone->report_size, option));
}
