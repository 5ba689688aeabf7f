#include "common/wire/answer.h"

#include <string.h>

#include "common/wire/build.h"

/* More RRsets than any answer within the limits has: 11 CNAME steps with their proofs, 8 NSEC3 sets a proof.
 */
#define ANSWER_MAX_RRSETS 512u

void answer_add_ede(struct answer *answer, uint16_t code, const char *text, size_t text_size)
{
    for (unsigned i = 0; i < answer->ede_count; i++)
        if (answer->ede[i].code == code)
            return;
    if (answer->ede_count == ANSWER_MAX_EDE)
        return;
    struct answer_ede *ede = &answer->ede[answer->ede_count++];
    ede->code = code;
    ede->text_size = (uint16_t)MIN(text_size, (size_t)ANSWER_EDE_TEXT);
    if (ede->text_size)
        memcpy(ede->text, text, ede->text_size);
}

static int put_list(struct builder *b, enum section section, const struct rrset_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (build_rrset(b, section, &list->items[i], list->items[i].ttl, true, 0) != 0)
            return 1;
    return 0;
}

size_t answer_to_wire(const struct answer *answer, const uint8_t *qname, uint16_t qtype, void *wire,
                      size_t room)
{
    struct builder b;
    struct edns_reply opt = {.payload_size = UINT16_MAX,
                             .flags = EDNS_FLAG_DO,
                             .rcode = answer->rcode,
                             .keepalive_ds = -1,
                             .ede_count = answer->ede_count};
    for (unsigned i = 0; i < answer->ede_count; i++)
        opt.ede[i] = (struct edns_ede){
            .code = answer->ede[i].code, .text_size = answer->ede[i].text_size, .text = answer->ede[i].text};
    build_begin(&b, wire, room, 0, (uint16_t)(FLAG_QR | FLAG_RA | (answer->rcode & 0xfu)));
    build_question(&b, qname, qtype, CLASS_IN);
    if (put_list(&b, SECTION_ANSWER, &answer->answer) || put_list(&b, SECTION_AUTHORITY, &answer->authority))
        return 0;
    build_opt(&b, &opt);
    return build_end(&b);
}

int answer_from_wire(struct arena *arena, const void *wire, size_t size, struct answer *ret_answer)
{
    struct message message;
    struct answer answer = {0};
    int r = message_parse(arena, wire, size, &message);
    if (r != MESSAGE_OK)
        return r < 0 ? r : 1;
    answer.rcode = message.rcode;
    r = message_rrsets(arena, &message, SECTION_ANSWER, ANSWER_MAX_RRSETS, &answer.answer);
    if (r != 0)
        return r;
    r = message_rrsets(arena, &message, SECTION_AUTHORITY, ANSWER_MAX_RRSETS, &answer.authority);
    if (r != 0)
        return r;
    for (unsigned i = 0; i < message.edns.ede_count; i++)
        answer_add_ede(&answer, message.edns.ede[i].code, message.edns.ede[i].text,
                       message.edns.ede[i].text_size);
    *ret_answer = answer;
    return 0;
}
