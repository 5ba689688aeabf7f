#!/usr/bin/python3
"""A taken-over recursord: it speaks the edge protocol correctly and lies about what it found. It learns the truth from
the lab's own servers, so that the chain of trust up to the lie is real. LIAR_LIE names the lie, LIAR_MANIFEST the
lab's manifest. holdfastd starts it in place of holdfast-recursord."""

import json
import os
import random
import select
import socket
import struct
import sys

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lab"))

from keys import Key, P256      # noqa: E402
from signer import Zone         # noqa: E402

FORGED = "192.0.2.66"
CHAIN = (dns.rdatatype.DS, dns.rdatatype.DNSKEY, dns.rdatatype.NS, dns.rdatatype.SOA)
REFERRAL, ANSWER = 1, 2
ANSWERED = 0


# -- protobuf, the little that is needed

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def read_varint(data, at):
    result = shift = 0
    while True:
        octet = data[at]
        result |= (octet & 127) << shift
        at, shift = at + 1, shift + 7
        if octet < 128:
            return result, at


def fields(data):
    """{number: last value} of a message."""
    result, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 2:
            size, at = read_varint(data, at)
            result[tag >> 3], at = data[at:at + size], at + size
        else:
            result[tag >> 3], at = read_varint(data, at)
    return result


# -- the truth

class Truth:
    def __init__(self, manifest):
        with open(manifest) as f:
            manifest = json.load(f)
        self.zones = {}
        for group, zones in manifest["zones"].items():
            for zone in zones:
                self.zones[dns.name.from_text(zone)] = manifest["addresses"][group][0][0]

    def zone_of(self, name, rdtype):
        """The zone that answers this question; DS is the parent's."""
        if rdtype == dns.rdatatype.DS and len(name) > 1:
            name = name.parent()
        while name not in self.zones:
            name = name.parent()
        return name

    def ask(self, name, rdtype):
        """(zone, server, message)."""
        zone = self.zone_of(name, rdtype)
        server = self.zones[zone] or "10.53.10.1"
        q = dns.message.make_query(name, rdtype, want_dnssec=True, payload=1232)
        q.flags = 0
        return zone, server, dns.query.udp_with_fallback(q, server, timeout=2)[0]


# -- the lies: each takes (truth, zone, message, name, rdtype) and gives a list of (kind, cut, wire)

def forged_rrset(name):
    return dns.rrset.from_text(name, 3600, "IN", "A", FORGED)


def truth_itself(truth, zone, m, name, rdtype):
    """No lie: shows that what fails under the others fails because of them."""
    return [(ANSWER, zone, m.to_wire())]


def plain_forgery(truth, zone, m, name, rdtype):
    """An unsigned address."""
    m.answer, m.authority, m.additional = [forged_rrset(name)], [], []
    m.set_rcode(dns.rcode.NOERROR)
    return [(ANSWER, zone, m.to_wire())]


def kept_signature(truth, zone, m, name, rdtype):
    """Another address under the true signature."""
    sigs = [r for r in m.answer if r.rdtype == dns.rdatatype.RRSIG]
    m.answer = [forged_rrset(name)] + sigs
    return [(ANSWER, zone, m.to_wire())]


def bare_nxdomain(truth, zone, m, name, rdtype):
    m.answer, m.authority, m.additional = [], [r for r in m.authority if r.rdtype == dns.rdatatype.SOA], []
    m.set_rcode(dns.rcode.NXDOMAIN)
    return [(ANSWER, zone, m.to_wire())]


def borrowed_denial(truth, zone, m, name, rdtype):
    """NXDOMAIN with the true, signed denial of another name."""
    other = truth.ask(dns.name.from_text("zz--nothing", zone), rdtype)[2]
    m.answer, m.authority = [], list(other.authority)
    m.set_rcode(dns.rcode.NXDOMAIN)
    return [(ANSWER, zone, m.to_wire())]


def nodata_by_apex(truth, zone, m, name, rdtype):
    """NODATA shown by the denial of a type at the apex."""
    other = truth.ask(zone, dns.rdatatype.TXT)[2]
    m.answer, m.authority = [], list(other.authority)
    m.set_rcode(dns.rcode.NOERROR)
    return [(ANSWER, zone, m.to_wire())]


def stripped_delegation(truth, zone, m, name, rdtype):
    """A referral to the zone without DS and without proof, then unsigned data."""
    parent = zone.parent() if len(zone) > 1 else zone
    referral = dns.message.make_response(dns.message.make_query(name, rdtype))
    referral.authority = [dns.rrset.from_text(zone, 3600, "IN", "NS", "ns1.%s" % zone)]
    return [(REFERRAL, parent, referral.to_wire())] + plain_forgery(truth, zone, m, name, rdtype)


def invented_cut(truth, zone, m, name, rdtype):
    """An unsigned zone cut at the very name, as an opt-out registry would have it, with a denial from elsewhere."""
    elsewhere = truth.ask(dns.name.from_text("no-such-zone.de."), dns.rdatatype.DS)[2]
    referral = dns.message.make_response(dns.message.make_query(name, rdtype))
    referral.authority = [dns.rrset.from_text(name, 3600, "IN", "NS", "ns1.%s" % name)] + list(elsewhere.authority)
    return [(REFERRAL, zone, referral.to_wire())] + plain_forgery(truth, name, m, name, rdtype)


def own_key(truth, zone, m, name, rdtype):
    """Signed by a key of the liar's, which it also gives out as the zone's DNSKEY (see infrastructure)."""
    forged = Zone(zone.to_text(), [Key("liar", P256)])
    forged.add(name, "A", FORGED)
    sig = forged.make_rrsig(name, dns.rdatatype.A, forged.keys[0])
    m.answer = [forged_rrset(name), dns.rrset.from_text(name, 3600, "IN", "RRSIG", sig.text())]
    m.authority, m.additional = [], []
    return [(ANSWER, zone, m.to_wire())]


def forged_wildcard(truth, zone, m, name, rdtype):
    """A true record of a sibling under this name, as if it had come from a wildcard."""
    sibling = truth.ask(dns.name.from_text("mail", zone), rdtype)[2]
    m.answer = []
    for rrset in sibling.answer:
        moved = dns.rrset.RRset(name, rrset.rdclass, rrset.rdtype, rrset.covers)
        moved.update(rrset)
        moved.ttl = 3600
        m.answer.append(moved)
    m.set_rcode(dns.rcode.NOERROR)
    return [(ANSWER, zone, m.to_wire())]


def cname_away(truth, zone, m, name, rdtype):
    """An unsigned alias to an unsigned name."""
    m.answer = [dns.rrset.from_text(name, 3600, "IN", "CNAME", "www.plain.com.")]
    m.authority = []
    m.set_rcode(dns.rcode.NOERROR)
    return [(ANSWER, zone, m.to_wire())]


def slipped_in(truth, zone, m, name, rdtype):
    """The truth, with forged records of other names in every section."""
    for section in (m.answer, m.authority, m.additional):
        section.append(dns.rrset.from_text("www.p256-nsec.com.", 3600, "IN", "A", FORGED))
        section.append(dns.rrset.from_text("h1.p003.de.", 3600, "IN", "A", FORGED))
    m.authority.append(dns.rrset.from_text("com.", 3600, "IN", "NS", "ns1.liar.org."))
    return [(ANSWER, dns.name.root, m.to_wire()), (ANSWER, zone, m.to_wire())]


def wrong_cut(truth, zone, m, name, rdtype):
    """A forgery said to come from an unsigned zone that it is not in."""
    return [(ANSWER, dns.name.from_text("plain.com."), wire)
            for _, _, wire in plain_forgery(truth, zone, m, name, rdtype)]


def noise(truth, zone, m, name, rdtype):
    """Octets, at every place where a message is expected."""
    junk = random.Random(name.to_text()).randbytes
    return [(ANSWER, zone, junk(40)), (REFERRAL, zone, b""), (7, zone, junk(3)),
            (ANSWER, zone, m.to_wire()[:-5] + junk(80))] + plain_forgery(truth, zone, m, name, rdtype)


LIES = {f.__name__: f for f in (
    truth_itself, plain_forgery, kept_signature, bare_nxdomain, borrowed_denial, nodata_by_apex, stripped_delegation, invented_cut,
    own_key, forged_wildcard, cname_away, slipped_in, wrong_cut, noise)}


def infrastructure(lie, truth, zone, m, name, rdtype):
    """DS, DNSKEY, NS and SOA: true, but for the lies that reach for the chain itself."""
    if lie == "own_key" and rdtype == dns.rdatatype.DNSKEY and len(name) > 2:
        forged = Zone(name.to_text(), [Key("liar", P256)])
        forged.add("@", "DNSKEY", forged.keys[0].text())
        sig = forged.make_rrsig(name, rdtype, forged.keys[0])
        m.answer = [dns.rrset.from_text(name, 3600, "IN", "DNSKEY", forged.keys[0].text()),
                    dns.rrset.from_text(name, 3600, "IN", "RRSIG", sig.text())]
    if lie == "stripped_delegation" and rdtype == dns.rdatatype.DS and len(name) > 2:
        m.answer = []
        m.authority = [r for r in m.authority if r.rdtype == dns.rdatatype.SOA]
    if lie == "invented_cut" and rdtype == dns.rdatatype.DS and len(name) > 3:
        m.answer, m.authority = [], list(truth.ask(dns.name.from_text("no-such-zone.de."), rdtype)[2].authority)
    return [(ANSWER, zone, m.to_wire())]


class Edge:
    """One connection of validatord."""

    def __init__(self, connection, truth, lie):
        self.connection, self.truth, self.lie = connection, truth, lie
        self.send(1, field(1, 2))

    def send(self, body, content):
        self.connection.send(field(body, content))

    def frame(self, data):
        body = fields(data)
        if 2 in body:
            self.fetch(fields(body[2]))

    def fetch(self, f):
        number, rdtype = f.get(1, 0), f.get(3, 1)
        name = dns.name.from_wire(f[2], 0)[0]
        try:
            zone, server, m = self.truth.ask(name, rdtype)
        except Exception as error:
            sys.stderr.write("liar: no truth about %s: %s\n" % (name, error))
            self.send(5, field(1, number) + field(2, 1) + field(5, 0xffff))
            return
        lie = infrastructure if rdtype in CHAIN else LIES[self.lie]
        told = lie(self.lie, self.truth, zone, m, name, rdtype) if rdtype in CHAIN else lie(
            self.truth, zone, m, name, rdtype)
        for kind, cut, wire in told:
            self.send(4, field(1, number) + field(2, kind) + field(3, cut.canonicalize().to_wire()) +
                      field(4, socket.inet_aton(server)) + field(5, 0) + field(6, 900) + field(7, wire))
        # The outcome, with numbers of no sense: what was used is not for recursord to say.
        self.send(5, field(1, number) + field(2, ANSWERED) + field(3, 1) + field(4, 100) + field(5, 0xffff) +
                  field(7, 1))


def passed_sockets():
    names = os.environ["LISTEN_FDNAMES"].split(":")
    return {n: socket.socket(fileno=3 + i) for i, n in enumerate(names)}


def say_ready():
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"READY=1", "\0" + path[1:] if path.startswith("@") else path)


def main():
    truth, lie = Truth(os.environ["LIAR_MANIFEST"]), os.environ["LIAR_LIE"]
    listener = passed_sockets()["edge"]
    listener.setblocking(True)
    say_ready()
    edges = {}
    while True:
        for readable in select.select([listener] + list(edges), [], [])[0]:
            if readable is listener:
                connection, _ = listener.accept()
                connection.setblocking(True)
                edges[connection] = Edge(connection, truth, lie)
                continue
            try:
                data = readable.recv(1 << 17)
                if not data:
                    raise EOFError
                edges[readable].frame(data)
            except (OSError, EOFError) as error:
                sys.stderr.write("liar: validatord left: %r\n" % error)
                del edges[readable]
                readable.close()


if __name__ == "__main__":
    main()
