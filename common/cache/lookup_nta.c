/* Answers accepted under a negative trust anchor say so, from the cache as from validation (EDE 33): who
 * reads the cache sees the NTAs in it. What validated before the NTA came has no AD from then on; what
 * validates under it does so by a trust anchor further down, and keeps it (RFC 7646 4). */

#include "common/cache/lookup_search.h"

/* Is there an NTA in force at or above the name, added at `since` or later? */
static bool covered(const struct lookup *lookup, const uint8_t *name, int64_t since)
{
    const struct cache_view *view = lookup->view;
    struct cache_nta nta;
    struct cache_key key;
    struct slice value;
    for (unsigned labels = name_labels(name);; labels--) {
        const uint8_t *node = name_suffix(name, labels);
        if (cache_key_name(node, &key) == 0 &&
            view->get(view->ctx, CACHE_NTA, cache_key_slice(&key), &value) == 0 &&
            cache_nta_decode(lookup->arena, cache_key_slice(&key), value, &nta) == 0 &&
            nta.expires.s > lookup->now.s && nta.added.s >= since)
            return true;
        if (labels == 0)
            return false;
    }
}

void search_note_nta(struct search *search, const uint8_t *name)
{
    const struct lookup *lookup = search->lookup;
    const struct cache_key least = {.size = 1};
    struct slice key, value;
    bool secure = search->answer.security == SECURITY_SECURE;
    int64_t since = secure ? search->oldest : INT64_MIN;
    if (!secure && search->answer.security != SECURITY_INSECURE)
        return;
    /* Nearly always there is none at all: one look, not one a label. */
    if (lookup->view->seek_ge(lookup->view->ctx, CACHE_NTA, cache_key_slice(&least), &key, &value))
        return;
    bool found = covered(lookup, name, since);
    for (uint32_t i = 0; i < search->answer.answer.count && !found; i++)
        found = covered(lookup, search->answer.answer.items[i].owner, since);
    if (!found)
        return;
    search->answer.authentic = false;
    answer_add_ede(&search->answer, EDE_NEGATIVE_TRUST_ANCHOR, "", 0);
}
