/* How a report of a daemon looks as text: fields under each other, lists as tables. Reports are JSON whose
 * shape is known in part; what is not known is shown the same way as what is. */

#include <inttypes.h>
#include <libsmartcols.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemons/holdfastctl/ctl.h"

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

char *ctl_duration_text(int64_t seconds, char buf[48])
{
    static const struct {
        const char *name;
        int64_t s;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    const char *sign = seconds < 0 ? "-" : "";
    seconds = seconds < 0 ? -seconds : seconds;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (seconds < units[i].s && i + 1 < ARRAY_SIZE(units))
            continue;
        int64_t whole = seconds / units[i].s, rest = seconds % units[i].s;
        if (i + 1 < ARRAY_SIZE(units) && rest / units[i + 1].s > 0)
            snprintf(buf, 48, "%s%" PRIi64 "%s %" PRIi64 "%s", sign, whole, units[i].name,
                     rest / units[i + 1].s, units[i + 1].name);
        else
            snprintf(buf, 48, "%s%" PRIi64 "%s", sign, whole, units[i].name);
        return buf;
    }
    return buf;
}

char *ctl_size_text(uint64_t bytes, char buf[48])
{
    static const char units[] = "KMGT";
    double value = (double)bytes;
    int unit = -1;
    for (; value >= 1024 && unit < 3; unit++)
        value /= 1024;
    if (unit < 0)
        snprintf(buf, 48, "%" PRIu64 " bytes", bytes);
    else
        snprintf(buf, 48, "%.1f%c", value, units[unit]);
    return buf;
}

static void put(char *buf, size_t room, const char *text)
{
    size_t size = strlen(buf);
    snprintf(buf + size, room - size, "%s", text);
}

/* Keys whose number is a point in time. */
static bool is_moment(const char *key)
{
    static const char words[][12] = {"added", "expires", "started", "stored", "validated"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t size = strlen(key), word_size = strlen(words[i]);
        if (size >= word_size && strcmp(key + size - word_size, words[i]) == 0 &&
            (size == word_size || key[size - word_size - 1] == '_'))
            return true;
    }
    return ends_with(key, "_at_s");
}

/* A value that is neither object nor array. The key tells the unit. */
static void put_scalar(const char *key, const json_t *value, char *buf, size_t room)
{
    char text[64];
    if (json_is_string(value)) {
        put(buf, room, json_string_value(value));
    } else if (json_is_integer(value)) {
        int64_t number = json_integer_value(value);
        time_t when = number;
        struct tm tm;
        if (is_moment(key))
            put(buf, room,
                gmtime_r(&when, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) ? text
                                                                                                   : "");
        else if (ends_with(key, "_s"))
            put(buf, room, ctl_duration_text(number, text));
        else if (ends_with(key, "_bytes") && number >= 0)
            put(buf, room, ctl_size_text((uint64_t)number, text));
        else {
            snprintf(text, sizeof(text), "%" PRIi64 "%s", number,
                     ends_with(key, "_ms")   ? "ms"
                     : ends_with(key, "_us") ? "us"
                                             : "");
            put(buf, room, text);
        }
    } else if (json_is_real(value)) {
        snprintf(text, sizeof(text), "%.3g%s", json_real_value(value), ends_with(key, "_ms") ? "ms" : "");
        put(buf, room, text);
    } else if (json_is_boolean(value)) {
        put(buf, room, json_is_true(value) ? "yes" : "no");
    } else {
        put(buf, room, "-");
    }
}

/* One level of what is inside, behind it nothing but its kind: text of a cell does not nest deeper. */
static void put_inner(const char *key, const json_t *value, char *buf, size_t room)
{
    if (json_is_object(value) || json_is_array(value))
        put(buf, room, json_is_object(value) ? "{...}" : "[...]");
    else
        put_scalar(key, value, buf, room);
}

char *ctl_value_text(const char *key, const json_t *value, char *buf, size_t room)
{
    const char *inner_key;
    json_t *inner;
    size_t index;
    buf[0] = '\0';
    if (json_is_array(value)) {
        json_array_foreach(value, index, inner)
        {
            put(buf, room, index ? ", " : "");
            if (json_is_object(inner)) {
                const char *k;
                json_t *v;
                bool first = true;
                json_object_foreach(inner, k, v)
                {
                    put(buf, room, first ? "" : " ");
                    put_inner(k, v, buf, room);
                    first = false;
                }
            } else {
                put_inner(key, inner, buf, room);
            }
        }
        if (json_array_size(value) == 0)
            put(buf, room, "none");
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, inner_key, inner)
        {
            put(buf, room, buf[0] ? " " : "");
            put(buf, room, inner_key);
            put(buf, room, "=");
            put_inner(inner_key, inner, buf, room);
        }
    } else {
        put_scalar(key, value, buf, room);
    }
    return buf;
}

char *ctl_label(const char *key, char buf[64])
{
    static const char suffixes[][8] = {"_at_s", "_bytes", "_ms", "_us", "_s"};
    static const char whole[][8] = {"pid", "ttl", "ede", "nta", "ds", "ns", "rtt", "tcp", "udp", "srtt"};
    size_t size = MIN(strlen(key), 63u);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (ends_with(key, suffixes[i])) {
            size -= strlen(suffixes[i]);
            break;
        }
    memcpy(buf, key, size);
    buf[size] = '\0';
    for (char *c = buf; *c; c++)
        if (*c == '_' || *c == '-')
            *c = ' ';
    size_t first = strcspn(buf, " ");
    for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
        if (strlen(whole[i]) == first && strncmp(buf, whole[i], first) == 0) {
            for (size_t at = 0; at < first; at++)
                buf[at] = (char)(buf[at] - 'a' + 'A');
            return buf;
        }
    if (buf[0] >= 'a' && buf[0] <= 'z')
        buf[0] = (char)(buf[0] - 'a' + 'A');
    return buf;
}

void ctl_print_fields(struct ctl *ctl, const json_t *object, const char *const *skip, int indent)
{
    int width = 0;
    const char *key;
    json_t *value;
    char label[64], text[4096];
    json_object_foreach((json_t *)object, key, value) width = MAX(width, (int)strlen(ctl_label(key, label)));
    json_object_foreach((json_t *)object, key, value)
    {
        bool skipped = false;
        for (const char *const *name = skip; name && *name; name++)
            skipped |= strcmp(*name, key) == 0;
        if (skipped)
            continue;
        ctl_label(key, label);
        if (json_is_object(value) && json_object_size(value) > 0) {
            const char *inner_key;
            json_t *inner;
            int inner_width = 0;
            char inner_label[64];
            fprintf(ctl->out, "%*s%s:\n", indent + width - (int)strlen(label), "", label);
            json_object_foreach(value, inner_key, inner) inner_width =
                MAX(inner_width, (int)strlen(ctl_label(inner_key, inner_label)));
            json_object_foreach(value, inner_key, inner) fprintf(
                ctl->out, "%*s%*s: %s\n", indent + width + 2, "", inner_width,
                ctl_label(inner_key, inner_label), ctl_value_text(inner_key, inner, text, sizeof(text)));
        } else {
            fprintf(ctl->out, "%*s%*s: %s\n", indent, "", width, label,
                    ctl_value_text(key, value, text, sizeof(text)));
        }
    }
}

/* The columns of a list: those asked for that some row has, then what else rows have, in order of appearance.
 */
#define MAX_COLUMNS 24u

static size_t find_columns(const json_t *rows, const char *const *first, const char *columns[MAX_COLUMNS])
{
    size_t count = 0, index;
    json_t *row;
    for (; first && *first && count < MAX_COLUMNS; first++) {
        bool there = false;
        json_array_foreach(rows, index, row) there |= json_object_get(row, *first) != NULL;
        if (there)
            columns[count++] = *first;
    }
    json_array_foreach(rows, index, row)
    {
        const char *key;
        json_t *value;
        json_object_foreach(row, key, value)
        {
            bool known = false;
            for (size_t i = 0; i < count; i++)
                known |= strcmp(columns[i], key) == 0;
            if (!known && count < MAX_COLUMNS)
                columns[count++] = key;
        }
    }
    return count;
}

static bool is_number_column(const json_t *rows, const char *key)
{
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        const json_t *value = json_object_get(row, key);
        if (value && !json_is_number(value) && !json_is_null(value))
            return false;
    }
    return true;
}

int ctl_print_table(struct ctl *ctl, const json_t *rows, const char *const *first)
{
    const char *columns[MAX_COLUMNS];
    size_t count = find_columns(rows, first, columns), index;
    struct libscols_table *table = scols_new_table();
    if (!table)
        return ctl_fail(ctl, CTL_FAILED, "memory is short");
    scols_table_set_stream(table, ctl->out);
    scols_table_enable_noheadings(table, !ctl->legend);
    if (ctl->out != stdout || !isatty(STDOUT_FILENO))
        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    for (size_t i = 0; i < count; i++) {
        char label[64];
        ctl_label(columns[i], label);
        for (char *c = label; *c; c++)
            *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        bool number = is_number_column(rows, columns[i]), last = i + 1 == count;
        scols_table_new_column(table, label, 0, number ? SCOLS_FL_RIGHT : last ? SCOLS_FL_WRAP : 0);
    }
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        for (size_t i = 0; line && i < count; i++) {
            char text[4096];
            const json_t *value = json_object_get(row, columns[i]);
            scols_line_set_data(line, i, value ? ctl_value_text(columns[i], value, text, sizeof(text)) : "");
        }
    }
    int r = json_array_size(rows) > 0 ? scols_print_table(table) : 0;
    scols_unref_table(table);
    return r < 0 ? ctl_fail(ctl, CTL_FAILED, "cannot print the table: %s", strerror(-r)) : CTL_OK;
}

int ctl_print_report(struct ctl *ctl, const json_t *value, const char *array, const char *const *columns)
{
    if (ctl->json != CTL_JSON_OFF) {
        ctl_print_json(ctl, value);
        return CTL_OK;
    }
    const json_t *rows = array ? json_object_get(value, array) : NULL;
    if (!json_is_array(rows)) {
        ctl_print_fields(ctl, value, NULL, 0);
        return CTL_OK;
    }
    int code = ctl_print_table(ctl, rows, columns);
    const char *skip[] = {array, NULL};
    if (code == CTL_OK && ctl->legend) {
        fprintf(ctl->out, "%s%zu listed.\n", json_array_size(rows) ? "\n" : "", json_array_size(rows));
        ctl_print_fields(ctl, value, skip, 0);
    }
    return code;
}
