"""The lab's book of zones: who serves what, which name server names and addresses, what the parent says (NS, glue,
DS), and what a correct resolver must answer (the manifest)."""

import dns.name
import dns.rdatatype

from keys import Key
from signer import Zone

ALGORITHMS = {"rsa256": 8, "rsa512": 10, "p256": 13, "p384": 14, "ed25519": 15, "ed448": 16}

# group -> (number, addresses, IPv4, IPv6). A group is one server process; its number is in its addresses.
GROUPS = {
    "root": (0, 3, True, True),
    "gtld": (1, 2, True, True),
    "org": (2, 2, True, True),
    "de": (3, 2, True, True),
    "arpa": (4, 2, True, True),
    "dns": (5, 2, True, True),
    "h1": (10, 2, True, True),
    "h2": (11, 2, True, True),
    "v4only": (12, 1, True, False),
    "v6only": (13, 1, False, True),
    "lame": (14, 2, True, True),
    "dead": (250, 2, True, True),
    "script": (200, 8, True, True),
}


def v4(number, i):
    return "10.53.%d.%d" % (number, i)


def v6(number, i):
    return "fd53::%x:%x" % (number, i)


class Entry:
    """One zone with its servers, its DS set and its spoiler."""

    def __init__(self, zone, group, servers, ds, after):
        self.zone, self.group, self.servers, self.ds, self.after = zone, group, servers, ds, after


class Registry:
    def __init__(self, now, ipv6=True, v4_prefix="10.53."):
        self.now, self.ipv6, self.v4_prefix = now, ipv6, v4_prefix
        self.entries = {}
        self.questions = []
        self._counter = 0

    # -- addresses

    def addresses(self, group):
        """[(A, AAAA)] of a group's servers, None where it has none of that family."""
        number, count, has4, has6 = GROUPS[group]
        return [(v4(number, i).replace("10.53.", self.v4_prefix, 1) if has4 else None,
                 v6(number, i) if has6 and self.ipv6 else None) for i in range(1, count + 1)]

    def fresh(self):
        """A documentation address no other name has."""
        self._counter += 1
        return "198.%d.%d.%d" % (18 + self._counter // 62500, self._counter // 250 % 250, self._counter % 250 + 1)

    # -- zones

    def key(self, origin, algorithm, label="", **kw):
        number = ALGORITHMS.get(algorithm, algorithm)
        return Key(origin + label, number, **kw)

    def zone(self, origin, algorithm=None, denial="nsec", group="h1", ns="in", keys=None, ds="normal", after=None,
             **kw):
        """Registers a zone with SOA, NS and server addresses and gives it back to be filled.

        ns: "in" (ns1.<origin>), a list of names elsewhere, or a dict of name -> (A, AAAA)."""
        if keys is None:
            keys = [self.key(origin, algorithm)] if algorithm else []
        zone = Zone(origin, keys, denial, now=self.now, **kw)
        addresses = self.addresses(group)
        if ns == "in":
            stem = "" if origin == "." else origin
            servers = {"ns%d.%s" % (i + 1, stem): a for i, a in enumerate(addresses)}
        elif isinstance(ns, dict):
            servers = ns
        else:
            servers = {name: None for name in ns}
        zone.add("@", "SOA", "%s hostmaster.%s 2026010101 7200 1800 1209600 900" % (
            next(iter(servers)), "" if origin == "." else origin))
        zone.add("@", "NS", *servers)
        for name, pair in servers.items():
            owner = dns.name.from_text(name)
            if pair and owner.is_subdomain(zone.origin):
                self.add_addresses(zone, owner, pair)
        if ds == "normal":
            signing = [k for k in keys if k.flags & 1] or keys
            ds = [(k, 2) for k in signing]
        ds = [k.ds_text(zone.origin.canonicalize().to_wire(), digest) if not isinstance(k, str) else k
              for k, digest in ds] if ds else []
        self.entries[zone.origin] = Entry(zone, group, servers, ds, after)
        return zone

    @staticmethod
    def add_addresses(zone, owner, pair):
        if pair[0]:
            zone.add(owner, "A", pair[0])
        if pair[1]:
            zone.add(owner, "AAAA", pair[1])

    def parent_of(self, origin):
        name = origin
        while len(name) > 1:
            name = name.parent()
            if name in self.entries:
                return self.entries[name]
        return None

    def delegate(self):
        """Writes every cut into its parent: NS, DS and the glue that is needed."""
        for origin, entry in list(self.entries.items()):
            parent = self.parent_of(origin)
            if parent is None:
                continue
            parent.zone.add(origin, "NS", *entry.servers)
            if entry.ds:
                parent.zone.add(origin, "DS", *entry.ds)
            for name, pair in entry.servers.items():
                owner = dns.name.from_text(name)
                if pair and owner.is_subdomain(origin):
                    self.add_addresses(parent.zone, owner, pair)

    # -- expectations

    def expect(self, name, rdtype, answer=(), rcode="NOERROR", ad=False, kind="", ede=(), cd=None, needs=None):
        """answer: ["TYPE rdata"]. ad None: either is right. ede: acceptable codes, the best first, of a SERVFAIL;
        cd: the answer that CD=1 must give where it differs from `answer`; needs: "ipv6" where only that leads there."""
        self.questions.append({
            "name": name, "type": rdtype, "rcode": rcode, "answer": sorted(answer), "ad": ad, "kind": kind,
            "ede": list(ede), "cd": sorted(cd) if cd is not None else None, "needs": needs})

    def servfail(self, name, rdtype, ede, kind, cd=None):
        self.expect(name, rdtype, rcode="SERVFAIL", ede=ede, kind=kind, cd=cd)
