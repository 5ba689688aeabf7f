/* Names: from wire, bytes and text, and what must hold between the results. The first octet tells where in
 * the rest, taken as a message, a name is read. */

#include "common/wire/reader.h"
#include "fuzz/fuzz.h"

static void check_text(const uint8_t *name)
{
    char text[NAME_TEXT_MAX];
    uint8_t back[NAME_MAX];
    name_to_text(name, text);
    CHECK(name_from_text(text, back) == 0);
    CHECK(name_equal(name, back));
    CHECK(name_size(back) == name_size(name));
}

static void check_one(const uint8_t *name)
{
    uint8_t lower[NAME_MAX], wild[NAME_MAX];
    size_t size = name_copy(name, lower);
    CHECK(size >= 1 && size <= NAME_MAX);
    CHECK(name_labels(name) <= NAME_MAX_LABELS);
    CHECK(name_compare(name, lower) == 0);
    CHECK(name_is_under(name, name) && name_is_under(name, name_root));
    CHECK(name_from_bytes(name, size, wild) == 0 && memcmp(wild, lower, size) == 0);
    if (name_make_wildcard(name, wild) == 0)
        CHECK(name_is_wildcard(wild) && name_is_below(wild, name) && name_size(wild) == size + 2);
    else
        CHECK(size + 2 > NAME_MAX);
    check_text(name);
}

static void check_pair(const uint8_t *a, const uint8_t *b)
{
    int order = name_compare(a, b), back = name_compare(b, a);
    CHECK((order > 0) == (back < 0) && (order == 0) == (back == 0));
    CHECK((order == 0) == name_equal(a, b));
    unsigned common = name_common_labels(a, b);
    CHECK(common == name_common_labels(b, a));
    CHECK(name_equal(name_suffix(a, common), name_suffix(b, common)));
    CHECK(name_is_under(a, b) == (common == name_labels(b)));
    uint8_t joined[NAME_MAX];
    if (name_join(a, name_labels(a), b, joined) == 0) {
        CHECK(name_is_under(joined, b));
        check_one(joined);
    }
    if (name_is_below(a, b) && name_substitute(a, b, name_root, joined) == 0)
        CHECK(name_labels(joined) == name_labels(a) - name_labels(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t at = fuzz_u8(&in);
    struct reader r = reader_make(in.data, in.left);
    uint8_t names[2][NAME_MAX];
    r.at = MIN(at, in.left);
    if (reader_name(&r, true, names[0], NULL)) {
        check_one(names[0]);
        if (reader_name(&r, true, names[1], NULL)) {
            check_one(names[1]);
            check_pair(names[0], names[1]);
        }
    }
    if (name_from_bytes(in.data, in.left, names[0]) == 0)
        check_one(names[0]);
    char *text = malloc(in.left + 1);
    CHECK(text);
    memcpy(text, in.data, in.left);
    text[in.left] = '\0';
    if (name_from_text(text, names[0]) == 0)
        check_one(names[0]);
    free(text);
    return 0;
}
