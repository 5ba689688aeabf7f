#include "denial_fixture.h"

int denial_setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(1 << 20);
    assert_int_equal(digester_new(&f->digester), 0);
    f->ops = digester_ops(f->digester);
    *state = f;
    return 0;
}

int denial_teardown(void **state)
{
    struct fixture *f = *state;

    digester_free(f->digester);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

void proof(struct fixture *f, const char *zone, const char *text)
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
}

int nxdomain(struct fixture *f, const char *qname)
{
    return denial_nxdomain(&f->denial, zone_text_name(f->arena, qname));
}

int nodata(struct fixture *f, const char *qname, uint16_t qtype)
{
    return denial_nodata(&f->denial, zone_text_name(f->arena, qname), qtype);
}

int wildcard_answer(struct fixture *f, const char *qname, unsigned ce_labels)
{
    return denial_wildcard_answer(&f->denial, zone_text_name(f->arena, qname), ce_labels);
}

enum no_ds no_ds(struct fixture *f, const char *name)
{
    return denial_no_ds(&f->denial, zone_text_name(f->arena, name));
}
