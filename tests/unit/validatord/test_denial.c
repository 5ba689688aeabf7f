#include "denial_fixture.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
