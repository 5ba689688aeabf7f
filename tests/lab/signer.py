"""Signs a zone the way a registry would (RFC 4034, RFC 5155), and then lets the catalogue spoil it on purpose.

The signer is the lab's own so that every classic breakage can be made exactly: a spoiler gets the signed zone as
plain lists and changes what it wants before the zone file is written."""

import base64
import hashlib
import struct
import time

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

IN = dns.rdataclass.IN
T = dns.rdatatype
TTL = 3600
DAY = 86400


def stamp(seconds):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds))


class Rrsig:
    """One RRSIG with its fields open, so that spoilers can change them after or before signing."""

    def __init__(self, covered, key, labels, ttl, expires, starts, signer):
        self.covered, self.key, self.labels, self.ttl = covered, key, labels, ttl
        self.expires, self.starts, self.signer = expires, starts, signer
        self.tag, self.algorithm, self.signature = key.tag(), key.algorithm, b""

    def prefix(self):
        return struct.pack("!HBBIIIH", self.covered, self.algorithm, self.labels, self.ttl, self.expires & 0xFFFFFFFF,
                           self.starts & 0xFFFFFFFF, self.tag) + self.signer.canonicalize().to_wire()

    def text(self):
        return "%s %d %d %d %s %s %d %s %s" % (
            T.to_text(self.covered), self.algorithm, self.labels, self.ttl, stamp(self.expires), stamp(self.starts),
            self.tag, self.signer.to_text(), base64.b64encode(self.signature).decode())


class Zone:
    """Records by (owner, type), signatures beside them."""

    def __init__(self, origin, keys=(), denial="nsec", iterations=0, salt=b"", optout=False, now=None):
        self.origin = dns.name.from_text(origin)
        self.keys, self.denial, self.iterations, self.salt, self.optout = list(keys), denial, iterations, salt, optout
        self.now = int(now if now is not None else time.time())
        self.starts, self.expires = self.now - DAY, self.now + 21 * DAY
        self.records = {}      # (name, type) -> (ttl, [rdata])
        self.rrsigs = {}       # (name, type) -> [Rrsig]
        self.orphan_rrsigs = []  # (name, Rrsig) whose RRset a spoiler took away

    def name(self, text):
        return self.origin if text == "@" else dns.name.from_text(text, self.origin)

    def add(self, owner, rdtype, *texts, ttl=TTL):
        name, rdtype = self.name(owner) if isinstance(owner, str) else owner, T.from_text(rdtype)
        old = self.records.setdefault((name, rdtype), (ttl, []))
        for text in texts:
            old[1].append(dns.rdata.from_text(IN, rdtype, text, origin=self.origin, relativize=False))

    # -- what is authoritative

    def cuts(self):
        return {n for n, t in self.records if t == T.NS and n != self.origin}

    def owners(self):
        """Owner -> types it has with authority (a cut has NS and perhaps DS), without what lies below cuts."""
        cuts, result = self.cuts(), {}
        for name, rdtype in self.records:
            if self._below(name, cuts):
                continue
            if name in cuts and rdtype not in (T.NS, T.DS):
                continue
            result.setdefault(name, set()).add(rdtype)
        return result

    def _below(self, name, cuts):
        parent = name
        while len(parent) > len(self.origin):
            parent = parent.parent()
            if parent in cuts:
                return True
        return False

    # -- denial

    def _bitmap(self, types):
        return " ".join(T.to_text(t) for t in sorted(types))

    def _add_nsec(self):
        owners = self.owners()
        order = sorted(owners)
        for i, name in enumerate(order):
            following = order[(i + 1) % len(order)]
            types = owners[name] | {T.RRSIG, T.NSEC}
            self.add(name, "NSEC", "%s %s" % (following.to_text(), self._bitmap(types)))

    def hash(self, name):
        digest = hashlib.sha1(name.canonicalize().to_wire() + self.salt).digest()
        for _ in range(self.iterations):
            digest = hashlib.sha1(digest + self.salt).digest()
        return base64.b32hexencode(digest).decode().lower()

    def _add_nsec3(self):
        owners, cuts = self.owners(), self.cuts()
        kept = {}
        for name, types in owners.items():
            insecure_cut = name in cuts and T.DS not in types
            if self.optout and insecure_cut:
                continue
            kept[name] = set(types) if insecure_cut else types | {T.RRSIG}
            parent = name
            while len(parent) > len(self.origin) + 1:
                parent = parent.parent()
                kept.setdefault(parent, set())
        kept[self.origin] |= {T.NSEC3PARAM}
        salt = self.salt.hex() or "-"
        self.add("@", "NSEC3PARAM", "1 0 %d %s" % (self.iterations, salt), ttl=0)
        by_hash = sorted((self.hash(n), t) for n, t in kept.items())
        for i, (digest, types) in enumerate(by_hash):
            following = by_hash[(i + 1) % len(by_hash)][0]
            self.add(digest, "NSEC3", "1 %d %d %s %s %s" % (self.optout, self.iterations, salt, following,
                                                            self._bitmap(types)))

    # -- signatures

    def make_rrsig(self, name, rdtype, key, starts=None, expires=None, labels=None, signer=None):
        ttl, rdatas = self.records[(name, rdtype)]
        count = len(name) - 1 - (1 if name.is_wild() else 0)
        sig = Rrsig(rdtype, key, count if labels is None else labels, ttl, expires or self.expires,
                    starts or self.starts, signer or self.origin)
        self.fill(sig, name)
        return sig

    def fill(self, sig, name):
        """(Re)computes the signature over the RRset as it is now, RFC 4034 3.1.8.1."""
        _, rdatas = self.records[(name, sig.covered)]
        owner = name.canonicalize().to_wire() + struct.pack("!HHI", sig.covered, IN, sig.ttl)
        data = sig.prefix()
        for wire in sorted({r.to_digestable(self.origin) for r in rdatas}):
            data += owner + struct.pack("!H", len(wire)) + wire
        sig.signature = sig.key.sign(data)

    def default_keys(self, rdtype):
        """KSK/ZSK split where both kinds exist: SEP keys sign the DNSKEY set alone."""
        seps = [k for k in self.keys if k.flags & 1]
        others = [k for k in self.keys if not k.flags & 1]
        if rdtype == T.DNSKEY:
            return seps or others
        return others or seps

    def sign(self):
        if not self.keys:
            return
        self.add("@", "DNSKEY", *[k.text() for k in self.keys])
        if self.denial == "nsec3":
            self._add_nsec3()
        else:
            self._add_nsec()
        cuts = self.cuts()
        for (name, rdtype) in list(self.records):
            if self._below(name, cuts):
                continue
            if name in cuts and rdtype not in (T.DS, T.NSEC):
                continue
            self.rrsigs[(name, rdtype)] = [
                self.make_rrsig(name, rdtype, key) for key in self.default_keys(rdtype)]

    # -- output

    def text(self):
        # Owners are absolute everywhere; SOA first, because NSD wants to know the apex.
        lines = []
        soa = (self.origin, T.SOA)
        order = [soa] + [k for k in self.records if k != soa]
        for key in order:
            ttl, rdatas = self.records[key]
            owner, kind = key[0].to_text(), T.to_text(key[1])
            for text in sorted({r.to_text() for r in rdatas}):
                lines.append("%s %d IN %s %s" % (owner, ttl, kind, text))
        for key in order:
            for sig in self.rrsigs.get(key, ()):
                lines.append("%s %d IN RRSIG %s" % (key[0].to_text(), self.records[key][0], sig.text()))
        for name, sig in self.orphan_rrsigs:
            lines.append("%s %d IN RRSIG %s" % (name.to_text(), sig.ttl, sig.text()))
        return "\n".join(lines) + "\n"
