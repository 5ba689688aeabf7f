#include "daemons/validatord/core/denial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/validatord/crypto_openssl.h"
#include "zone_text.h"

struct fixture {
    struct arena *arena;
    struct digester *digester;
    struct crypto_ops ops;
    uint32_t hashes;
    struct rrset_list list;
    struct denial denial;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(1 << 20);
    assert_int_equal(digester_new(&f->digester), 0);
    f->ops = digester_ops(f->digester);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    digester_free(f->digester);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

/* A proof by the records of `text`, all signed by `zone`. */
static struct denial *proof(struct fixture *f, const char *zone, const char *text)
{
    f->list = (struct rrset_list){0};
    f->hashes = 100;
    zone_text_read(f->arena, text, &f->list);
    f->denial = (struct denial){.zone = zone_text_name(f->arena, zone),
                                .list = &f->list,
                                .ops = &f->ops,
                                .hashes = &f->hashes,
                                .iterations_max = 50,
                                .now = {1400000000}};
    return &f->denial;
}

static int nxdomain(struct fixture *f, const char *qname)
{
    return denial_nxdomain(&f->denial, zone_text_name(f->arena, qname));
}

static int nodata(struct fixture *f, const char *qname, uint16_t qtype)
{
    return denial_nodata(&f->denial, zone_text_name(f->arena, qname), qtype);
}

static int wildcard_answer(struct fixture *f, const char *qname, unsigned ce_labels)
{
    return denial_wildcard_answer(&f->denial, zone_text_name(f->arena, qname), ce_labels);
}

static enum no_ds no_ds(struct fixture *f, const char *name)
{
    return denial_no_ds(&f->denial, zone_text_name(f->arena, name));
}

/* The NSEC chain of a small zone: apex, an empty non-terminal ent.b, a wildcard below w.b, a delegation d.b,
 * a DNAME at n.b, a secure delegation s.b, a CNAME c.b. */
#define APEX   "b. 60 IN NSEC a.b. NS SOA MX RRSIG NSEC DNSKEY\n"
#define A      "a.b. 60 IN NSEC c.b. A RRSIG NSEC\n"
#define CNAME_ "c.b. 60 IN NSEC d.b. CNAME RRSIG NSEC\n"
#define CUT    "d.b. 60 IN NSEC x.ent.b. NS RRSIG NSEC\n"
#define ENT    "x.ent.b. 60 IN NSEC n.b. A RRSIG NSEC\n"
#define DNAME_ "n.b. 60 IN NSEC s.b. DNAME RRSIG NSEC\n"
#define SECURE "s.b. 60 IN NSEC w.b. NS DS RRSIG NSEC\n"
#define W      "w.b. 60 IN NSEC *.w.b. A RRSIG NSEC\n"
#define STAR   "*.w.b. 60 IN NSEC b. TXT RRSIG NSEC\n"

static void nsec_name_error_needs_the_name_and_its_wildcard_covered(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", A APEX);
    assert_int_equal(nxdomain(f, "aa.b"), DENIAL_PROVEN);
    assert_int_equal(nxdomain(f, "x.y.aa.b"), DENIAL_PROVEN);
    proof(f, "b", A);
    assert_int_equal(nxdomain(f, "aa.b"), DENIAL_NOT_PROVEN);
    proof(f, "b", APEX);
    assert_int_equal(nxdomain(f, "aa.b"), DENIAL_NOT_PROVEN);
    proof(f, "b", "");
    assert_int_equal(nxdomain(f, "aa.b"), DENIAL_NOT_PROVEN);
}

static void nsec_name_that_exists_is_no_name_error(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", A APEX CNAME_ ENT CUT);
    assert_int_equal(nxdomain(f, "a.b"), DENIAL_NOT_PROVEN);
    assert_int_equal(nxdomain(f, "b"), DENIAL_NOT_PROVEN);
    assert_int_equal(nxdomain(f, "c.b"), DENIAL_NOT_PROVEN);
}

static void nsec_wildcard_is_sought_at_the_closest_encloser(void **state)
{
    struct fixture *f = *state;

    /* the encloser of q.a.b is a.b (the owner of the covering record), and that record covers *.a.b as well
     */
    proof(f, "b", A);
    assert_int_equal(nxdomain(f, "q.a.b"), DENIAL_PROVEN);
    /* the encloser of q.ent.b is ent.b, known by the next name of CUT only */
    proof(f, "b", ENT APEX);
    assert_int_equal(nxdomain(f, "z.ent.b"), DENIAL_NOT_PROVEN);
    proof(f, "b", ENT CUT);
    assert_int_equal(nxdomain(f, "z.ent.b"), DENIAL_PROVEN);
    proof(f, "b", CUT);
    assert_int_equal(nxdomain(f, "m.ent.b"), DENIAL_PROVEN);
}

static void nsec_last_record_wraps_to_the_apex(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", STAR APEX);
    assert_int_equal(nxdomain(f, "z.b"), DENIAL_PROVEN);
    assert_int_equal(nxdomain(f, "a.a.b"), DENIAL_NOT_PROVEN);
    /* a zone of one name */
    proof(f, "b", "b. 60 IN NSEC b. SOA NS RRSIG NSEC DNSKEY\n");
    assert_int_equal(nxdomain(f, "z.b"), DENIAL_PROVEN);
    assert_int_equal(nodata(f, "b", TYPE_A), DENIAL_PROVEN);
}

static void nsec_with_next_name_outside_the_zone_proves_nothing(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", "a.b. 60 IN NSEC a.c. A RRSIG NSEC\n" APEX);
    assert_int_equal(nxdomain(f, "x.b"), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "a.b", TYPE_MX), DENIAL_NOT_PROVEN);
}

static void nsec_pointing_backwards_but_not_to_the_apex_proves_nothing(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", "m.b. 60 IN NSEC a.b. A RRSIG NSEC\n" APEX);
    assert_int_equal(nxdomain(f, "x.b"), DENIAL_NOT_PROVEN);
}

static void records_of_another_zone_prove_nothing(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", "a.c. 60 IN NSEC z.c. A RRSIG NSEC\nc. 60 IN NSEC a.c. SOA NS\n");
    assert_int_equal(nxdomain(f, "m.c"), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "a.c", TYPE_MX), DENIAL_NOT_PROVEN);
    assert_int_equal(no_ds(f, "m.c"), NO_DS_NOT_PROVEN);
}

static void nsec_expanded_from_a_wildcard_proves_nothing(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", "a.w.b. 60 IN NSEC b. TXT RRSIG NSEC\n");
    assert_int_equal(nodata(f, "a.w.b", TYPE_A), DENIAL_PROVEN);
    f->list.items[0].wildcard_labels = 3;
    assert_int_equal(nodata(f, "a.w.b", TYPE_A), DENIAL_NOT_PROVEN);
}

static void nsec_of_a_delegation_proves_nothing_below_it(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", CUT APEX);
    assert_int_equal(nxdomain(f, "x.d.b"), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "x.d.b", TYPE_A), DENIAL_NOT_PROVEN);
    assert_int_equal(no_ds(f, "x.d.b"), NO_DS_NOT_PROVEN);
    assert_int_equal(nxdomain(f, "e.b"), DENIAL_PROVEN);
}

static void nsec_of_a_dname_proves_nothing_below_it(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", DNAME_ APEX);
    assert_int_equal(nxdomain(f, "x.n.b"), DENIAL_NOT_PROVEN);
    assert_int_equal(nxdomain(f, "o.b"), DENIAL_PROVEN);
}

static void nsec_empty_non_terminal_exists(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", CUT APEX);
    assert_int_equal(nxdomain(f, "ent.b"), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "ent.b", TYPE_A), DENIAL_PROVEN);
    assert_int_equal(nodata(f, "ent.b", TYPE_DS), DENIAL_PROVEN);
    assert_int_equal(no_ds(f, "ent.b"), NO_DS_NOT_A_CUT);
}

static void nsec_nodata_needs_type_and_cname_absent(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", A CNAME_);
    assert_int_equal(nodata(f, "a.b", TYPE_MX), DENIAL_PROVEN);
    assert_int_equal(nodata(f, "a.b", TYPE_A), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "a.b", TYPE_ANY), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "c.b", TYPE_MX), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "c.b", TYPE_CNAME), DENIAL_NOT_PROVEN);
}

static void apex_nsec_never_denies_a_ds(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", APEX);
    assert_int_equal(nodata(f, "b", TYPE_DS), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "b", TYPE_TXT), DENIAL_PROVEN);
    /* a child's apex record passed off as the parent's */
    proof(f, "b", "d.b. 60 IN NSEC x.d.b. NS SOA RRSIG NSEC DNSKEY\n");
    assert_int_equal(nodata(f, "d.b", TYPE_DS), DENIAL_NOT_PROVEN);
    assert_int_equal(no_ds(f, "d.b"), NO_DS_NOT_PROVEN);
    /* the root has no parent to ask */
    proof(f, ".", ". 60 IN NSEC aaa. NS SOA RRSIG NSEC DNSKEY\n");
    assert_int_equal(nodata(f, ".", TYPE_DS), DENIAL_PROVEN);
}

static void parent_side_nsec_denies_only_a_ds(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", CUT);
    assert_int_equal(nodata(f, "d.b", TYPE_A), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "d.b", TYPE_SOA), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "d.b", TYPE_DS), DENIAL_PROVEN);
}

static void nsec_wildcard_nodata_needs_name_covered_and_wildcards_types(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", STAR);
    assert_int_equal(nodata(f, "q.w.b", TYPE_A), DENIAL_PROVEN);
    assert_int_equal(nodata(f, "q.w.b", TYPE_TXT), DENIAL_NOT_PROVEN);
    assert_int_equal(nxdomain(f, "q.w.b"), DENIAL_NOT_PROVEN);
    /* the wildcard's own record, but nothing that denies the name: it may exist */
    proof(f, "b", "*.w.b. 60 IN NSEC p.w.b. TXT RRSIG NSEC\n");
    assert_int_equal(nodata(f, "q.w.b", TYPE_A), DENIAL_NOT_PROVEN);
    proof(f, "b", "*.w.b. 60 IN NSEC p.w.b. TXT RRSIG NSEC\np.w.b. 60 IN NSEC b. A\n");
    assert_int_equal(nodata(f, "q.w.b", TYPE_A), DENIAL_PROVEN);
    /* a wildcard at another level is not the source of synthesis */
    proof(f, "b", "*.b. 60 IN NSEC p.w.b. TXT RRSIG NSEC\np.w.b. 60 IN NSEC b. A\n");
    assert_int_equal(nodata(f, "q.w.b", TYPE_A), DENIAL_NOT_PROVEN);
}

static void nsec_wildcard_that_is_an_empty_non_terminal_is_nodata(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", "w.b. 60 IN NSEC x.*.w.b. A\nx.*.w.b. 60 IN NSEC b. A\n");
    assert_int_equal(nodata(f, "q.w.b", TYPE_A), DENIAL_PROVEN);
    assert_int_equal(nxdomain(f, "q.w.b"), DENIAL_NOT_PROVEN);
}

static void nsec_wildcard_answer_needs_the_next_closer_name_absent(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", STAR);
    assert_int_equal(wildcard_answer(f, "q.w.b", 2), DENIAL_PROVEN);
    assert_int_equal(wildcard_answer(f, "x.q.w.b", 2), DENIAL_PROVEN);
    /* from *.b although w.b exists */
    assert_int_equal(wildcard_answer(f, "q.w.b", 1), DENIAL_NOT_PROVEN);
    /* as many labels as the name, or fewer than the zone */
    assert_int_equal(wildcard_answer(f, "q.w.b", 3), DENIAL_NOT_PROVEN);
    assert_int_equal(wildcard_answer(f, "q.w.b", 0), DENIAL_NOT_PROVEN);
    /* the next closer name is an empty non-terminal */
    proof(f, "b", CUT);
    assert_int_equal(wildcard_answer(f, "y.ent.b", 1), DENIAL_NOT_PROVEN);
}

static void nsec_tells_cuts_names_and_secure_children_apart(void **state)
{
    struct fixture *f = *state;

    proof(f, "b", CUT A SECURE APEX);
    assert_int_equal(no_ds(f, "d.b"), NO_DS_INSECURE_DELEGATION);
    assert_int_equal(no_ds(f, "a.b"), NO_DS_NOT_A_CUT);
    assert_int_equal(no_ds(f, "s.b"), NO_DS_CONTRADICTED);
    assert_int_equal(no_ds(f, "aa.b"), NO_DS_NXDOMAIN);
    assert_int_equal(no_ds(f, "b"), NO_DS_NOT_PROVEN);
    proof(f, "b", A);
    assert_int_equal(no_ds(f, "aa.b"), NO_DS_NOT_A_CUT);
    proof(f, "b", STAR);
    assert_int_equal(no_ds(f, "q.w.b"), NO_DS_NOT_A_CUT);
}

static void nsec_existence_wins_over_a_gap_that_denies_it(void **state)
{
    struct fixture *f = *state;

    /* an older gap beside the record of a name added since */
    proof(f, "b", APEX "a.b. 60 IN NSEC z.b. A\nm.b. 60 IN NSEC z.b. NS DS\n");
    assert_int_equal(nxdomain(f, "m.b"), DENIAL_NOT_PROVEN);
    assert_int_equal(no_ds(f, "m.b"), NO_DS_CONTRADICTED);
}

/* RFC 5155 appendix A; every record of it has the Opt-Out flag. */
#define N3_APEX                                                                                              \
    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG\n"
#define N3_NS1                                                                                               \
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG\n"
#define N3_A                                                                                                 \
    "35mthgpgcu1qg68fab165klnsnk3dpvl.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG\n"
#define N3_XW                                                                                                \
    "b4um86eghhds6nea196smvmlo4ors995.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG\n"
#define N3_YW                                                                                                \
    "ji6neoaepv8b5o6k4ev33abha8ht9fgc.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "k8udemvp1j2f7eg6jebps17vp3n8i58h\n"
#define N3_W                                                                                                 \
    "k8udemvp1j2f7eg6jebps17vp3n8i58h.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "kohar7mbb8dc2ce8a9qvl8hon4k53uhi\n"
#define N3_NS2                                                                                               \
    "q04jkcevqvmu85r014c7dkba38o0ji5r.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG\n"
#define N3_STARW                                                                                             \
    "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example. 60 IN NSEC3 1 1 12 aabbccdd "                                 \
    "t644ebqk9bibcna874givr6joj62mlhv MX RRSIG\n"

/* The same record without the Opt-Out flag, or with other fields: edited in the RDATA. */
static void set_nsec3_octet(struct fixture *f, unsigned record, unsigned at, uint8_t value)
{
    ((uint8_t *)f->list.items[record].rdata[0].data)[at] = value;
}

static void clear_optout(struct fixture *f)
{
    for (unsigned i = 0; i < f->list.count; i++)
        set_nsec3_octet(f, i, 1, 0);
}

static void nsec3_name_error_of_rfc_5155_b1(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_APEX N3_XW N3_A);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_OPTOUT);
    clear_optout(f);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_PROVEN);
    assert_int_equal(no_ds(f, "a.c.x.w.example"), NO_DS_NXDOMAIN);
    /* each of the three is needed */
    proof(f, "example", N3_XW N3_A);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_NOT_PROVEN);
    proof(f, "example", N3_APEX N3_A);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_NOT_PROVEN);
    proof(f, "example", N3_APEX N3_XW);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_NOT_PROVEN);
    /* and a name that exists is none */
    proof(f, "example", N3_APEX N3_XW N3_A);
    assert_int_equal(nxdomain(f, "x.w.example"), DENIAL_NOT_PROVEN);
}

static void nsec3_nodata_of_rfc_5155_b2(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_NS1 N3_YW);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_PROVEN);
    assert_int_equal(nodata(f, "ns1.example", TYPE_A), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "y.w.example", TYPE_A), DENIAL_PROVEN);
    assert_int_equal(no_ds(f, "ns1.example"), NO_DS_NOT_A_CUT);
}

static void nsec3_unsigned_delegation_of_rfc_5155_b3(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_A N3_APEX);
    assert_int_equal(no_ds(f, "c.example"), NO_DS_OPTOUT);
    assert_int_equal(nodata(f, "c.example", TYPE_DS), DENIAL_OPTOUT);
    /* a name below the unsigned delegation, or an empty non-terminal that leads to it alone (erratum 3441) */
    assert_int_equal(nodata(f, "mc.c.example", TYPE_MX), DENIAL_OPTOUT);
    clear_optout(f);
    assert_int_equal(nodata(f, "c.example", TYPE_DS), DENIAL_NOT_PROVEN);
    assert_int_equal(no_ds(f, "c.example"), NO_DS_NOT_A_CUT);
    proof(f, "example", N3_A);
    assert_int_equal(no_ds(f, "c.example"), NO_DS_NOT_PROVEN);
}

static void nsec3_secure_child_contradicts_a_missing_ds(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_A N3_APEX);
    assert_int_equal(no_ds(f, "a.example"), NO_DS_CONTRADICTED);
    assert_int_equal(nodata(f, "a.example", TYPE_DS), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "a.example", TYPE_A), DENIAL_NOT_PROVEN);
}

static void nsec3_wildcard_answer_of_rfc_5155_b4(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_NS2);
    assert_int_equal(wildcard_answer(f, "a.z.w.example", 2), DENIAL_OPTOUT);
    clear_optout(f);
    assert_int_equal(wildcard_answer(f, "a.z.w.example", 2), DENIAL_PROVEN);
    assert_int_equal(wildcard_answer(f, "a.z.w.example", 1), DENIAL_NOT_PROVEN);
    proof(f, "example", N3_NS1);
    assert_int_equal(wildcard_answer(f, "a.z.w.example", 2), DENIAL_NOT_PROVEN);
}

static void nsec3_wildcard_nodata_of_rfc_5155_b5(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_W N3_NS2 N3_STARW);
    clear_optout(f);
    assert_int_equal(nodata(f, "a.z.w.example", TYPE_AAAA), DENIAL_PROVEN);
    assert_int_equal(nodata(f, "a.z.w.example", TYPE_MX), DENIAL_NOT_PROVEN);
    assert_int_equal(nxdomain(f, "a.z.w.example"), DENIAL_NOT_PROVEN);
    proof(f, "example", N3_W N3_STARW);
    assert_int_equal(nodata(f, "a.z.w.example", TYPE_AAAA), DENIAL_NOT_PROVEN);
    proof(f, "example", N3_W N3_NS2);
    clear_optout(f);
    assert_int_equal(nodata(f, "a.z.w.example", TYPE_AAAA), DENIAL_NOT_PROVEN);
}

static void nsec3_apex_record_never_denies_a_ds_rfc_5155_b6(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_APEX);
    assert_int_equal(nodata(f, "example", TYPE_DS), DENIAL_NOT_PROVEN);
    assert_int_equal(nodata(f, "example", TYPE_AAAA), DENIAL_PROVEN);
}

static void nsec3_encloser_at_a_cut_or_dname_proves_nothing_below(void **state)
{
    struct fixture *f = *state;

    /* a.example is a delegation; H(q.a.example) lies where these three together cover everything */
    static const char text[] = "35mthgpgcu1qg68fab165klnsnk3dpvl.example. 60 IN NSEC3 1 0 12 aabbccdd "
                               "35mthgpgcu1qg68fab165klnsnk3dpvl NS\n";
    static const char dname[] = "35mthgpgcu1qg68fab165klnsnk3dpvl.example. 60 IN NSEC3 1 0 12 aabbccdd "
                                "35mthgpgcu1qg68fab165klnsnk3dpvl DNAME\n";
    static const char plain[] = "35mthgpgcu1qg68fab165klnsnk3dpvl.example. 60 IN NSEC3 1 0 12 aabbccdd "
                                "35mthgpgcu1qg68fab165klnsnk3dpvl A\n";

    proof(f, "example", text);
    assert_int_equal(nxdomain(f, "q.a.example"), DENIAL_NOT_PROVEN);
    assert_int_equal(no_ds(f, "q.a.example"), NO_DS_NOT_PROVEN);
    assert_int_equal(no_ds(f, "a.example"), NO_DS_INSECURE_DELEGATION);
    proof(f, "example", dname);
    assert_int_equal(nxdomain(f, "q.a.example"), DENIAL_NOT_PROVEN);
    proof(f, "example", plain);
    assert_int_equal(nxdomain(f, "q.a.example"), DENIAL_PROVEN);
}

static void nsec3_of_unknown_hash_or_flags_is_ignored(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_NS1);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_PROVEN);
    set_nsec3_octet(f, 0, 0, 2);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
    set_nsec3_octet(f, 0, 0, 1);
    set_nsec3_octet(f, 0, 1, 3);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
}

static void nsec3_of_a_wrong_shape_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct rdata *rdata;

    proof(f, "example", N3_NS1);
    set_nsec3_octet(f, 0, 9, 19); /* hash length */
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
    set_nsec3_octet(f, 0, 9, 20);
    set_nsec3_octet(f, 0, 4, 250); /* salt length beyond the record */
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
    set_nsec3_octet(f, 0, 4, 4);
    rdata = &f->list.items[0].rdata[0];
    for (uint16_t size = 0; size < 30; size++) {
        rdata->size = size;
        assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
    }
    /* an owner that is no hash, or one label too deep */
    proof(f, "example",
          "zt7b4g4vsa5smi47k61mv5bv1a22bojr.example. 60 IN NSEC3 1 1 12 aabbccdd "
          "2vptu5timamqttgl4luu9kg21e0aor3s A\n"
          "2t7b4g4vsa5smi47k61mv5bv1a22bojr.x.example. 60 IN NSEC3 1 1 12 aabbccdd "
          "2vptu5timamqttgl4luu9kg21e0aor3s A\n");
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
}

static void nsec3_over_the_iteration_limit_is_insecure(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_NS1);
    f->denial.iterations_max = 11;
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_ITERATIONS);
    assert_int_equal(nxdomain(f, "q.example"), DENIAL_ITERATIONS);
    assert_int_equal(wildcard_answer(f, "q.example", 1), DENIAL_ITERATIONS);
    assert_int_equal(no_ds(f, "ns1.example"), NO_DS_ITERATIONS);
    assert_int_equal(f->hashes, 100);
    f->denial.iterations_max = 12;
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_PROVEN);
}

static void nsec3_parameter_sets_do_not_mix(void **state)
{
    struct fixture *f = *state;

    /* the proof of B.1 with one of its records under another salt */
    proof(f, "example", N3_APEX N3_XW N3_A);
    clear_optout(f);
    set_nsec3_octet(f, 1, 5, 0xab);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_NOT_PROVEN);
    /* a whole proof beside a stray record of another set, whichever comes first */
    proof(f, "example", N3_NS2 N3_APEX N3_XW N3_A);
    clear_optout(f);
    set_nsec3_octet(f, 0, 5, 0xab);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_PROVEN);
}

static void nsec3_hashes_come_from_the_budget_and_a_spent_one_proves_nothing(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_APEX N3_XW N3_A);
    clear_optout(f);
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_PROVEN);
    assert_int_equal(f->hashes, 100 - 4); /* the name, c.x.w, x.w, *.x.w */
    f->hashes = 3;
    assert_int_equal(nxdomain(f, "a.c.x.w.example"), DENIAL_BUDGET);
    assert_int_equal(f->hashes, 0);
    f->hashes = 0;
    assert_int_equal(no_ds(f, "c.example"), NO_DS_BUDGET);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_BUDGET);
    assert_int_equal(wildcard_answer(f, "a.z.w.example", 2), DENIAL_BUDGET);
}

static void nsec3_name_of_34_labels_fits_the_budget(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_APEX);
    f->hashes = BUDGET_NSEC3_HASHES;
    assert_int_equal(
        nxdomain(f, "0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.ip6.example"),
        DENIAL_NOT_PROVEN);
    assert_true(f->hashes > BUDGET_NSEC3_HASHES - 40);
}

static void no_more_than_eight_nsec3_are_looked_at(void **state)
{
    struct fixture *f = *state;
    char text[4096] = "";

    for (unsigned i = 0; i < 9; i++) {
        char line[200];

        snprintf(line, sizeof(line),
                 "0%cjb4g4vsa5smi47k61mv5bv1a22bojr.example. 60 IN NSEC3 1 1 12 aabbcc%02x "
                 "2vptu5timamqttgl4luu9kg21e0aor3s A\n",
                 'a' + (char)i, i);
        strcat(text, line);
    }
    strcat(text, N3_NS1);
    proof(f, "example", text);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
    proof(f, "example", strchr(strchr(text, '\n') + 1, '\n') + 1);
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_PROVEN);
}

static void nsec3_expanded_from_a_wildcard_is_ignored(void **state)
{
    struct fixture *f = *state;

    proof(f, "example", N3_NS1);
    f->list.items[0].wildcard_labels = 2;
    assert_int_equal(nodata(f, "ns1.example", TYPE_MX), DENIAL_NOT_PROVEN);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nsec_name_error_needs_the_name_and_its_wildcard_covered),
        T(nsec_name_that_exists_is_no_name_error),
        T(nsec_wildcard_is_sought_at_the_closest_encloser),
        T(nsec_last_record_wraps_to_the_apex),
        T(nsec_with_next_name_outside_the_zone_proves_nothing),
        T(nsec_pointing_backwards_but_not_to_the_apex_proves_nothing),
        T(records_of_another_zone_prove_nothing),
        T(nsec_expanded_from_a_wildcard_proves_nothing),
        T(nsec_of_a_delegation_proves_nothing_below_it),
        T(nsec_of_a_dname_proves_nothing_below_it),
        T(nsec_empty_non_terminal_exists),
        T(nsec_nodata_needs_type_and_cname_absent),
        T(apex_nsec_never_denies_a_ds),
        T(parent_side_nsec_denies_only_a_ds),
        T(nsec_wildcard_nodata_needs_name_covered_and_wildcards_types),
        T(nsec_wildcard_that_is_an_empty_non_terminal_is_nodata),
        T(nsec_wildcard_answer_needs_the_next_closer_name_absent),
        T(nsec_tells_cuts_names_and_secure_children_apart),
        T(nsec_existence_wins_over_a_gap_that_denies_it),
        T(nsec3_name_error_of_rfc_5155_b1),
        T(nsec3_nodata_of_rfc_5155_b2),
        T(nsec3_unsigned_delegation_of_rfc_5155_b3),
        T(nsec3_secure_child_contradicts_a_missing_ds),
        T(nsec3_wildcard_answer_of_rfc_5155_b4),
        T(nsec3_wildcard_nodata_of_rfc_5155_b5),
        T(nsec3_apex_record_never_denies_a_ds_rfc_5155_b6),
        T(nsec3_encloser_at_a_cut_or_dname_proves_nothing_below),
        T(nsec3_of_unknown_hash_or_flags_is_ignored),
        T(nsec3_of_a_wrong_shape_is_ignored),
        T(nsec3_over_the_iteration_limit_is_insecure),
        T(nsec3_parameter_sets_do_not_mix),
        T(nsec3_hashes_come_from_the_budget_and_a_spent_one_proves_nothing),
        T(nsec3_name_of_34_labels_fits_the_budget),
        T(no_more_than_eight_nsec3_are_looked_at),
        T(nsec3_expanded_from_a_wildcard_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
