#include "zone_text.h"

#include <ldns/ldns.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static struct rdata rdata_of(struct arena *arena, const ldns_rr *rr)
{
    ldns_buffer *buffer = ldns_buffer_new(LDNS_MAX_PACKETLEN);
    struct rdata rdata;

    assert_non_null(buffer);
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        assert_int_equal(ldns_rdf2buffer_wire(buffer, ldns_rr_rdf(rr, i)), LDNS_STATUS_OK);
    rdata = (struct rdata){.data = arena_copy(arena, ldns_buffer_begin(buffer), ldns_buffer_position(buffer)),
                           .size = (uint16_t)ldns_buffer_position(buffer)};
    ldns_buffer_free(buffer);
    return rdata;
}

static struct rrset *set_for(struct arena *arena, struct rrset_list *list, const uint8_t *owner,
                             uint16_t type)
{
    struct rrset *set = rrset_list_find(list, owner, type);
    struct rrset fresh = {.owner = owner, .type = type, .class = CLASS_IN};

    if (set)
        return set;
    assert_int_equal(rrset_list_add(arena, list, &fresh), 0);
    return &list->items[list->count - 1];
}

static struct rdata *grown(struct arena *arena, const struct rdata *old, uint16_t count, struct rdata last)
{
    struct rdata *array = arena_array(arena, count + 1u, sizeof(*array));

    assert_non_null(array);
    if (count)
        memcpy(array, old, count * sizeof(*array));
    array[count] = last;
    return array;
}

static void add_line(struct arena *arena, const char *line, struct rrset_list *list)
{
    ldns_rr *rr = NULL;
    ldns_rdf *previous = NULL;
    uint8_t owner[NAME_MAX];
    struct rdata rdata;
    struct rrset *set;

    if (ldns_rr_new_frm_str(&rr, line, 3600, NULL, &previous) != LDNS_STATUS_OK)
        fail_msg("not a record: %s", line);
    assert_int_equal(
        name_from_bytes(ldns_rdf_data(ldns_rr_owner(rr)), ldns_rdf_size(ldns_rr_owner(rr)), owner), 0);
    rdata = rdata_of(arena, rr);
    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG) {
        uint16_t covered = (uint16_t)(rdata.data[0] << 8 | rdata.data[1]);

        set = set_for(arena, list, arena_copy(arena, owner, name_size(owner)), covered);
        set->sig = grown(arena, set->sig, set->sig_count++, rdata);
        set->sig_ttl = ldns_rr_ttl(rr);
    } else {
        set =
            set_for(arena, list, arena_copy(arena, owner, name_size(owner)), (uint16_t)ldns_rr_get_type(rr));
        set->rdata = grown(arena, set->rdata, set->count++, rdata);
        set->ttl = ldns_rr_ttl(rr);
    }
    ldns_rdf_deep_free(previous);
    ldns_rr_free(rr);
}

void zone_text_read(struct arena *arena, const char *text, struct rrset_list *ret_list)
{
    char line[4096];

    while (*text) {
        size_t size = strcspn(text, "\n");

        assert_true(size < sizeof(line));
        memcpy(line, text, size);
        line[size] = '\0';
        if (size)
            add_line(arena, line, ret_list);
        text += size + (text[size] == '\n');
    }
}

struct rrset *zone_text_find(struct rrset_list *list, const char *owner, uint16_t type)
{
    uint8_t name[NAME_MAX];
    struct rrset *set;

    assert_int_equal(name_from_text(owner, name), 0);
    set = rrset_list_find(list, name, type);
    assert_non_null(set);
    return set;
}

const uint8_t *zone_text_name(struct arena *arena, const char *text)
{
    uint8_t name[NAME_MAX];

    assert_int_equal(name_from_text(text, name), 0);
    return arena_copy(arena, name, name_size(name));
}
