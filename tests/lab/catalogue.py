"""What the miniature Internet consists of: the tree above, healthy zones of every kind, and odd but healthy ones.
The broken ones are in broken.py."""

import dns.name
import dns.rdatatype

import broken
from keys import GOST, REVOKE, SEP, ZONE
from registry import ALGORITHMS, Registry
from signer import DAY

TLDS = ("com", "net", "org", "de")
DENIALS = {"nsec": ("nsec", 0), "nsec3": ("nsec3", 0), "nsec3i": ("nsec3", 10)}
HOT_ZONES = 200     # the zones of the packet count and restart tests
HOT_NAMES = 10


def tree(r):
    """Root, top-level domains and the infrastructure's own names."""
    roots = dict(zip(["%s.root-servers.net." % c for c in "abc"], r.addresses("root")))
    gtlds = dict(zip(["%s.gtld-servers.net." % c for c in "ab"], r.addresses("gtld")))
    split = lambda name, alg: [r.key(name, alg), r.key(name, alg, "zsk", flags=ZONE)]
    root = r.zone(".", group="root", keys=split(".", "rsa256"), ns=roots)
    for name, pair in roots.items():
        r.add_addresses(root, dns.name.from_text(name), pair)
    r.zone("root-servers.net.", group="root", ns=roots)
    r.zone("gtld-servers.net.", group="gtld", ns=gtlds)
    r.zone("com.", group="gtld", ns=gtlds, keys=split("com.", "p256"), denial="nsec3")
    r.zone("net.", group="gtld", ns=gtlds, keys=split("net.", "p256"), denial="nsec")
    r.zone("org.", "rsa256", "nsec3", group="org", iterations=5, salt=b"\xab\xcd")
    r.zone("de.", group="de", keys=split("de.", "rsa256"), denial="nsec3", salt=b"\x12\x34", optout=True)
    r.zone("arpa.", "rsa256", group="arpa")
    r.zone("in-addr.arpa.", "p256", group="arpa")
    r.zone("ip6.arpa.", "p256", group="arpa")
    # The hoster's names are the out-of-bailiwick name servers of many zones.
    hoster = r.zone("hoster.net.", "p256", group="dns")
    for group in ("h1", "h2", "dns", "v4only", "v6only", "lame", "dead", "script"):
        for i, pair in enumerate(r.addresses(group)):
            r.add_addresses(hoster, hoster.name("ns%d.%s" % (i + 1, group)), pair)
    r.expect("ns1.h1.hoster.net.", "A", ["A " + r.addresses("h1")[0][0]], ad=True, kind="hoster")
    for tld in ("com.", "net.", "org.", "de.", "arpa."):
        entry = r.entries[dns.name.from_text(tld)]
        r.expect(tld, "SOA", ["SOA " + entry.zone.records[(entry.zone.origin, 6)][1][0].to_text()], ad=True,
                 kind="tld")
    r.expect(".", "NS", ["NS " + n for n in roots], ad=True, kind="root")
    r.expect("nonexistent-tld.", "A", rcode="NXDOMAIN", ad=True, kind="root")
    r.expect("nonexistent.com.", "A", rcode="NXDOMAIN", ad=True, kind="tld nsec3")
    r.expect("nonexistent.net.", "A", rcode="NXDOMAIN", ad=True, kind="tld nsec")
    r.expect("a.b.nonexistent.org.", "A", rcode="NXDOMAIN", ad=True, kind="tld nsec3")
    r.expect("nonexistent.de.", "A", rcode="NXDOMAIN", ad=False, kind="tld opt-out")


def hoster(group):
    return ["ns1.%s.hoster.net." % group, "ns2.%s.hoster.net." % group]


def fill(r, z, secure, kind, chain=None):
    """The records every full zone has, with what must come back for each."""
    o = z.origin.to_text()
    address = r.fresh
    www, www6, mail = address(), "2001:db8::%x" % r._counter, address()
    many = [address() for _ in range(4)]
    z.add("@", "A", www)
    z.add("@", "MX", "10 Mail", "20 mx.elsewhere.org.")
    z.add("www", "A", www)
    z.add("www", "AAAA", www6)
    z.add("mail", "A", mail)
    z.add("many", "A", *many)
    z.add("alias", "CNAME", "WWW")
    z.add("*.wild", "TXT", '"any of ; \\"these\\""')
    z.add("host.a.b.ent", "A", mail)
    z.add("dn", "DNAME", "target")
    z.add("x.target", "A", mail)
    z.add("upper.case", "PTR", "MiXed.Case." + o)
    z.add("service", "SRV", "0 5 853 Mail")
    e = lambda name, t, answer=(), **kw: r.expect(name + "." + o, t, answer, kind=kind, ad=secure, **kw)
    r.expect(o, "A", ["A " + www], ad=secure, kind=kind)
    r.expect(o, "MX", ["MX 10 mail." + o, "MX 20 mx.elsewhere.org."], ad=secure, kind=kind)
    r.expect(o, "TXT", ad=secure, kind=kind + " nodata")
    e("www", "A", ["A " + www])
    e("www", "AAAA", ["AAAA " + www6])
    e("www", "MX")
    e("WwW", "A", ["A " + www])
    e("many", "A", ["A " + a for a in many])
    e("alias", "A", ["CNAME www." + o, "A " + www])
    e("foo.wild", "TXT", ['TXT "any of ; \\"these\\""'])
    e("a.b.c.wild", "TXT", ['TXT "any of ; \\"these\\""'])
    e("foo.wild", "A")
    e("host.a.b.ent", "A", ["A " + mail])
    e("b.ent", "A")
    e("x.dn", "A", ["DNAME target." + o, "CNAME x.target." + o, "A " + mail])
    e("nothere.dn", "A", ["DNAME target." + o, "CNAME nothere.target." + o], rcode="NXDOMAIN")
    e("upper.case", "PTR", ["PTR mixed.case." + o])
    e("service", "SRV", ["SRV 0 5 853 mail." + o])
    e("nothere", "A", rcode="NXDOMAIN")
    e("not.here.either", "TXT", rcode="NXDOMAIN")
    if secure:
        e("nothere", "DS", rcode="NXDOMAIN")
    if chain:
        z.add("out", "CNAME", "www." + chain[0])
        e("out", "A", ["CNAME www." + chain[0], "A " + chain[1]])
        z.add("far", "DNAME", chain[0])
        e("www.far", "A", ["DNAME " + chain[0], "CNAME www." + chain[0], "A " + chain[1]])
    return www


def matrix(r):
    """Every algorithm with every denial, each with a signed child on another host, a signed and an unsigned child on
    the same server, and chains to the zone before (signed) and to an unsigned one."""
    plain = {}
    for tld in TLDS:
        z = r.zone("plain.%s." % tld, group="h2")
        plain[tld] = fill(r, z, False, "unsigned")
    chain, n = None, 0
    for alg in ALGORITHMS:
        for dname, (denial, iterations) in DENIALS.items():
            for _ in range(2):
                tld = TLDS[n % len(TLDS)]
                kind = "%s %s in %s" % (alg, dname, tld)
                o = "%s-%s.%s." % (alg, dname, tld)
                salt = b"\x01\x02" if iterations else b""
                z = r.zone(o, alg, denial, iterations=iterations, salt=salt, group="h1",
                           ns="in" if n % 3 else hoster("h1"))
                www = fill(r, z, True, kind, chain)
                unsigned = TLDS[(n + 1) % 4]
                z.add("tounsigned", "CNAME", "www.plain.%s." % unsigned)
                r.expect("tounsigned." + o, "A", ["CNAME www.plain.%s." % unsigned, "A " + plain[unsigned]],
                         ad=False, kind=kind + " signed to unsigned")
                for label, secure, group in (("sub", True, "h2"), ("same", True, "h1"), ("uns", False, "h1"),
                                             ("away", False, "h2")):
                    c = r.zone("%s.%s" % (label, o), alg if secure else None, denial, iterations=iterations,
                               salt=salt, group=group)
                    a = r.fresh()
                    c.add("www", "A", a)
                    c.add("back", "CNAME", "www." + o)
                    what = kind + " child " + label
                    r.expect("www.%s.%s" % (label, o), "A", ["A " + a], ad=secure, kind=what)
                    r.expect("back.%s.%s" % (label, o), "A", ["CNAME www." + o, "A " + www], ad=secure, kind=what)
                    r.expect("nx.%s.%s" % (label, o), "A", rcode="NXDOMAIN", ad=secure, kind=what)
                    r.expect("%s.%s" % (label, o), "DS",
                             ["DS " + d for d in r.entries[c.origin].ds], ad=True, kind=what + " DS")
                chain = (o, www)
                n += 1


def oddities(r):
    """Healthy zones that a validator may get wrong."""
    def one(origin, secure=True, kind=None, **kw):
        z = r.zone(origin, **kw)
        a = r.fresh()
        z.add("www", "A", a)
        r.expect("www." + origin, "A", ["A " + a], ad=secure, kind=kind or origin)
        r.expect("nx." + origin, "A", rcode="NXDOMAIN", ad=secure, kind=kind or origin)
        return z

    k = r.key
    for name, keys, ds in (
            ("split", lambda o: [k(o, "p256"), k(o, "p256", "z", flags=ZONE)], lambda ks: [(ks[0], 2)]),
            ("no-sep", lambda o: [k(o, "p256", flags=ZONE)], lambda ks: [(ks[0], 2)]),
            ("two-alg", lambda o: [k(o, "p256"), k(o, "rsa256")], lambda ks: [(ks[0], 2), (ks[1], 2)]),
            ("two-keys", lambda o: [k(o, "p256"), k(o, "p256", "b")], lambda ks: [(ks[1], 2)]),
            ("sha384", lambda o: [k(o, "p384")], lambda ks: [(ks[0], 4)]),
            ("sha1-and-256", lambda o: [k(o, "p256")], lambda ks: [(ks[0], 1), (ks[0], 2)]),
            ("rsa1024", lambda o: [k(o, "rsa256", bits=1024)], lambda ks: [(ks[0], 2)]),
            ("rsa4096", lambda o: [k(o, "rsa512", bits=4096)], lambda ks: [(ks[0], 2)]),
            ("revoked-beside", lambda o: [k(o, "p256"), k(o, "p256", "old", flags=ZONE | SEP | REVOKE)],
             lambda ks: [(ks[0], 2)])):
        o = name + ".net."
        keys = keys(o)
        one(o, keys=keys, ds=ds(keys), group="h2")
    o = "ds-standby.net."
    key, standby = k(o, "p256"), k(o, "p256", "standby")
    one(o, keys=[key], ds=[(standby, 2), (key, 2)], group="h2")
    o = "ds-unknown-beside.net."
    key = k(o, "p256")
    other = key.ds_text(dns.name.from_text(o).to_wire()).split()
    one(o, keys=[key], group="h2", ds=[(" ".join(other[:2] + ["200", "00" * 20]), 0), (key, 2), (
        "4711 200 2 " + "11" * 32, 0)])

    def second_bad(z):
        for key, sigs in z.rrsigs.items():
            spoilt = z.make_rrsig(key[0], key[1], z.keys[0])
            spoilt.signature = spoilt.signature[:-1] + bytes([spoilt.signature[-1] ^ 1])
            sigs.insert(0, spoilt)
    one("double-signature.net.", algorithm="p256", group="h2", after=second_bad)

    def second_expired(z):
        for key, sigs in z.rrsigs.items():
            sigs.insert(0, z.make_rrsig(key[0], key[1], z.keys[0], z.now - 30 * DAY, z.now - 5 * DAY))
    one("double-expired.net.", algorithm="p256", group="h2", after=second_expired)

    # Insecure, and healthy: what the validator does not support it must not fail.
    one("unsupported-algorithm.net.", False, keys=[k("ua.", GOST)], group="h2")
    one("private-algorithm.net.", False, keys=[k("pa.", 253)], group="h2")
    o = "unsupported-digest.net."
    key = k(o, "p256")
    one(o, False, keys=[key], group="h2", ds=[(" ".join(
        key.ds_text(dns.name.from_text(o).to_wire()).split()[:2] + ["200", "00" * 32]), 0)])
    key = k("ds-sha1.net.", "p256")
    one("ds-sha1.net.", False, keys=[key], ds=[(key, 1)], group="h2", kind="policy: SHA-1")
    one("rsasha1.net.", False, keys=[k("rsasha1.net.", 5)], group="h2", kind="policy: SHA-1")
    one("rsasha1-nsec3.net.", False, keys=[k("rsasha1n3.net.", 7)], denial="nsec3", group="h2",
        kind="policy: SHA-1")
    one("signed-no-ds.net.", False, algorithm="p256", ds=None, group="h2")
    for iterations, limit in ((50, True), (51, False), (150, False)):
        o = "iterations-%d.net." % iterations
        z = r.zone(o, "p256", "nsec3", iterations=iterations, salt=b"\xaa", group="h2")
        a = r.fresh()
        z.add("www", "A", a)
        z.add("*.wild", "A", a)
        kind = "policy: NSEC3 iterations" if not limit else "nsec3 iterations"
        r.expect("www." + o, "A", ["A " + a], ad=True, kind=kind)
        r.expect("nx." + o, "A", rcode="NXDOMAIN", ad=limit, kind=kind)
        r.expect("www." + o, "TXT", ad=limit, kind=kind)
        r.expect("x.wild." + o, "A", ["A " + a], ad=limit, kind=kind)

    # Opt-out inside a zone of the second level.
    z = r.zone("optout.org.", "p256", "nsec3", optout=True, group="h2")
    a = r.fresh()
    z.add("www", "A", a)
    r.expect("www.optout.org.", "A", ["A " + a], ad=True, kind="opt-out zone")
    r.expect("nx.optout.org.", "A", rcode="NXDOMAIN", ad=False, kind="opt-out zone")
    r.expect("www.optout.org.", "TXT", ad=True, kind="opt-out zone")
    c = r.zone("uns.optout.org.", group="h1")
    c.add("www", "A", a)
    r.expect("www.uns.optout.org.", "A", ["A " + a], ad=False, kind="opt-out zone")
    r.expect("uns.optout.org.", "DS", ad=False, kind="opt-out zone")


def transport(r):
    """Servers and sizes: one family only, a dead server beside a live one, glueless, answers that need TCP."""
    for group, need in (("v4only", None), ("v6only", "ipv6")):
        z = r.zone("%s.org." % group, "p256", group=group)
        a = r.fresh()
        z.add("www", "A", a)
        r.expect("www.%s.org." % group, "A", ["A " + a], ad=True, kind=group, needs=need)
    dead, live = r.addresses("dead"), r.addresses("h2")
    z = r.zone("half-dead.org.", "p256", group="h2",
               ns={"ns1.half-dead.org.": dead[0], "ns2.half-dead.org.": live[0], "ns3.half-dead.org.": live[1]})
    a = r.fresh()
    z.add("www", "A", a)
    r.expect("www.half-dead.org.", "A", ["A " + a], ad=True, kind="half dead")
    z = r.zone("half-lame.org.", "p256", group="h2",
               ns={"ns1.half-lame.org.": r.addresses("lame")[0], "ns2.half-lame.org.": live[0]})
    a = r.fresh()
    z.add("www", "A", a)
    r.expect("www.half-lame.org.", "A", ["A " + a], ad=True, kind="half lame")
    # Glueless twice over: the name server's name is in a zone whose own name servers are elsewhere.
    z = r.zone("glueless.de.", "p256", group="h2", ns=["ns1.second.glueless-ns.org.", "ns2.second.glueless-ns.org."])
    n = r.zone("glueless-ns.org.", None, group="h1", ns=hoster("h1"))
    for i, pair in enumerate(live):
        r.add_addresses(n, n.name("ns%d.second" % (i + 1)), pair)
    a = r.fresh()
    z.add("www", "A", a)
    r.expect("www.glueless.de.", "A", ["A " + a], ad=True, kind="glueless")

    z = r.zone("big.com.", "rsa256", group="h2")
    kib = '"%s"' % ("0123456789abcdef" * 15)
    many = [r.fresh() for _ in range(80)]
    z.add("many", "A", *many)
    z.add("txt", "TXT", " ".join([kib] * 16))
    z.add("huge", "TXT", " ".join([kib] * 60))
    r.expect("many.big.com.", "A", ["A " + m for m in many], ad=True, kind="big")
    r.expect("txt.big.com.", "TXT", ["TXT " + " ".join([kib] * 16)], ad=True, kind="big")
    r.expect("huge.big.com.", "TXT", ["TXT " + " ".join([kib] * 60)], ad=True, kind="big")

    z = r.zone("shapes.com.", "p256", "nsec3", group="h2")
    deep = ".".join("d%d" % (i % 10) for i in range(60))
    long = ".".join(["x" * 60] * 3)
    a = r.fresh()
    shapes = [(deep, "A", a), (long, "A", a), ("a\\.b", "A", a), ("\\000\\255\\032", "A", a), ("_443._tcp", "TLSA",
              "3 1 1 " + "ab" * 32), ("caa", "CAA", '0 issue "ca.example.net"'), ("unk", "TYPE65280",
              "\\# 4 01020304"), ("https", "HTTPS", '1 . alpn="h2,h3" ipv4hint="192.0.2.1"'),
              ("svcb", "SVCB", '16 foo.shapes.com. port="53"'), ("naptr", "NAPTR",
              '100 10 "u" "E2U+sip" "!^.*$!sip:a@b.example!" .'), ("ssh", "SSHFP", "4 2 " + "cd" * 32),
              ("loc", "LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m"),
              ("uri", "URI", '10 1 "https://example.net/"'), ("rp", "RP", "Admin.shapes.com. txt.shapes.com."),
              ("hinfo", "HINFO", '"PDP-11" "Unix"'), ("eui", "EUI48", "00-11-22-33-44-55"),
              ("afs", "AFSDB", "1 AFS.shapes.com."), ("kx", "KX", "10 Kx.shapes.com."),
              ("*", "TXT", '"star"')]
    for owner, kind, text in shapes:
        z.add(owner, kind, text)
        if owner != "*":
            shown = z.records[(z.name(owner), dns.rdatatype.from_text(kind))][1][0].to_text()
            r.expect("%s.shapes.com." % owner, kind, ["%s %s" % (kind, shown)], ad=True, kind="shape " + kind)
    r.expect("anything.shapes.com.", "TXT", ['TXT "star"'], ad=True, kind="wildcard at apex")
    r.expect("any.thing.shapes.com.", "TXT", ['TXT "star"'], ad=True, kind="wildcard at apex")
    r.expect("any.thing.shapes.com.", "A", ad=True, kind="wildcard at apex")
    r.expect("x.www.unk.shapes.com.", "A", rcode="NXDOMAIN", ad=True, kind="wildcard at apex")

    z = r.zone("5.in-addr.arpa.", "p256", group="h1", ns=hoster("h1"))
    z.add("1.2.3", "PTR", "www.plain.com.")
    r.expect("1.2.3.5.in-addr.arpa.", "PTR", ["PTR www.plain.com."], ad=True, kind="reverse")
    z = r.zone("0.0.a.2.ip6.arpa.", "p256", "nsec3", group="h1", ns=hoster("h1"))
    nibbles = ".".join("1" + "0" * 27)
    z.add(nibbles, "PTR", "www.plain.com.")
    r.expect(nibbles + ".0.0.a.2.ip6.arpa.", "PTR", ["PTR www.plain.com."], ad=True, kind="reverse")
    other = ".".join("2" + "0" * 27)
    r.expect(other + ".0.0.a.2.ip6.arpa.", "PTR", rcode="NXDOMAIN", ad=True, kind="reverse")
    r.expect(".".join("0" * 13) + ".0.0.a.2.ip6.arpa.", "PTR", ad=True, kind="reverse ENT")


def chains(r):
    """CNAMEs of legal and illegal length, loops, and DNAME overflow."""
    z = r.zone("chains.org.", "p256", group="h1")
    a = r.fresh()
    for i in range(20):
        z.add("c%d" % i, "CNAME", "c%d" % (i + 1))
    z.add("c20", "A", a)
    for start in (19, 16, 13):
        r.expect("c%d.chains.org." % start, "A",
                 ["CNAME c%d.chains.org." % (i + 1) for i in range(start, 20)] + ["A " + a], ad=True, kind="chain")
    z.add("loop1", "CNAME", "loop2")
    z.add("loop2", "CNAME", "loop1")
    z.add("self", "CNAME", "self")
    z.add("dn", "DNAME", ".".join(["y" * 60] * 3) + ".chains.org.")
    z.add("dangling", "CNAME", "nothing.plain.com.")
    z.add("dangling-secure", "CNAME", "nothing.chains.org.")
    z.add("tonodata", "CNAME", "c20.chains.org.")
    r.expect("dangling.chains.org.", "A", ["CNAME nothing.plain.com."], rcode="NXDOMAIN", kind="chain")
    r.expect("dangling-secure.chains.org.", "A", ["CNAME nothing.chains.org."], rcode="NXDOMAIN", ad=True,
             kind="chain")
    r.expect("tonodata.chains.org.", "TXT", ["CNAME c20.chains.org."], ad=True, kind="chain")
    r.expect("c0.chains.org.", "CNAME", ["CNAME c1.chains.org."], ad=True, kind="chain")
    r.expect("*.chains.org.", "A", rcode="NXDOMAIN", ad=True, kind="literal wildcard")
    # Unsigned to signed and back.
    u = r.zone("hops.org.", None, group="h2")
    u.add("a", "CNAME", "b.chains.org.")
    z.add("b", "CNAME", "c.hops.org.")
    u.add("c", "CNAME", "c20.chains.org.")
    r.expect("a.hops.org.", "A", ["CNAME b.chains.org.", "CNAME c.hops.org.", "CNAME c20.chains.org.", "A " + a],
             kind="chain mixed")
    r.expect("b.chains.org.", "A", ["CNAME c.hops.org.", "CNAME c20.chains.org.", "A " + a], kind="chain mixed")


def hot(r):
    """Many small signed zones for the tests that count and restart; not part of the manifest's questions."""
    names = []
    for i in range(HOT_ZONES):
        tld = TLDS[i % 4]
        o = "p%03d.%s." % (i, tld)
        z = r.zone(o, "p256", "nsec3" if i % 2 else "nsec", group="h1" if i % 3 else "h2",
                   ns=hoster("h1" if i % 3 else "h2") if i % 5 == 0 else "in")
        for j in range(HOT_NAMES):
            a = r.fresh()
            label = "www" if j == 0 else "h%d" % j
            z.add(label, "A", a)
            names.append(["%s.%s" % (label, o), a])
    return names


def scripted(r):
    """Delegations to the scripted server (scripted.py), which misbehaves as the tests of limits want it to."""
    for i, name in enumerate(("nxns", "loop", "cnames", "flood", "silent", "garbage", "slow", "versions")):
        r.zone("%s.org." % name, None, group="script", ns={"ns1.%s.org." % name: r.addresses("script")[i]})


def build(now, ipv6=True, v4_prefix="10.53."):
    r = Registry(now, ipv6, v4_prefix)
    tree(r)
    matrix(r)
    oddities(r)
    transport(r)
    chains(r)
    broken.catalogue(r)
    r.hot = hot(r)
    scripted(r)
    r.delegate()
    return r
