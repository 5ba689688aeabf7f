/* The little Internet's recursord, clock and client. */
#include "lab.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/build.h"

struct lab *lab_new(void)
{
    struct lab *lab = test_calloc(1, sizeof(*lab));

    lab->arena = arena_new(64u << 20);
    assert_int_equal(digester_new(&lab->digester), 0);
    lab->ops = digester_ops(lab->digester);
    assert_int_equal(verifier_new(&lab->verifier), 0);
    lab->store = memstore_new();
    memstore_view(lab->store, NULL, &lab->view);
    lab->env = (struct env){.mono = {.ns = NS_PER_S}, .wall = {.s = LAB_NOW}, .random = &lab->pool};
    lab->config = (struct val_config){.validate = true,
                                      .anchors = lab->anchors,
                                      .aggressive_denial = true,
                                      .nsec3_iterations = 50,
                                      .max_ttl_s = 86400,
                                      .stale_max_age_s = 3 * 86400,
                                      .stale_recheck_s = 30,
                                      .stale_answer_ttl_s = 30,
                                      .delegation_max_age_s = 604800};
    return lab;
}

void lab_free(struct lab *lab)
{
    val_core_free(lab->core);
    memstore_free(lab->store);
    verifier_free(lab->verifier);
    digester_free(lab->digester);
    for (unsigned i = 0; i < lab->zone_count; i++) {
        EVP_PKEY_free(lab->zones[i].key.pkey);
        EVP_PKEY_free(lab->zones[i].extra.pkey);
    }
    arena_free(lab->arena);
    test_free(lab);
}

struct lab_zone *lab_zone(struct lab *lab, const char *name, enum lab_denial denial, const char *text)
{
    char apex[512];
    const char *dot = strcmp(name, ".") == 0 ? "" : name;
    struct lab_zone *zone = &lab->zones[lab->zone_count++];

    assert_true(lab->zone_count <= LAB_ZONES);
    zone->name = zone_text_name(lab->arena, name);
    zone->denial = denial;
    snprintf(apex, sizeof(apex),
             "%s 3600 IN SOA ns.%s hostmaster.%s 1 7200 3600 1209600 900\n%s 3600 IN NS ns.%s\n"
             "ns.%s 3600 IN A 192.0.2.%u\n",
             name, dot, dot, name, dot, dot, lab->zone_count);
    zone_text_read(lab->arena, apex, &zone->sets);
    zone_text_read(lab->arena, text, &zone->sets);
    return zone;
}

struct lab_zone *lab_find(struct lab *lab, const char *name)
{
    const uint8_t *wire = zone_text_name(lab->arena, name);

    for (unsigned i = 0; i < lab->zone_count; i++)
        if (name_equal(lab->zones[i].name, wire))
            return &lab->zones[i];
    fail_msg("no zone %s", name);
    return NULL;
}

static struct lab_zone *parent_of(struct lab *lab, const struct lab_zone *child)
{
    struct lab_zone *best = NULL;

    for (unsigned i = 0; i < lab->zone_count; i++) {
        struct lab_zone *zone = &lab->zones[i];
        if (name_is_below(child->name, zone->name) &&
            (!best || name_labels(zone->name) > name_labels(best->name)))
            best = zone;
    }
    return best;
}

static struct rdata make_ds(struct lab *lab, const struct lab_zone *zone)
{
    uint8_t type = zone->ds_digest ? zone->ds_digest : DIGEST_SHA256;
    uint8_t digest[48] = {0}, *data = arena_alloc(lab->arena, 52);
    struct slice parts[2] = {slice_make(zone->name, name_size(zone->name)),
                             slice_make(zone->key.dnskey.data, zone->key.dnskey.size)};
    size_t size = 32;

    if (lab->ops.digest(lab->ops.ctx, type, parts, 2, digest, &size) != 0)
        size = 32; /* a digest nobody knows */
    data[0] = (uint8_t)(zone->key.tag >> 8);
    data[1] = (uint8_t)zone->key.tag;
    data[2] = zone->ds_algorithm ? zone->ds_algorithm : ALG_ED25519;
    data[3] = type;
    memcpy(data + 4, digest, size);
    if (zone->wrong_ds)
        data[4] ^= 1;
    return (struct rdata){.data = data, .size = (uint16_t)(4 + size)};
}

/* What the parent has of a child: NS, glue, DS. */
static void link_child(struct lab *lab, struct lab_zone *child)
{
    struct lab_zone *parent = parent_of(lab, child);

    if (!parent)
        return;
    for (uint32_t i = 0; i < child->sets.count; i++) {
        const struct rrset *set = &child->sets.items[i];
        bool glue = set->type == TYPE_A && set->owner[0] == 2 && memcmp(set->owner + 1, "ns", 2) == 0;
        if ((set->type == TYPE_NS && name_equal(set->owner, child->name)) || glue)
            assert_int_equal(rrset_list_add(lab->arena, &parent->sets, set), 0);
    }
    if (child->denial == LAB_UNSIGNED || child->no_ds)
        return;
    struct rdata ds = make_ds(lab, child);
    struct rrset set = {.owner = child->name, .type = TYPE_DS, .class = CLASS_IN, .ttl = 3600, .count = 1};
    set.rdata = arena_copy(lab->arena, &ds, sizeof(ds));
    assert_int_equal(rrset_list_add(lab->arena, &parent->sets, &set), 0);
}

void lab_link(struct lab *lab)
{
    for (unsigned i = 0; i < lab->zone_count; i++)
        if (!lab->zones[i].key.pkey)
            lab_prepare_keys(lab, &lab->zones[i]);
    for (unsigned i = 0; i < lab->zone_count; i++)
        link_child(lab, &lab->zones[i]);
}

void lab_anchor(struct lab *lab, const char *name)
{
    struct lab_zone *zone = lab_find(lab, name);
    struct val_anchor *anchor = &lab->anchors[lab->config.anchor_count++];

    if (!zone->key.pkey)
        lab_prepare_keys(lab, zone);
    name_copy(zone->name, anchor->zone);
    anchor->type = TYPE_DS;
    anchor->rdata = make_ds(lab, zone);
}

void lab_start(struct lab *lab)
{
    const struct siphash_key key = {1, 2};

    lab_link(lab);
    if (lab->config.anchor_count == 0)
        lab_anchor(lab, ".");
    lab->core = val_core_new(&lab->config, &lab->ops, &key);
    assert_non_null(lab->core);
}

static struct slice to_wire(struct lab *lab, const struct lab_reply *reply)
{
    uint8_t *wire = arena_alloc(lab->arena, 16384);
    struct builder b;

    build_begin(&b, wire, 16384, 0, (uint16_t)(reply->flags | reply->rcode));
    build_question(&b, reply->qname, reply->qtype, CLASS_IN);
    for (unsigned s = 0; s < 3; s++)
        for (uint32_t i = 0; i < reply->section[s].count; i++) {
            const struct rrset *set = &reply->section[s].items[i];
            assert_int_equal(build_rrset(&b, (enum section)s, set, set->ttl, true, 0), 0);
        }
    size_t size = build_end(&b);
    assert_true(size > 0);
    return slice_make(wire, size);
}

static struct lab_zone *zone_named(struct lab *lab, const uint8_t *name)
{
    for (unsigned i = 0; i < lab->zone_count; i++)
        if (name_equal(lab->zones[i].name, name))
            return &lab->zones[i];
    return NULL;
}

/* The zone of that name; of a made-up one, the zone above it speaks. */
static struct lab_zone *zone_at(struct lab *lab, const uint8_t *name)
{
    for (const uint8_t *at = name;; at = name_parent(at)) {
        struct lab_zone *zone = zone_named(lab, at);
        if (zone || name_is_root(at))
            return zone;
    }
}

/* The zone that answers on this zone's servers: itself, or a child that shares them. */
static struct lab_zone *on_server(struct lab *lab, struct lab_zone *zone, const uint8_t *qname,
                                  uint16_t qtype)
{
    for (unsigned i = 0; i < lab->zone_count; i++) {
        struct lab_zone *child = &lab->zones[i];
        bool inside =
            qtype == TYPE_DS ? name_is_below(qname, child->name) : name_is_under(qname, child->name);
        if (child->shared && inside && parent_of(lab, child) == zone) {
            zone = child;
            i = (unsigned)-1;
        }
    }
    return zone;
}

static void finish(struct lab *lab, uint64_t fetch, unsigned outcome, unsigned used)
{
    struct val_done done = {.fetch = fetch, .outcome = outcome, .upstream_used = used, .ede_code = EDE_NONE};

    assert_int_equal(val_core_done(lab->core, &lab->env, &lab->view, &done), 0);
}

/* Bytes of an action must be kept: the next call into the core may free them. */
static void fetch(struct lab *lab, const struct val_action *action)
{
    const uint8_t *qname = arena_copy(lab->arena, action->qname, name_size(action->qname));
    struct lab_zone *zone = zone_at(lab, action->cut ? action->cut : name_root);
    uint64_t id = action->fetch;
    uint16_t qtype = action->qtype;
    unsigned used = 0;

    assert_non_null(zone);
    if (lab->fetches < LAB_FETCHES)
        lab->fetched[lab->fetches] =
            (struct lab_fetch_note){.qname = qname, .qtype = qtype, .avoid_count = action->avoid_count};
    lab->fetches++;
    if (lab->hold_fetches) {
        assert_true(lab->held_count < LAB_FETCHES);
        lab->held[lab->held_count++] = id;
        return;
    }
    for (unsigned steps = 0; steps < 16; steps++) {
        struct lab_reply reply;
        const uint8_t *cut = zone->name;
        if (lab->down) {
            finish(lab, id, 1, used + 1);
            return;
        }
        lab_serve(lab, on_server(lab, zone, qname, qtype), qname, qtype, &reply);
        reply.cut = cut;
        if (lab->bend)
            lab->bend(lab, &reply);
        used++;
        lab->upstream++;
        if (reply.silent) {
            finish(lab, id, 1, used);
            return;
        }
        struct val_evidence evidence = {.fetch = id,
                                        .kind = reply.referral ? 1 : 2,
                                        .cut = reply.cut,
                                        .server = {.family = 4, .port = 53, .bytes = {192, 0, 2, 1}},
                                        .message = to_wire(lab, &reply)};
        assert_int_equal(val_core_evidence(lab->core, &lab->env, &lab->view, &evidence), 0);
        if (!reply.referral)
            break;
        const uint8_t *child = NULL;
        for (uint32_t i = 0; i < reply.section[SECTION_AUTHORITY].count; i++)
            if (reply.section[SECTION_AUTHORITY].items[i].type == TYPE_NS)
                child = reply.section[SECTION_AUTHORITY].items[i].owner;
        zone = child ? zone_at(lab, child) : NULL;
        if (!zone)
            break;
    }
    finish(lab, id, 0, used);
}

static void keep_verdict(struct lab *lab, const struct val_action *action)
{
    struct lab_verdict *v = &lab->verdicts[lab->verdict_count % LAB_VERDICTS];
    struct rrset_list lists[2] = {{0}, {0}};
    const struct rrset_list *from[2] = {&action->answer->answer, &action->answer->authority};

    for (unsigned l = 0; l < 2; l++)
        for (uint32_t i = 0; i < from[l]->count; i++) {
            struct rrset copy;
            assert_int_equal(rrset_copy(lab->arena, &from[l]->items[i], &copy), 0);
            assert_int_equal(rrset_list_add(lab->arena, &lists[l], &copy), 0);
        }
    *v = (struct lab_verdict){
        .client = action->client, .id = action->id, .epoch = action->epoch, .answer = *action->answer};
    v->answer.answer = lists[0];
    v->answer.authority = lists[1];
    lab->verdict_count++;
}

struct pending {
    struct val_action fetch;
    uint64_t verify;
    enum verify_outcome outcome;
};

/* As the shell persists it, at once; or fails to. */
static void lab_take_anchor(struct lab *lab, const struct val_action *action)
{
    uint8_t zone[NAME_MAX];

    for (unsigned i = 0; i < action->events->count; i++)
        lab->anchor_events[action->events->list[i].kind]++;
    name_copy(action->zone, zone);
    if (!lab->anchors_unwritable)
        assert_int_equal(memstore_apply(lab->store, &action->write, false), 0);
    if (!action->effective)
        return;
    if (!lab->anchors_unwritable)
        val_core_set_epoch(lab->core, ++lab->epoch);
    val_core_anchor_written(lab->core, &lab->env, &lab->view, zone, !lab->anchors_unwritable);
}

void lab_drive(struct lab *lab)
{
    for (;;) {
        struct pending *queue = calloc(4096, sizeof(*queue));
        unsigned count = 0;
        struct val_action action;

        /* The shell drains all actions before it hands in the next event. */
        while (val_core_next_action(lab->core, &action)) {
            switch (action.kind) {
            case VAL_ACTION_FETCH:
                action.qname = arena_copy(lab->arena, action.qname, name_size(action.qname));
                if (action.cut)
                    action.cut = arena_copy(lab->arena, action.cut, name_size(action.cut));
                assert_true(count < 4096);
                queue[count++] = (struct pending){.fetch = action};
                break;
            case VAL_ACTION_CANCEL:
                break;
            case VAL_ACTION_VERIFY:
                assert_true(count < 4096);
                queue[count++] = (struct pending){
                    .verify = action.verify,
                    .outcome = lab->no_verify ? VERIFY_BAD : verifier_check(lab->verifier, &action.request)};
                lab->verifications++;
                break;
            case VAL_ACTION_VERDICT:
                keep_verdict(lab, &action);
                break;
            case VAL_ACTION_WRITE:
                lab->writes++;
                assert_int_equal(memstore_apply(lab->store, &action.write, false), 0);
                break;
            case VAL_ACTION_EVENT:
                break;
            case VAL_ACTION_ANCHOR:
                lab_take_anchor(lab, &action);
                break;
            }
        }
        for (unsigned i = 0; i < count; i++) {
            if (queue[i].verify)
                assert_int_equal(
                    val_core_verified(lab->core, &lab->env, &lab->view, queue[i].verify, queue[i].outcome),
                    0);
            else
                fetch(lab, &queue[i].fetch);
        }
        free(queue);
        if (count == 0)
            return;
    }
}

void lab_question(struct lab *lab, const char *name, uint16_t type, bool cd, uint64_t client,
                  struct budget *budget)
{
    struct val_question question = {.client = client,
                                    .id = client + 100,
                                    .qname = zone_text_name(lab->arena, name),
                                    .qtype = type,
                                    .checking_disabled = cd,
                                    .budget = budget ? *budget : budget_fresh(lab->env.mono)};

    assert_int_equal(val_core_resolve(lab->core, &lab->env, &lab->view, &question), 0);
}

const struct answer *lab_ask_cd(struct lab *lab, const char *name, uint16_t type, bool cd)
{
    unsigned before = lab->verdict_count;

    lab_question(lab, name, type, cd, 1, NULL);
    lab_drive(lab);
    if (lab->verdict_count != before + 1)
        fail_msg("%s: %u verdicts", name, lab->verdict_count - before);
    return &lab->verdicts[before % LAB_VERDICTS].answer;
}

const struct answer *lab_ask(struct lab *lab, const char *name, uint16_t type)
{
    return lab_ask_cd(lab, name, type, false);
}

void lab_pass(struct lab *lab, uint64_t seconds)
{
    uint64_t end = lab->env.mono.ns + seconds * NS_PER_S;
    int64_t wall = lab->env.wall.s + (int64_t)seconds;

    while (val_core_deadline(lab->core).ns <= end) {
        uint64_t at = val_core_deadline(lab->core).ns;
        if (at > lab->env.mono.ns)
            lab->env.mono.ns = at;
        assert_int_equal(val_core_tick(lab->core, &lab->env, &lab->view), 0);
        lab_drive(lab);
    }
    lab->env.mono.ns = end;
    lab->env.wall.s = wall;
}

void lab_reset(struct lab *lab, bool cache)
{
    lab_pass(lab, 10);
    if (cache)
        memstore_clear(lab->store);
    lab->upstream = lab->fetches = lab->verifications = lab->writes = lab->bent = 0;
}

void lab_strip(struct lab_reply *reply, enum section section)
{
    for (uint32_t i = 0; i < reply->section[section].count; i++)
        reply->section[section].items[i].sig_count = 0;
}

struct rrset *lab_add(struct lab *lab, struct lab_reply *reply, enum section section, const char *text)
{
    struct rrset_list list = {0};

    zone_text_read(lab->arena, text, &list);
    assert_int_equal(list.count, 1);
    assert_int_equal(rrset_list_add(lab->arena, &reply->section[section], &list.items[0]), 0);
    return &reply->section[section].items[reply->section[section].count - 1];
}

bool lab_has_ede(const struct answer *answer, uint16_t code)
{
    for (unsigned i = 0; i < answer->ede_count; i++)
        if (answer->ede[i].code == code)
            return true;
    return false;
}

const char *lab_ede_text(const struct answer *answer, uint16_t code)
{
    static char text[ANSWER_EDE_TEXT + 1];

    text[0] = '\0';
    for (unsigned i = 0; i < answer->ede_count; i++)
        if (answer->ede[i].code == code)
            snprintf(text, sizeof(text), "%.*s", answer->ede[i].text_size, answer->ede[i].text);
    return text;
}
