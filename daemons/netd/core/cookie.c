/* Server cookies in the interoperable form of RFC 9018: version 1, timestamp, SipHash-2-4 over client cookie,
 * version, reserved octets, timestamp and the client's address. No state is kept for a client. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

#define COOKIE_VERSION  1u
#define COOKIE_FUTURE_S 300 /* RFC 9018 4.3: a timestamp more than 5 minutes ahead is not ours */

static void cookie_hash(const struct siphash_key *secret, const uint8_t head[16],
                        const struct address *client, uint8_t ret_hash[8])
{
    uint8_t input[32];
    memcpy(input, head, 16);
    size_t size = address_size(client);
    memcpy(input + 16, client->bytes, size);
    uint64_t hash = siphash24(secret, input, 16 + size);
    for (unsigned i = 0; i < 8; i++)
        ret_hash[i] =
            (uint8_t)(hash >> (8 * i)); /* SipHash's own octet order, as RFC 9018 appendix A has it */
}

void cookie_make(const struct siphash_key *secret, const uint8_t client_cookie[8],
                 const struct address *client, wall_s now, uint8_t ret_cookie[NETD_COOKIE_SIZE])
{
    uint8_t cookie[NETD_COOKIE_SIZE] = {0};
    memcpy(cookie, client_cookie, 8);
    cookie[8] = COOKIE_VERSION;
    put32(cookie + 12, (uint32_t)now.s);
    cookie_hash(secret, cookie, client, cookie + 16);
    memcpy(ret_cookie, cookie, sizeof(cookie));
}

bool cookie_valid(const struct siphash_key *secret, const uint8_t *cookie, size_t size,
                  const struct address *client, wall_s now)
{
    if (size != NETD_COOKIE_SIZE || cookie[8] != COOKIE_VERSION || cookie[9] || cookie[10] || cookie[11])
        return false;
    int32_t age = (int32_t)((uint32_t)now.s - get32(cookie + 12)); /* serial arithmetic, RFC 9018 4.3 */
    if (age > NETD_COOKIE_LIFE_S || age < -COOKIE_FUTURE_S)
        return false;
    uint8_t hash[8], differ = 0;
    cookie_hash(secret, cookie, client, hash);
    for (unsigned i = 0; i < 8; i++)
        differ |= (uint8_t)(hash[i] ^ cookie[16 + i]);
    return differ == 0;
}
