/* Setters of addresses: where to listen, whom to serve, whom to ask, and the zones they belong to. */

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf/compile_internal.h"

static const char *word(const struct conf_key *key)
{
    return strrchr(key->path, '.') + 1;
}

/* Text of an item of a list, or NULL after complaining. */
static const char *item_text(struct conf *conf, const struct conf_key *key, yaml_node_t *item,
                             const char *what)
{
    if (item->type == YAML_SCALAR_NODE && item->data.scalar.length > 0 && item->data.scalar.length < 1024 &&
        strlen((const char *)item->data.scalar.value) == item->data.scalar.length)
        return (const char *)item->data.scalar.value;
    conf_complain(conf, conf_line(item), "%s holds something that is no %s; write a list of them in quotes",
                  word(key), what);
    return NULL;
}

/* 4 or 16 octets; false: not an address. */
static bool address_from_text(struct conf *conf, const char *text, ProtobufCBinaryData *ret_address)
{
    uint8_t bytes[16];
    size_t size = inet_pton(AF_INET, text, bytes) == 1 ? 4 : inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
    if (size == 0)
        return false;
    uint8_t *copy = conf_alloc(conf, size);
    if (!copy)
        return false;
    memcpy(copy, bytes, size);
    *ret_address = (ProtobufCBinaryData){.data = copy, .len = size};
    return true;
}

static bool port_from_text(const char *text, uint32_t *ret_port)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || port == 0 || port > 65535)
        return false;
    *ret_port = (uint32_t)port;
    return true;
}

int conf_name(struct conf *conf, const char *text, ProtobufCBinaryData *ret_name)
{
    ldns_rdf *name = NULL;
    if (ldns_str2rdf_dname(&name, text) != LDNS_STATUS_OK || !name)
        return 1;
    ldns_dname2canonical(name);
    uint8_t *copy = conf_alloc(conf, ldns_rdf_size(name));
    if (copy) {
        memcpy(copy, ldns_rdf_data(name), ldns_rdf_size(name));
        *ret_name = (ProtobufCBinaryData){.data = copy, .len = ldns_rdf_size(name)};
    }
    ldns_rdf_deep_free(name);
    return copy ? 0 : 1;
}

/* transport://address:port, IPv6 in brackets, the port may be left out; https:// may have a path. */
static bool endpoint_from_text(struct conf *conf, unsigned line, const char *text,
                               Holdfast__Config__Endpoint *endpoint)
{
    const char *host = strstr(text, "://"), *form = "udp://127.0.0.1:53 or tcp://[::1]:53";
    if (!host) {
        conf_complain(conf, line, "listen: \"%s\" names no transport; write for example %s", text, form);
        return false;
    }
    size_t scheme = (size_t)(host - text);
    if ((scheme == 3 && strncmp(text, "tls", 3) == 0) || (scheme == 5 && strncmp(text, "https", 5) == 0)) {
        conf_complain(conf, line,
                      "listen: \"%s\" needs TLS, and this version answers over udp and tcp; write %s", text,
                      form);
        return false;
    }
    if (scheme != 3 || (strncmp(text, "udp", 3) != 0 && strncmp(text, "tcp", 3) != 0)) {
        conf_complain(conf, line, "listen: \"%.*s\" is no transport; write udp or tcp, for example %s",
                      (int)scheme, text, form);
        return false;
    }
    endpoint->transport = text[0] == 'u' ? HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP
                                         : HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__TCP;
    host += 3;
    char address[64];
    bool bracket = host[0] == '[';
    size_t size = bracket ? strcspn(host + 1, "]") : strcspn(host, ":");
    const char *rest = host + size + (bracket ? 1 : 0);
    if (bracket && *rest == ']')
        rest++;
    snprintf(address, sizeof(address), "%.*s", (int)MIN(size, 63u), bracket ? host + 1 : host);
    if (!address_from_text(conf, address, &endpoint->address) || (endpoint->address.len == 16) != bracket) {
        conf_complain(conf, line, "listen: \"%s\" holds no IP address; write %s", text, form);
        return false;
    }
    endpoint->port = 53;
    if (*rest == '\0' || (*rest == ':' && port_from_text(rest + 1, &endpoint->port)))
        return true;
    conf_complain(conf, line, "listen: \"%s\" ends in no port; write :53, or any from :1 to :65535", text);
    return false;
}

static void put_list(struct conf *conf, const struct conf_key *key, size_t count, void *items)
{
    if (conf->failure)
        return;
    *(size_t *)conf_field(conf, key->field) = count;
    *(void **)conf_field(conf, key->items) = items;
}

void conf_set_endpoints(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    yaml_node_t **items;
    size_t count = conf_list(conf, key, node, "endpoints", &items), used = 0;
    if (count == 0 && node->type == YAML_SEQUENCE_NODE)
        conf_complain(conf, conf_line(node),
                      "listen is empty, nobody could ask; write [ \"udp://127.0.0.1:53\", "
                      "\"tcp://127.0.0.1:53\" ]");
    Holdfast__Config__Endpoint **list = conf_alloc(conf, count * sizeof(*list));
    for (size_t i = 0; i < count && list; i++) {
        const char *text = item_text(conf, key, items[i], "endpoint");
        Holdfast__Config__Endpoint *endpoint = conf_alloc(conf, sizeof(*endpoint));
        if (!text || !endpoint)
            continue;
        holdfast__config__endpoint__init(endpoint);
        if (!endpoint_from_text(conf, conf_line(items[i]), text, endpoint))
            continue;
        bool twice = false;
        for (size_t j = 0; j < used; j++)
            twice |= list[j]->transport == endpoint->transport && list[j]->port == endpoint->port &&
                     list[j]->address.len == endpoint->address.len &&
                     memcmp(list[j]->address.data, endpoint->address.data, endpoint->address.len) == 0;
        if (twice)
            conf_complain(conf, conf_line(items[i]), "listen: \"%s\" is there twice; remove one", text);
        else
            list[used++] = endpoint;
    }
    put_list(conf, key, used, list);
}

/* address/length; an address alone is that one host. */
static bool prefix_from_text(struct conf *conf, const struct conf_key *key, unsigned line, const char *text,
                             Holdfast__Config__Prefix *prefix)
{
    char address[64];
    size_t size = strcspn(text, "/");
    snprintf(address, sizeof(address), "%.*s", (int)MIN(size, 63u), text);
    if (!address_from_text(conf, address, &prefix->address)) {
        conf_complain(conf, line, "%s: \"%s\" is no prefix; write for example 192.0.2.0/24 or 2001:db8::/32",
                      word(key), text);
        return false;
    }
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned bits = (unsigned)prefix->address.len * 8;
    prefix->length = bits;
    if (text[size] == '/') {
        char *end;
        unsigned long length = strtoul(text + size + 1, &end, 10);
        if (text[size + 1] < '0' || text[size + 1] > '9' || *end || length > bits) {
            conf_complain(conf, line, "%s: \"%s\" has no length a prefix can have; write /0 to /%u",
                          word(key), text, bits);
            return false;
        }
        prefix->length = (uint32_t)length;
    }
    /* Clients over IPv4 are known by their IPv4 address alone, so this would match nobody. */
    if (bits == 128 && prefix->length > 96 && memcmp(prefix->address.data, mapped, sizeof(mapped)) == 0) {
        const uint8_t *v4 = prefix->address.data + 12;
        conf_complain(conf, line, "%s: \"%s\" is an IPv4 prefix in IPv6's clothes; write %u.%u.%u.%u/%u",
                      word(key), text, v4[0], v4[1], v4[2], v4[3], prefix->length - 96);
        return false;
    }
    uint8_t masked[16];
    memcpy(masked, prefix->address.data, prefix->address.len);
    for (unsigned bit = prefix->length; bit < bits; bit++)
        masked[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    if (memcmp(masked, prefix->address.data, prefix->address.len) != 0) {
        char right[INET6_ADDRSTRLEN];
        inet_ntop(bits == 32 ? AF_INET : AF_INET6, masked, right, sizeof(right));
        conf_complain(conf, line, "%s: \"%s\" has bits set behind its length; write %s/%u", word(key), text,
                      right, prefix->length);
        return false;
    }
    return true;
}

void conf_set_prefixes(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    yaml_node_t **items;
    size_t count = conf_list(conf, key, node, "prefixes", &items), used = 0;
    Holdfast__Config__Prefix **list = conf_alloc(conf, count * sizeof(*list));
    for (size_t i = 0; i < count && list; i++) {
        const char *text = item_text(conf, key, items[i], "prefix");
        Holdfast__Config__Prefix *prefix = conf_alloc(conf, sizeof(*prefix));
        if (!text || !prefix)
            continue;
        holdfast__config__prefix__init(prefix);
        if (prefix_from_text(conf, key, conf_line(items[i]), text, prefix))
            list[used++] = prefix;
    }
    put_list(conf, key, used, list);
}

void conf_set_never_query(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    conf->snapshot->never_query_default =
        node->type == YAML_SCALAR_NODE && strcmp((char *)node->data.scalar.value, "default") == 0;
    if (!conf->snapshot->never_query_default) {
        conf_set_prefixes(conf, key, node);
        return;
    }
    Holdfast__Config__Prefix **list = conf_alloc(conf, conf_special_use_prefix_count * sizeof(*list));
    for (size_t i = 0; i < conf_special_use_prefix_count && list; i++) {
        list[i] = conf_alloc(conf, sizeof(**list));
        if (!list[i])
            return;
        holdfast__config__prefix__init(list[i]);
        bool good = prefix_from_text(conf, key, conf_line(node), conf_special_use_prefixes[i], list[i]);
        assert(good || conf->failure);
    }
    put_list(conf, key, conf_special_use_prefix_count, list);
}

void conf_set_addresses(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    yaml_node_t **items;
    size_t count = conf_list(conf, key, node, "addresses", &items), used = 0;
    ProtobufCBinaryData *list = conf_alloc(conf, count * sizeof(*list));
    for (size_t i = 0; i < count && list; i++) {
        const char *text = item_text(conf, key, items[i], "address");
        if (!text)
            continue;
        if (address_from_text(conf, text, &list[used]))
            used++;
        else
            conf_complain(conf, conf_line(items[i]),
                          "%s: \"%s\" is no IP address; write for example 192.0.2.1 or "
                          "2001:db8::1",
                          word(key), text);
    }
    put_list(conf, key, used, list);
}

static bool zone_from_text(struct conf *conf, const struct conf_key *key, yaml_node_t *node,
                           ProtobufCBinaryData *ret_zone)
{
    const char *text = item_text(conf, key, node, "zone");
    if (!text)
        return false;
    /* libldns takes any octet for a letter; here it is a list without commas, or letters meant as such. */
    for (const char *c = text; *c; c++) {
        if (*c == '\\' && c[1])
            c++;
        else if ((unsigned char)*c > 0x7e || (unsigned char)*c <= ' ') {
            conf_complain(conf, conf_line(node), "%s: \"%s\" has %s in it; write %s", word(key), text,
                          (unsigned char)*c > 0x7e ? "letters outside ASCII"
                          : *c == ' '              ? "a space"
                                                   : "a control character",
                          (unsigned char)*c > 0x7e
                              ? "its A-label, for example \"xn--bcher-kva.example.\""
                              : "one name, or a list of names: [ a.example., b.example. ]");
            return false;
        }
    }
    if (conf_name(conf, text, ret_zone) == 0)
        return true;
    conf_complain(conf, conf_line(node),
                  "%s: \"%s\" is no domain name; write for example \"corp.example.\" "
                  "(labels of at most 63, 255 octets in all)",
                  word(key), text);
    return false;
}

void conf_set_zones(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    yaml_node_t **items;
    size_t count = conf_list(conf, key, node, "zones", &items), used = 0;
    ProtobufCBinaryData *list = conf_alloc(conf, count * sizeof(*list));
    for (size_t i = 0; i < count && list; i++)
        if (zone_from_text(conf, key, items[i], &list[used]))
            used++;
    put_list(conf, key, used, list);
}

/* "192.0.2.1@53", "2001:db8::1@53", or without the port. */
static bool server_from_text(struct conf *conf, const struct conf_key *key, yaml_node_t *node,
                             Holdfast__Config__Endpoint *server)
{
    const char *text = item_text(conf, key, node, "server");
    char address[64];
    if (!text)
        return false;
    size_t size = strcspn(text, "@");
    snprintf(address, sizeof(address), "%.*s", (int)MIN(size, 63u), text);
    server->port = 53;
    if (!address_from_text(conf, address, &server->address))
        conf_complain(conf, conf_line(node),
                      "%s: \"%s\" is no server address; write for example \"192.0.2.1@53\"", word(key), text);
    else if (text[size] == '@' && !port_from_text(text + size + 1, &server->port))
        conf_complain(conf, conf_line(node),
                      "%s: \"%s\" ends in no port; write @53, or any from @1 to @65535", word(key), text);
    else
        return true;
    return false;
}

static void set_servers(struct conf *conf, const struct conf_key *key, yaml_node_t *node,
                        Holdfast__Config__ZoneServers *entry)
{
    yaml_node_t **items;
    size_t count = conf_list(conf, key, node, "servers", &items);
    entry->to = conf_alloc(conf, count * sizeof(*entry->to));
    for (size_t i = 0; i < count && entry->to; i++) {
        Holdfast__Config__Endpoint *server = conf_alloc(conf, sizeof(*server));
        if (!server)
            return;
        holdfast__config__endpoint__init(server);
        if (server_from_text(conf, key, items[i], server))
            entry->to[entry->n_to++] = server;
    }
}

static bool zone_servers_from_node(struct conf *conf, const struct conf_key *key, yaml_node_t *node,
                                   Holdfast__Config__ZoneServers *entry)
{
    bool may_be_first = strcmp(key->path, "resolve.forward") == 0, good = true;
    const char *form = may_be_first ? "{ zone: \"corp.example.\", to: [\"192.0.2.1@53\"], first: false }"
                                    : "{ zone: \"lab.example.\", to: [\"192.0.2.2@53\"] }";
    if (node->type != YAML_MAPPING_NODE) {
        conf_complain(conf, conf_line(node), "%s holds something that is no zone with its servers; write %s",
                      word(key), form);
        return false;
    }
    bool has_to = false;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        yaml_node_t *name_node = yaml_document_get_node(conf->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(conf->document, pair->value);
        const char *name = name_node->type == YAML_SCALAR_NODE ? (char *)name_node->data.scalar.value : "";
        const char *flag;
        if (strcmp(name, "zone") == 0) {
            good &= zone_from_text(conf, key, value, &entry->zone);
        } else if (strcmp(name, "to") == 0) {
            has_to = true;
            set_servers(conf, key, value, entry);
        } else if (strcmp(name, "first") == 0 && may_be_first) {
            flag = conf_scalar(conf, key, value, "first: true or first: false");
            if (flag && strcmp(flag, "true") != 0 && strcmp(flag, "false") != 0)
                conf_complain(conf, conf_line(value),
                              "first: \"%s\" is neither yes nor no; write true or false", flag);
            entry->first = flag && strcmp(flag, "true") == 0;
        } else {
            conf_complain(conf, conf_line(name_node), "unknown key \"%s\" in %s; write %s", name, key->path,
                          form);
        }
    }
    if (good && entry->zone.len == 0) {
        conf_complain(conf, conf_line(node), "%s has an entry without zone; write %s", word(key), form);
        good = false;
    }
    if (!has_to || (entry->n_to == 0 && conf->complaint_count == 0))
        conf_complain(conf, conf_line(node), "%s has an entry without servers; write %s", word(key), form);
    return good;
}

void conf_set_zone_servers(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    yaml_node_t **items;
    size_t count = conf_list(conf, key, node, "zones with their servers", &items), used = 0;
    Holdfast__Config__ZoneServers **list = conf_alloc(conf, count * sizeof(*list));
    for (size_t i = 0; i < count && list; i++) {
        Holdfast__Config__ZoneServers *entry = conf_alloc(conf, sizeof(*entry));
        if (!entry)
            return;
        holdfast__config__zone_servers__init(entry);
        if (zone_servers_from_node(conf, key, items[i], entry))
            list[used++] = entry;
    }
    put_list(conf, key, used, list);
}
