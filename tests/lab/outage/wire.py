"""As much of DNS messages as thousands of questions a second allow in Python: one question out, the facts of a reply
in."""

import struct

A, NS, SOA, TXT, AAAA, OPT, DS, RRSIG, NSEC, DNSKEY, NSEC3 = 1, 2, 6, 16, 28, 41, 43, 46, 47, 48, 50
NUMBERS = {"A": A, "NS": NS, "SOA": SOA, "TXT": TXT, "AAAA": AAAA, "DS": DS, "DNSKEY": DNSKEY}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
EDE_OPTION = 15
FLAG_QR, FLAG_AA, FLAG_TC, FLAG_RD, FLAG_AD, FLAG_CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0020, 0x0010


def name_wire(text):
    out = b""
    for label in text.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode("ascii")
    return out + b"\0"


def query_tail(text, rdtype, do):
    """Question and OPT, all but the header."""
    return name_wire(text) + struct.pack("!HH", rdtype, 1) + b"\0" + struct.pack(
        "!HHIH", OPT, 1232, 0x8000 if do else 0, 0)


def query_head(ident):
    return struct.pack("!HHHHHH", ident, FLAG_RD | FLAG_AD, 1, 0, 0, 1)


def skip_name(data, at):
    while True:
        n = data[at]
        if n == 0:
            return at + 1
        if n >= 0xC0:
            return at + 2
        at += 1 + n


def read_name(data, at):
    """Lower-case text with the final dot, and where it ends."""
    labels, end, jumps = [], None, 0
    while True:
        n = data[at]
        if n == 0:
            at += 1
            break
        if n >= 0xC0:
            end = end or at + 2
            at = (n & 0x3F) << 8 | data[at + 1]
            jumps += 1
            if jumps > 40:
                raise ValueError("compression loop")
            continue
        labels.append(data[at + 1:at + 1 + n].decode("latin-1").lower())
        at += 1 + n
    return ".".join(labels) + ".", end or at


class Reply:
    """ident, flags, rcode; answers [(type, ttl, rdata)] and authority [(type, ttl, serial of a SOA)] without
    signatures; edes [(code, text)]."""
    __slots__ = ("ident", "flags", "rcode", "answers", "edes", "counts", "authority")

    def __init__(self, data):
        self.ident, self.flags, questions, an, ns, ar = struct.unpack_from("!HHHHHH", data)
        self.rcode, self.answers, self.edes, self.counts = self.flags & 15, [], [], (an, ns, ar)
        self.authority = []
        at = 12
        for _ in range(questions):
            at = skip_name(data, at) + 4
        for i in range(an + ns + ar):
            at = skip_name(data, at)
            rdtype, _, ttl, size = struct.unpack_from("!HHIH", data, at)
            at += 10
            if rdtype == OPT:
                self.rcode |= ttl >> 24 << 4
                self._options(data[at:at + size])
            elif i < an and rdtype != RRSIG:
                self.answers.append((rdtype, ttl, data[at:at + size]))
            elif i < an + ns and rdtype != RRSIG:
                serial = struct.unpack_from("!I", data, at + size - 20)[0] if rdtype == SOA else None
                self.authority.append((rdtype, ttl, serial))
            at += size

    def _options(self, data):
        at = 0
        while at + 4 <= len(data):
            code, size = struct.unpack_from("!HH", data, at)
            if code == EDE_OPTION and size >= 2:
                self.edes.append((struct.unpack_from("!H", data, at + 4)[0],
                                  data[at + 6:at + 4 + size].decode("utf-8", "replace")))
            at += 4 + size
