#include "common/wire/error_report.h"

#include <string.h>

static const uint8_t er_label[] = {3, '_', 'e', 'r'};

int error_report_agent(struct slice option, uint8_t ret_agent[NAME_MAX])
{
    uint8_t agent[NAME_MAX];

    if (option.size == 0 || name_from_bytes(option.data, option.size, agent) || name_is_root(agent))
        return 1;
    name_copy(agent, ret_agent);
    return 0;
}

/* The number as one label; at most six octets. */
static size_t number_label(uint16_t number, uint8_t ret_label[6])
{
    uint8_t digits[5];
    size_t count = 0;

    do
        digits[count++] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    ret_label[0] = (uint8_t)count;
    for (size_t i = 0; i < count; i++)
        ret_label[1 + i] = digits[count - 1 - i];
    return count + 1;
}

int error_report_name(const uint8_t *name, uint16_t type, uint16_t ede, const uint8_t *agent,
                      uint8_t ret_name[NAME_MAX])
{
    uint8_t type_label[6], ede_label[6];
    const struct slice parts[] = {
        {.data = er_label, .size = sizeof(er_label)},
        {.data = type_label, .size = number_label(type, type_label)},
        {.data = name, .size = name_size(name) - 1}, /* without the root's label */
        {.data = ede_label, .size = number_label(ede, ede_label)},
        {.data = er_label, .size = sizeof(er_label)},
        {.data = agent, .size = name_size(agent)},
    };
    size_t size = 0;

    /* THREATS, "Report name": the length is known before a byte is written. */
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        size += parts[i].size;
    if (size > NAME_MAX)
        return 1;
    size = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        memcpy(ret_name + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    return 0;
}

bool error_report_is_one(const uint8_t *name)
{
    for (const uint8_t *at = name; !name_is_root(at); at = name_parent(at))
        if (memcmp(at, er_label, MIN(sizeof(er_label), (size_t)at[0] + 1)) == 0)
            return true;
    return false;
}
