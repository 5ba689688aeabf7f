/* Writes the seed corpora: make_seeds DIRECTORY makes DIRECTORY/fuzz_<target>/<seed>. Run by hand when a
 * format changes (fuzz/seeds.sh); what it writes is committed. Made with the project's own encoders, so that
 * a seed is valid to the last octet: checksums, frames, compression. */

#include <errno.h>
#include <sys/stat.h>

#include <ldns/ldns.h>

#include "common/wire/answer.h"
#include "common/cache/entry_codec.h"
#include "common/wire/build.h"
#include "daemons/validatord/core/incident.h"
#include "fuzz/fuzz.h"
#include "fuzz/make_seeds.h"
#include "tests/unit/wire/rdata_samples.h"

void seed_write(const char *directory, const char *target, const char *name, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, target);
    CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
    snprintf(path, sizeof(path), "%s/%s/%s", directory, target, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

const uint8_t *seed_name(struct arena *arena, const char *text)
{
    uint8_t name[NAME_MAX];
    CHECK(name_from_text(text, name) == 0);
    return arena_copy(arena, name, name_size(name));
}

/* Records from zone text, gathered by the parser under test from a message of ldns. */
void seed_rrsets(struct arena *arena, const char *const *lines, struct rrset_list *ret_list)
{
    ldns_pkt *packet =
        ldns_pkt_query_new(ldns_dname_new_frm_str("."), LDNS_RR_TYPE_NS, LDNS_RR_CLASS_IN, LDNS_QR);
    for (; *lines; lines++) {
        ldns_rr *rr;
        CHECK(ldns_rr_new_frm_str(&rr, *lines, 0, NULL, NULL) == LDNS_STATUS_OK);
        ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, rr);
    }
    uint8_t *wire;
    size_t size;
    struct message m;
    CHECK(ldns_pkt2wire(&wire, packet, &size) == LDNS_STATUS_OK);
    uint8_t *kept = arena_copy(arena, wire, size);
    CHECK(message_parse(arena, kept, size, &m) == MESSAGE_OK);
    CHECK(message_rrsets(arena, &m, SECTION_ANSWER, 1000, ret_list) == 0);
    free(wire);
    ldns_pkt_free(packet);
}

/* clang-format off */
static const char *const answer_lines[] = {
    "www.example.com. 300 IN CNAME Web.Example.com.",
    "www.example.com. 300 IN RRSIG CNAME 13 3 300 20300101000000 20200101000000 12345 example.com. AQIDBAUGBwg=",
    "web.example.com. 60 IN A 192.0.2.1", "web.example.com. 60 IN A 192.0.2.2",
    "web.example.com. 60 IN RRSIG A 13 3 60 20300101000000 20200101000000 12345 example.com. AQIDBAUGBwg=", NULL};
static const char *const referral_lines[] = {
    "example.com. 3600 IN NS ns1.example.com.", "example.com. 3600 IN NS ns2.example.net.",
    "example.com. 3600 IN DS 12345 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D", NULL};
static const char *const glue_lines[] = {
    "ns1.example.com. 3600 IN A 192.0.2.53", "ns1.example.com. 3600 IN AAAA 2001:db8::53", NULL};
static const char *const denial_lines[] = {
    "example.com. 900 IN SOA ns1.example.com. host.example.com. 1 7200 3600 1209600 300",
    "example.com. 900 IN RRSIG SOA 13 2 900 20300101000000 20200101000000 12345 example.com. AQIDBAUGBwg=",
    "a.example.com. 300 IN NSEC z.example.com. A MX RRSIG NSEC TYPE1234",
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.com. 300 IN NSEC3 1 1 0 - 3t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG",
    NULL};
/* clang-format on */

size_t seed_message(struct arena *arena, enum seed_kind kind, uint8_t wire[SEED_MESSAGE_MAX])
{
    struct builder b;
    struct rrset_list answer = {0}, authority = {0}, additional = {0};
    struct edns_reply opt = {.payload_size = 1232, .flags = EDNS_FLAG_DO, .keepalive_ds = -1};
    uint16_t flags = FLAG_QR | FLAG_AA;
    if (kind == SEED_QUERY)
        flags = FLAG_RD;
    if (kind == SEED_ANSWER)
        seed_rrsets(arena, answer_lines, &answer);
    if (kind == SEED_REFERRAL) {
        flags = FLAG_QR;
        seed_rrsets(arena, referral_lines, &authority);
        seed_rrsets(arena, glue_lines, &additional);
    }
    if (kind == SEED_NXDOMAIN) {
        flags |= RCODE_NXDOMAIN;
        seed_rrsets(arena, denial_lines, &authority);
    }
    if (kind == SEED_OPTIONS) {
        opt.cookie = slice_make("0123456789abcdef", 16);
        opt.keepalive_ds = 100;
        opt.padding_block = 128;
        opt.ede_count = 2;
        opt.ede[0] = (struct edns_ede){EDE_DNSSEC_BOGUS, 5, "bogus"};
        opt.ede[1] = (struct edns_ede){EDE_STALE_ANSWER, 0, ""};
        opt.raw = slice_make("\0\16\0\2\117\146\0\22\0\3\1a\0", 13);
    }
    build_begin(&b, wire, SEED_MESSAGE_MAX, 0x1234, flags);
    build_question(&b, seed_name(arena, "www.example.com."), TYPE_A, CLASS_IN);
    for (uint32_t i = 0; i < answer.count; i++)
        CHECK(build_rrset(&b, SECTION_ANSWER, &answer.items[i], answer.items[i].ttl, true, 0) == 0);
    for (uint32_t i = 0; i < authority.count; i++)
        CHECK(build_rrset(&b, SECTION_AUTHORITY, &authority.items[i], authority.items[i].ttl, true, 0) == 0);
    for (uint32_t i = 0; i < additional.count; i++)
        CHECK(build_rrset(&b, SECTION_ADDITIONAL, &additional.items[i], additional.items[i].ttl, true, 0) ==
              0);
    build_opt(&b, &opt);
    size_t size = build_end(&b);
    CHECK(size);
    return size;
}

static void seed_messages(struct arena *arena, const char *directory)
{
    for (enum seed_kind kind = 0; kind < SEED_KINDS; kind++) {
        uint8_t wire[SEED_MESSAGE_MAX];
        char name[16];
        size_t size = seed_message(arena, kind, wire);
        snprintf(name, sizeof(name), "%u", kind);
        seed_write(directory, "fuzz_message", name, wire, size);
        uint8_t at_name[SEED_MESSAGE_MAX + 1];
        at_name[0] = MESSAGE_HEADER_SIZE + 21; /* the first record's owner, a pointer */
        memcpy(at_name + 1, wire, size);
        if (kind != SEED_QUERY)
            seed_write(directory, "fuzz_name", name, at_name, size + 1);
    }
    seed_write(directory, "fuzz_name", "text", "\0a.b\\.c.\\255\\000*.Example.", 26);
    seed_write(directory, "fuzz_name", "bytes", "\0\3wWw\7eXample\0", 15);
    /* Every type in one message. */
    const char *lines[ARRAY_SIZE(samples) + 1] = {0};
    struct rrset_list all;
    struct builder b;
    uint8_t wire[SEED_MESSAGE_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        lines[i] = samples[i].text;
    seed_rrsets(arena, lines, &all);
    build_begin(&b, wire, sizeof(wire), 1, FLAG_QR);
    build_question(&b, seed_name(arena, "x."), TYPE_ANY, CLASS_IN);
    for (uint32_t i = 0; i < all.count; i++) {
        const struct rrset *set = &all.items[i];
        CHECK(build_rrset(&b, SECTION_ANSWER, set, 60, true, 0) == 0);
        for (unsigned k = 0; k < set->count; k++) {
            uint8_t seed[2048] = {(uint8_t)(set->type >> 8), (uint8_t)set->type};
            char name[32];
            CHECK(set->rdata[k].size < sizeof(seed) - 2);
            memcpy(seed + 2, set->rdata[k].data, set->rdata[k].size);
            snprintf(name, sizeof(name), "%u-%u", set->type, k);
            seed_write(directory, "fuzz_rdata", name, seed, 2u + set->rdata[k].size);
        }
    }
    size_t size = build_end(&b);
    CHECK(size);
    seed_write(directory, "fuzz_message", "all-types", wire, size);
}

static void write_incident(struct arena *arena, const char *directory, const char *name, const char *zone,
                           const struct incident_record *record)
{
    struct cache_key key;
    struct slice value;
    uint8_t seed[1 + CACHE_KEY_MAX + 4096];
    CHECK(incident_key(seed_name(arena, zone), &key) == 0 && key.size <= 255);
    CHECK(incident_encode(arena, cache_key_slice(&key), record, &value) == 0);
    size_t body = value.size - ENTRY_HEADER;
    CHECK(1 + key.size + body <= sizeof(seed));
    seed[0] = (uint8_t)key.size;
    memcpy(seed + 1, key.bytes, key.size);
    memcpy(seed + 1 + key.size, value.data + ENTRY_HEADER, body);
    seed_write(directory, "fuzz_incident", name, seed, 1 + key.size + body);
}

static void seed_incidents(struct arena *arena, const char *directory)
{
    static const char text[] = "de. NSEC3: no valid signature by key tag 33834";
    struct incident_record plain = {.since.s = 1777983600, .ede = 6},
                           full = {.since.s = 1777983600,
                                   .probes_failed = 7,
                                   .degraded = true,
                                   .ede = 6,
                                   .text = slice_make((const uint8_t *)text, sizeof(text) - 1),
                                   .target_count = 2};
    CHECK(name_from_text("www.example.de.", full.targets[0].name) == 0);
    full.targets[0].type = TYPE_DS;
    CHECK(name_from_text("de.", full.targets[1].name) == 0);
    full.targets[1].type = TYPE_DNSKEY;
    write_incident(arena, directory, "plain", ".", &plain);
    plain.transport = true;
    write_incident(arena, directory, "silent", "net.", &plain);
    write_incident(arena, directory, "full", "de.", &full);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    struct arena *arena = arena_new(64u << 20);
    CHECK(arena);
    seed_messages(arena, argv[1]);
    seed_frames(arena, argv[1]);
    seed_incidents(arena, argv[1]);
    arena_free(arena);
    return 0;
}
