/* RDATA against libldns as an oracle: records of every type from zone text through ldns to wire; our text
 * must be what ldns prints (differences are listed with their reason), our canonical form what ldns makes
 * canonical. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "common/wire/message.h"
#include "common/wire/rdata.h"

struct sample {
    const char *text; /* a line of a zone file; the RDATA is what follows the type */
    const char *ours; /* NULL: what ldns prints; else what we print instead, on purpose */
};

/* Where we differ: seconds of LOC always have two digits and degrees no leading zero (both read alike);
 * certificate types, protocols and ports as numbers; one space, not two, between APL items and before the
 * hash of NSEC3; IPv6 in short form; quotes around every free-form service parameter, as RFC 9460 writes
 * them; A6 and NXT have a form. */
// clang-format off
static const struct sample samples[] = {
    {"x. 60 IN A 192.0.2.1", NULL},
    {"x. 60 IN A 255.255.255.255", NULL},
    {"x. 60 IN NS NS.Example.COM.", NULL},
    {"x. 60 IN MD Md.Example.", NULL},
    {"x. 60 IN MF Mf.Example.", NULL},
    {"x. 60 IN CNAME *.b\\.c.Example.", NULL},
    {"x. 60 IN CNAME \\000\\255\\032a.", NULL},
    {"x. 60 IN SOA Ns1.Example. Host\\.Master.Example. 4294967295 7200 3600 1209600 3600", NULL},
    {"x. 60 IN MB Mb.Example.", NULL},
    {"x. 60 IN MG Mg.Example.", NULL},
    {"x. 60 IN MR Mr.Example.", NULL},
    {"x. 60 IN PTR .", NULL},
    {"x. 60 IN HINFO \"PC Intel\" \"a\\\"b\"", NULL},
    {"x. 60 IN MINFO Resp.Example. Err.Example.", NULL},
    {"x. 60 IN MX 65535 Mail.Example.", NULL},
    {"x. 60 IN TXT \"one\" \"two words; and \\\\ \\\" \\007\" \"\"", NULL},
    {"x. 60 IN RP Mbox.Example. Txt.Example.", NULL},
    {"x. 60 IN AFSDB 1 Afs.Example.", NULL},
    {"x. 60 IN X25 311061700956", NULL},
    {"x. 60 IN ISDN \"150862028003217\" \"004\"", NULL},
    {"x. 60 IN RT 10 Relay.Example.", NULL},
    {"x. 60 IN NSAP 0x47000580005a0000000001e133ffffff00016100", NULL},
    {"x. 60 IN SIG A 8 2 3600 20380119031407 20200229235959 12345 Signer.Example. AQIDBAU=", NULL},
    {"x. 60 IN KEY 256 3 8 AQPSKmynfzW4kyBv015MUG2DeIQ3", NULL},
    {"x. 60 IN PX 10 Map822.Example. Mapx400.Example.", NULL},
    {"x. 60 IN GPOS -32.6882 116.8652 10.0", NULL},
    {"x. 60 IN AAAA 2001:db8::1", NULL},
    {"x. 60 IN AAAA ::", NULL},
    {"x. 60 IN AAAA ::1", NULL},
    {"x. 60 IN AAAA 1::", NULL},
    {"x. 60 IN AAAA ::ffff:192.0.2.1", NULL},
    {"x. 60 IN AAAA ::192.0.2.1", NULL},
    {"x. 60 IN AAAA 2001:db8:0:1:0:0:1:1", NULL},
    {"x. 60 IN AAAA 2001:0:0:1:0:0:0:1", NULL},
    {"x. 60 IN AAAA 2001:db8:0:1:1:1:1:1", NULL},
    {"x. 60 IN AAAA 2001:db8:0:0:1:0:0:1", NULL},
    {"x. 60 IN AAAA fe80:0:0:1::", NULL},
    {"x. 60 IN LOC 42 21 54 N 71 06 18 W -24m 30m", NULL},
    {"x. 60 IN LOC 52 14 5.123 S 0 8 50 E 10.25m 1m 10000m 10m", 
        "52 14 05.123 S 0 08 50.000 E 10.25m 1m 10000m 10m"},
    {"x. 60 IN SRV 0 5 5060 Sip.Example.", NULL},
    {"x. 60 IN NAPTR 100 50 \"s\" \"http+N2L+N2C\" \"!^.*$!x!\" Www.Example.", NULL},
    {"x. 60 IN KX 10 Kx.Example.", NULL},
    {"x. 60 IN CERT 1 65535 8 AQIDBA==", 
        "1 65535 8 AQIDBA=="},
    {"x. 60 IN DNAME Target.Example.", NULL},
    {"x. 60 IN APL 1:192.168.32.0/21 !1:192.168.38.0/28", 
        "1:192.168.32.0/21 !1:192.168.38.0/28"},
    {"x. 60 IN APL 2:ff00::/8", 
        "2:ff00::/8"},
    {"x. 60 IN DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", NULL},
    {"x. 60 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D", NULL},
    {"x. 60 IN SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789", NULL},
    {"x. 60 IN IPSECKEY 10 0 2 . AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"x. 60 IN IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"x. 60 IN IPSECKEY 10 2 2 2001:db8::2 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"x. 60 IN IPSECKEY 10 3 2 Gw.Example. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"x. 60 IN RRSIG A 8 2 3600 20380119031407 20200229235959 12345 Signer.Example. AQIDBAU=", NULL},
    {"x. 60 IN RRSIG TYPE65280 13 2 3600 20260301000000 20240101000000 1 Signer.Example. AQIDBAUG", NULL},
    {"x. 60 IN NSEC Host.Example. A MX RRSIG NSEC TYPE1234", NULL},
    {"x. 60 IN NSEC Host.Example. A NS CAA TYPE65280", NULL},
    {"x. 60 IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==", NULL},
    {"x. 60 IN DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", NULL},
    {"x. 60 IN NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG", 
        "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA MX RRSIG DNSKEY NSEC3PARAM"},
    {"x. 60 IN NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", 
        "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A"},
    {"x. 60 IN NSEC3PARAM 1 0 12 aabbccdd", NULL},
    {"x. 60 IN NSEC3PARAM 1 0 0 -", NULL},
    {"x. 60 IN TLSA 3 1 1 0d6fce3b3b1d1b6c1f3b5a6e0b6b6c1f3b5a6e0b6b6c1f3b5a6e0b6b6c1f3b5a", NULL},
    {"x. 60 IN SMIMEA 3 0 0 0d6fce", NULL},
    {"x. 60 IN HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p Rvs1.Example. Rvs2.Example.", NULL},
    {"x. 60 IN CDS 0 0 0 00", NULL},
    {"x. 60 IN CDNSKEY 0 3 0 AA==", NULL},
    {"x. 60 IN OPENPGPKEY mQENBFVHm5sBCACxWBA=", NULL},
    {"x. 60 IN CSYNC 66 3 A NS AAAA", NULL},
    {"x. 60 IN ZONEMD 2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE", NULL},
    {"x. 60 IN SVCB 0 Foo.Example.", NULL},
    {"x. 60 IN SVCB 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=AEX+DQBB ipv6hint=2001:db8::1,::1", 
        "1 . alpn=\"h2,h3\" port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=AEX+DQBB ipv6hint=2001:db8::1,::1"},
    {"x. 60 IN HTTPS 16 Foo.Example. mandatory=alpn,ipv4hint alpn=h2 no-default-alpn ipv4hint=192.0.2.1", 
        "16 Foo.Example. mandatory=alpn,ipv4hint alpn=\"h2\" no-default-alpn ipv4hint=192.0.2.1"},
    {"x. 60 IN HTTPS 1 . key65333=ex1 key65400=\"a b\"", 
        "1 . key65333=\"ex1\" key65400=\"a b\""},
    {"x. 60 IN SPF \"v=spf1 -all\"", NULL},
    {"x. 60 IN NID 10 0014:4fff:ff20:ee64", NULL},
    {"x. 60 IN L32 10 10.1.2.0", NULL},
    {"x. 60 IN L64 10 2001:0DB8:1140:1000", NULL},
    {"x. 60 IN LP 10 L64-Subnet1.Example.", NULL},
    {"x. 60 IN EUI48 00-00-5e-00-53-2a", NULL},
    {"x. 60 IN EUI64 00-00-5e-ef-10-00-00-2a", NULL},
    {"x. 60 IN URI 10 1 \"ftp://ftp1.example.com/public\"", NULL},
    {"x. 60 IN CAA 0 issue \"ca.example.net; policy=ev\"", NULL},
    {"x. 60 IN CAA 128 iodef \"mailto:security@example.com\"", NULL},
    {"x. 60 IN CAA 0 issue \"\"", NULL},
    {"x. 60 IN DLV 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", NULL},
    {"x. 60 IN TYPE65280 \\# 4 0a000001", NULL},
    {"x. 60 IN TYPE731 \\# 0", NULL},
    {"x. 60 IN NULL \\# 3 010203", NULL},
    {"x. 60 IN WKS 192.0.2.1 6 25", 
        "192.0.2.1 6 25"},
    {"x. 60 IN A6 \\# 17 0020010db8000000000000000000000001", 
        "0 2001:db8::1"},
    {"x. 60 IN NXT \\# 7 01480040000001",
        "H. A TYPE31"},
};
// clang-format on

static ldns_rr *parse(const char *text)
{
    ldns_rr *rr = NULL;
    ldns_status status = ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL);
    if (status != LDNS_STATUS_OK)
        print_message("%s: %s\n", text, ldns_get_errorstr_by_id(status));
    return status == LDNS_STATUS_OK ? rr : NULL;
}

/* The RDATA of a record as ldns puts it on the wire. */
static struct rdata rdata_of(const ldns_rr *rr, bool canonical, uint8_t buf[65536])
{
    ldns_rr *copy = ldns_rr_clone(rr);
    if (canonical)
        ldns_rr2canonical(copy);
    uint8_t *wire;
    size_t size, head;
    assert_int_equal(ldns_rr2wire(&wire, copy, LDNS_SECTION_ANSWER, &size), LDNS_STATUS_OK);
    head = ldns_rdf_size(ldns_rr_owner(copy)) + 10;
    assert_true(size >= head);
    memcpy(buf, wire + head, size - head);
    free(wire);
    ldns_rr_free(copy);
    return (struct rdata){.data = buf, .size = (uint16_t)(size - head)};
}

/* What ldns prints behind the type, without its final newline and comments. */
static void oracle_text(const ldns_rr *rr, char *buf, size_t room)
{
    char *line = ldns_rr2str_fmt(ldns_output_format_nocomments, rr);
    char *at = line;
    assert_non_null(line);
    for (unsigned tabs = 0; tabs < 4 && *at; at++)
        tabs += *at == '\t';
    size_t size = strcspn(at, "\n");
    while (size && (at[size - 1] == ' '))
        size--;
    assert_true(size < room);
    memcpy(buf, at, size);
    buf[size] = '\0';
    free(line);
}

static void text_is_what_ldns_prints(void **state)
{
    static uint8_t wire[65536];
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        char theirs[4096], ours[4096];
        ldns_rr *rr = parse(samples[i].text);
        assert_non_null(rr);
        struct rdata rdata = rdata_of(rr, false, wire);
        oracle_text(rr, theirs, sizeof(theirs));
        size_t needed = rdata_to_text((uint16_t)ldns_rr_get_type(rr), &rdata, ours, sizeof(ours));
        const char *expected = samples[i].ours ? samples[i].ours : theirs;
        if (strcmp(ours, expected) != 0 || needed != strlen(ours)) {
            print_message("%s\n  ldns     %s\n  expected %s\n  ours     %s\n", samples[i].text, theirs,
                          expected, ours);
            wrong++;
        }
        ldns_rr_free(rr);
    }
    assert_int_equal(wrong, 0);
}

static void canonical_form_is_what_ldns_makes(void **state)
{
    static uint8_t wire[65536], theirs[65536], ours[65536];
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        ldns_rr *rr = parse(samples[i].text);
        assert_non_null(rr);
        uint16_t type = (uint16_t)ldns_rr_get_type(rr);
        struct rdata rdata = rdata_of(rr, false, wire), canonical = rdata_of(rr, true, theirs);
        assert_int_equal(rdata.size, canonical.size);
        assert_int_equal(rdata_check(type, &rdata), 0);
        rdata_canonicalize(type, &rdata, ours);
        if (memcmp(ours, canonical.data, canonical.size) != 0) {
            print_message("%s\n", samples[i].text);
            wrong++;
        }
        ldns_rr_free(rr);
    }
    assert_int_equal(wrong, 0);
}

/* What ldns puts into a message our parser must take apart, and give back uncompressed. */
static void parser_reads_every_type_from_a_message_of_ldns(void **state)
{
    static uint8_t expected[65536];
    struct arena *arena = arena_new(1u << 20);
    ldns_pkt *packet =
        ldns_pkt_query_new(ldns_dname_new_frm_str("x."), LDNS_RR_TYPE_ANY, LDNS_RR_CLASS_IN, LDNS_QR);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, parse(samples[i].text));
    uint8_t *wire;
    size_t size;
    struct message m;
    assert_int_equal(ldns_pkt2wire(&wire, packet, &size), LDNS_STATUS_OK);
    assert_int_equal(message_parse(arena, wire, size, &m), MESSAGE_OK);
    assert_int_equal(m.count[SECTION_ANSWER], ARRAY_SIZE(samples));
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(packet), i);
        struct rdata rdata = rdata_of(rr, false, expected);
        const struct rr *ours = &m.rr[SECTION_ANSWER][i];
        assert_int_equal(ours->type, ldns_rr_get_type(rr));
        assert_int_equal(ours->ttl, 60);
        assert_int_equal(ours->rdata.size, rdata.size);
        assert_memory_equal(ours->rdata.data, rdata.data, rdata.size);
    }
    free(wire);
    ldns_pkt_free(packet);
    arena_free(arena);
}

static void type_names_are_those_of_ldns(void **state)
{
    unsigned known = 0;
    for (unsigned type = 1; type < 65536; type++) {
        char ours[16];
        uint16_t back;
        rrtype_to_text((uint16_t)type, ours);
        assert_int_equal(rrtype_from_text(ours, &back), 0);
        assert_int_equal(back, type);
        if (strncmp(ours, "TYPE", 4) == 0 || type == TYPE_NXNAME) /* NXNAME is younger than ldns 1.8 */
            continue;
        char *theirs = ldns_rr_type2str((ldns_rr_type)type);
        assert_string_equal(ours, theirs);
        free(theirs);
        known++;
    }
    assert_true(known > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_what_ldns_prints),
        cmocka_unit_test(canonical_form_is_what_ldns_makes),
        cmocka_unit_test(parser_reads_every_type_from_a_message_of_ldns),
        cmocka_unit_test(type_names_are_those_of_ldns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
