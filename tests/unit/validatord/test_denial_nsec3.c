#include "denial_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
