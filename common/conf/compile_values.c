/* Setters of the plain kinds: switches, durations, sizes, numbers, words, paths, points in time. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/conf/compile_internal.h"

/* Last word of the key's path, as the user wrote it. */
static const char *word(const struct conf_key *key)
{
    return strrchr(key->path, '.') + 1;
}

const char *conf_scalar(struct conf *conf, const struct conf_key *key, yaml_node_t *node, const char *what)
{
    if (node->type != YAML_SCALAR_NODE)
        conf_complain(conf, conf_line(node), "%s takes one value; write %s", word(key), what);
    else if (node->data.scalar.length == 0)
        conf_complain(conf, conf_line(node), "%s has no value; write %s", word(key), what);
    else if (node->data.scalar.length >= 4096)
        conf_complain(conf, conf_line(node), "%s has a value of %zu octets; write %s", word(key),
                      node->data.scalar.length, what);
    else if (strlen((char *)node->data.scalar.value) != node->data.scalar.length)
        conf_complain(conf, conf_line(node), "%s has a value that is not text; write %s", word(key), what);
    else
        return (const char *)node->data.scalar.value;
    return NULL;
}

size_t conf_list(struct conf *conf, const struct conf_key *key, yaml_node_t *node, const char *what,
                 yaml_node_t ***ret_items)
{
    size_t count = 1;
    if (node->type == YAML_SEQUENCE_NODE)
        count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    else if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0) {
        conf_complain(conf, conf_line(node), "%s has no value; write [ ] for none, or a list of %s",
                      word(key), what);
        return 0;
    }
    yaml_node_t **items = conf_alloc(conf, count * sizeof(*items));
    if (!items || count == 0)
        return 0;
    items[0] = node;
    if (node->type == YAML_SEQUENCE_NODE)
        for (size_t i = 0; i < count; i++)
            items[i] = yaml_document_get_node(conf->document, node->data.sequence.items.start[i]);
    *ret_items = items;
    return count;
}

void conf_set_bool(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    const char *text = conf_scalar(conf, key, node, "true or false");
    protobuf_c_boolean *field = conf_field(conf, key->field);
    if (!text)
        return;
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 || strcasecmp(text, "on") == 0)
        *field = true;
    else if (strcasecmp(text, "false") == 0 || strcasecmp(text, "no") == 0 || strcasecmp(text, "off") == 0)
        *field = false;
    else
        conf_complain(conf, conf_line(node), "%s: \"%s\" is neither yes nor no; write true or false",
                      word(key), text);
}

/* Digits at the start of text; false when there are none or they overflow. */
static bool digits(const char *text, uint64_t *ret_number, const char **ret_rest)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    *ret_number = number;
    *ret_rest = end;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit durations[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                                        {"m", 60000},     {"s", 1000},     {"ms", 1}};
static const struct unit sizes[] = {
    {"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10}};

/* number in the largest unit that divides it. */
static const char *in_units(uint64_t number, const struct unit *units, size_t count, char buf[32])
{
    for (size_t i = 0; i < count; i++)
        if (number % units[i].factor == 0 && number > 0) {
            snprintf(buf, 32, "%" PRIu64 "%s", number / units[i].factor, units[i].name);
            return buf;
        }
    snprintf(buf, 32, "%" PRIu64 "%s", number, number == 0 && units == durations ? "s" : "");
    return buf;
}

static void set_quantity(struct conf *conf, const struct conf_key *key, yaml_node_t *node,
                         const struct unit *units, size_t count, const char *example, const char *names)
{
    const char *text = conf_scalar(conf, key, node, example), *rest;
    uint64_t *field = conf_field(conf, key->field), number;
    char least[32], most[32];
    if (!text)
        return;
    if (!digits(text, &number, &rest)) {
        conf_complain(conf, conf_line(node), "%s: \"%s\" is not a number with a unit; write for example %s",
                      word(key), text, example);
        return;
    }
    uint64_t factor = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(rest, units[i].name) == 0)
            factor = units[i].factor;
    if (factor == 0 && *rest == '\0' && number == 0)
        factor = 1; /* nothing is nothing in any unit */
    if (factor == 0) {
        if (*rest == '\0')
            conf_complain(conf, conf_line(node),
                          "%s: \"%s\" has no unit; write a number with %s, for example %s", word(key), text,
                          names, example);
        else
            conf_complain(conf, conf_line(node),
                          "%s: \"%s\" has an unknown unit; write a number with %s, "
                          "for example %s",
                          word(key), text, names, example);
        return;
    }
    uint64_t value;
    if (__builtin_mul_overflow(number, factor, &value) || value < key->min || value > key->max)
        conf_complain(conf, conf_line(node), "%s: %s is out of range; write %s to %s", word(key), text,
                      in_units(key->min, units, count, least), in_units(key->max, units, count, most));
    else
        *field = value;
}

void conf_set_duration(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    set_quantity(conf, key, node, durations, ARRAY_SIZE(durations), "1800ms, 30s, 5m or 3d",
                 "ms, s, m, h, d or w");
}

void conf_set_size(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    set_quantity(conf, key, node, sizes, ARRAY_SIZE(sizes), "256M", "K, M, G or T");
}

void conf_set_number(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    char example[48];
    snprintf(example, sizeof(example), "a number from %" PRIu64 " to %" PRIu64, key->min, key->max);
    const char *text = conf_scalar(conf, key, node, example), *rest;
    uint32_t *field = conf_field(conf, key->field);
    uint64_t number;
    if (!text)
        return;
    if (!digits(text, &number, &rest) || *rest)
        conf_complain(conf, conf_line(node), "%s: \"%s\" is not a whole number; write %s", word(key), text,
                      example);
    else if (number < key->min || number > key->max)
        conf_complain(conf, conf_line(node), "%s: %s is out of range; write %s", word(key), text, example);
    else
        *field = (uint32_t)number;
}

void conf_set_directory(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    const char *text = conf_scalar(conf, key, node, "an absolute path");
    char **field = conf_field(conf, key->field);
    if (!text)
        return;
    if (text[0] != '/')
        conf_complain(conf, conf_line(node), "%s: \"%s\" is not an absolute path; begin it with /", word(key),
                      text);
    else
        *field = conf_strdup(conf, text);
}

void conf_set_minimisation(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    const char *text = conf_scalar(conf, key, node, "relaxed, strict or off");
    Holdfast__Config__Minimisation *field = conf_field(conf, key->field);
    if (!text)
        return;
    if (strcmp(text, "relaxed") == 0)
        *field = HOLDFAST__CONFIG__MINIMISATION__RELAXED;
    else if (strcmp(text, "strict") == 0)
        *field = HOLDFAST__CONFIG__MINIMISATION__STRICT;
    else if (strcmp(text, "off") == 0)
        *field = HOLDFAST__CONFIG__MINIMISATION__OFF;
    else
        conf_complain(conf, conf_line(node), "%s: \"%s\" is no mode; write relaxed, strict or off", word(key),
                      text);
}

void conf_set_log_level(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
    const char *text = conf_scalar(conf, key, node, "error, warning, notice, info or debug");
    uint32_t *field = conf_field(conf, key->field);
    if (!text)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcmp(text, levels[i]) == 0) {
            *field = 3 + (uint32_t)i; /* syslog(3): LOG_ERR is 3 */
            return;
        }
    conf_complain(conf, conf_line(node),
                  "%s: \"%s\" is no level; write error, warning, notice, info or debug", word(key), text);
}

void conf_set_time(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    const char *text = conf_scalar(conf, key, node, "none, or a UTC time such as 2020-10-20T12:00:00Z");
    int64_t *field = conf_field(conf, key->field);
    if (!text)
        return;
    if (strcmp(text, "none") == 0) {
        *field = 0;
        return;
    }
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    /* timegm() mends the 30th of February into March: such a time is a slip, not a wish. */
    int day = tm.tm_mday;
    int64_t seconds = end && *end == '\0' ? timegm(&tm) : 0;
    if (seconds <= 0 || tm.tm_mday != day)
        conf_complain(conf, conf_line(node),
                      "%s: \"%s\" is no UTC time; write none or for example "
                      "2020-10-20T12:00:00Z",
                      word(key), text);
    else
        *field = seconds;
}
