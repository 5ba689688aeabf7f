"""One of each classic breakage. A spoiler runs after the zone was signed and gets the signed zone's lists."""

import dns.name
import dns.rdatatype as T

from keys import Key, REVOKE, SEP, ZONE
from signer import DAY

# RFC 8914 codes, as the design names them. The first of each list is the best answer.
BOGUS, EXPIRED, EARLY, NO_DNSKEY, NO_RRSIG, NO_ZONE_BIT, NO_NSEC, UNREACHABLE, NETWORK = 6, 7, 8, 9, 10, 11, 12, 22, 23


def spoil(sig):
    sig.signature = sig.signature[:-1] + bytes([sig.signature[-1] ^ 0x55])


def of_type(z, *types):
    return [k for k in z.rrsigs if k[1] in types]


def bad_signature(*owners):
    def after(z):
        for owner in owners:
            for sig in z.rrsigs[(z.name(owner), T.A)]:
                spoil(sig)
    return after


def bad_signatures_of(*types):
    def after(z):
        for key in of_type(z, *types):
            for sig in z.rrsigs[key]:
                spoil(sig)
    return after


def drop_signatures_of(*types):
    def after(z):
        for key in of_type(z, *types):
            del z.rrsigs[key]
    return after


def drop_records_of(*types):
    def after(z):
        for key in [k for k in z.records if k[1] in types]:
            del z.records[key]
            z.rrsigs.pop(key, None)
    return after


def retime(starts, expires, match):
    """Signs again with other times what `match(name, type)` selects; days relative to now."""
    def after(z):
        for key in list(z.rrsigs):
            if match(*key):
                z.rrsigs[key] = [z.make_rrsig(*key, s.key, z.now + starts * DAY, z.now + expires * DAY)
                                 for s in z.rrsigs[key]]
    return after


def shrink_denial(z):
    """Every NSEC and NSEC3 is signed correctly and covers next to nothing: no gap is proven."""
    for key in [k for k in z.records if k[1] in (T.NSEC, T.NSEC3)]:
        ttl, rdatas = z.records.pop(key)
        text = rdatas[0].to_text().split()
        if key[1] == T.NSEC:
            text[0] = "\\000.%s" % key[0].to_text()
        else:
            digest = key[0].labels[0].decode()
            text[4] = digest[:-1] + ("v" if digest[-1] != "v" else "u")
        z.add(key[0], T.to_text(key[1]), " ".join(text))
        z.rrsigs[key] = [z.make_rrsig(*key, z.default_keys(key[1])[0])]


def www_only(name, rdtype):
    return name.labels[0] == b"www" and rdtype == T.A


def everything(name, rdtype):
    return True


def foreign_key(z):
    """Signed by a key that the zone does not publish."""
    stranger = Key("stranger", z.keys[0].algorithm)
    for key in list(z.rrsigs):
        if key[1] != T.DNSKEY:
            z.rrsigs[key] = [z.make_rrsig(*key, stranger)]


def foreign_signer(z):
    """The parent's name as the signer, by the zone's own key."""
    for key in list(z.rrsigs):
        if www_only(*key):
            z.rrsigs[key] = [z.make_rrsig(*key, z.keys[0], signer=z.origin.parent())]


def too_many_labels(z):
    for key in list(z.rrsigs):
        if www_only(*key):
            z.rrsigs[key] = [z.make_rrsig(*key, z.keys[0], labels=len(key[0]) + 2)]


def hide_dnskey(z):
    """The DNSKEY set is gone; its RRSIG stays, because NSD takes a zone without it for unsigned."""
    del z.records[(z.origin, T.DNSKEY)]
    for key in of_type(z, T.DNSKEY):
        sigs = z.rrsigs.pop(key)
        z.orphan_rrsigs = [(z.origin, s) for s in sigs]


def catalogue(r):
    k = r.key

    def bad(name, ede, alg="p256", questions=("www A",), healthy=("mail",), tld="com", group="h2", **kw):
        """A zone with www and mail; `questions` fail (with CD=1 they do not), `healthy` ones stay authentic."""
        o = "%s.%s." % (name, tld)
        z = r.zone(o, alg, group=group, **kw)
        www, mail = r.fresh(), r.fresh()
        z.add("www", "A", www)
        z.add("mail", "A", mail)
        z.add("*.wild", "TXT", '"w"')
        known = {"www A": ["A " + www], "mail A": ["A " + mail], "foo.wild TXT": ['TXT "w"']}
        for q in questions:
            owner, rdtype = q.split()
            r.servfail("%s.%s" % (owner, o), rdtype, ede, "broken: " + name, cd=known.get(q, []))
        for owner in healthy:
            r.expect("%s.%s" % (owner, o), "A", known[owner + " A"], ad=True, kind="healthy part of " + name)
        return z

    whole = ("www A", "mail A", "nx A", "www TXT")
    denials = ("nx A", "www TXT", "foo.wild TXT")
    bad("expired", [EXPIRED], questions=whole, healthy=(), after=retime(-30, -5, everything))
    bad("expired-www", [EXPIRED], after=retime(-30, -5, www_only))
    bad("expired-dnskey", [EXPIRED], questions=whole, healthy=(), after=retime(-30, -5, lambda n, t: t == T.DNSKEY))
    bad("future", [EARLY], questions=whole, healthy=(), after=retime(5, 30, everything))
    bad("future-www", [EARLY], after=retime(5, 30, www_only))
    o = "wrong-ds.com."
    bad("wrong-ds", [NO_DNSKEY, BOGUS], questions=whole, healthy=(), ds=[(k(o, "p256", "lost"), 2)])
    key = k("wrong-digest.com.", "p256")
    text = key.ds_text(dns.name.from_text("wrong-digest.com.").to_wire()).split()
    bad("wrong-digest", [NO_DNSKEY, BOGUS], questions=whole, healthy=(), keys=[key],
        ds=[(" ".join(text[:3] + ["22" * 32]), 0)])
    bad("no-rrsig", [NO_RRSIG], after=lambda z: z.rrsigs.pop((z.name("www"), T.A)))
    bad("no-rrsigs", [NO_RRSIG, NO_DNSKEY], questions=whole, healthy=(), after=lambda z: z.rrsigs.clear())
    bad("bad-signature", [BOGUS], after=bad_signature("www"))
    bad("bad-signature-rsa", [BOGUS], alg="rsa256", after=bad_signature("www"))
    bad("bad-signature-ed25519", [BOGUS], alg="ed25519", after=bad_signature("www"))
    bad("bad-dnskey-signature", [BOGUS], questions=whole, healthy=(), after=bad_signatures_of(T.DNSKEY))
    bad("foreign-key", [NO_DNSKEY, BOGUS], questions=("www A", "mail A", "nx A"), healthy=(), after=foreign_key)
    bad("foreign-signer", [BOGUS, NO_RRSIG], after=foreign_signer)
    bad("labels", [BOGUS, NO_RRSIG], after=too_many_labels)
    bad("no-dnskey", [NO_DNSKEY], questions=("www A", "mail A"), healthy=(), after=hide_dnskey)
    bad("no-zone-bit", [NO_ZONE_BIT, NO_DNSKEY], questions=("www A", "mail A"), healthy=(),
        keys=[k("nzb.com.", "p256", flags=SEP)])
    bad("protocol", [NO_DNSKEY, BOGUS], questions=("www A",), healthy=(), keys=[k("proto.com.", "p256", protocol=2)])
    bad("revoked", [NO_DNSKEY, BOGUS], questions=("www A",), healthy=(),
        keys=[k("revoked.com.", "p256", flags=ZONE | SEP | REVOKE)])
    o = "standby-only.com."
    active, standby = k(o, "p256"), k(o, "p256", "standby")
    bad("standby-only", [NO_RRSIG, NO_DNSKEY, BOGUS], questions=("www A",), healthy=(), keys=[active, standby],
        ds=[(standby, 2)], after=lambda z: z.rrsigs[(z.origin, T.DNSKEY)].pop())
    bad("nsec-gone", [NO_NSEC, BOGUS], questions=denials, healthy=("www", "mail"), after=drop_records_of(T.NSEC))
    bad("nsec-gap", [NO_NSEC, BOGUS], questions=("nx A", "foo.wild TXT"), healthy=("www", "mail"), after=shrink_denial)
    bad("nsec-signature", [BOGUS], questions=denials, healthy=("www",), after=bad_signatures_of(T.NSEC))
    bad("nsec-unsigned", [NO_RRSIG, NO_NSEC, BOGUS], questions=denials, healthy=("www",),
        after=drop_signatures_of(T.NSEC))
    bad("nsec3-gone", [NO_NSEC, BOGUS], questions=denials, healthy=("www", "mail"), denial="nsec3",
        after=drop_records_of(T.NSEC3))
    bad("nsec3-gap", [NO_NSEC, BOGUS], questions=("nx A", "foo.wild TXT"), healthy=("www",), denial="nsec3",
        after=shrink_denial)
    bad("nsec3-signature", [BOGUS], questions=denials, healthy=("www",), denial="nsec3",
        after=bad_signatures_of(T.NSEC3))
    bad("nsec3-expired", [EXPIRED], questions=denials, healthy=("www",), denial="nsec3",
        after=retime(-30, -5, lambda n, t: t == T.NSEC3))
    bad("soa-signature", [BOGUS], questions=("nx A", "www TXT"), healthy=("www",), after=bad_signatures_of(T.SOA))

    # What the parent says is what is broken.
    for name, after, ede in (("ds-signature", bad_signatures_of(T.DS), [BOGUS]),
                             ("ds-expired", retime(-30, -5, lambda n, t: t == T.DS), [EXPIRED]),
                             ("no-ds-proof", drop_records_of(T.NSEC), [NO_NSEC, BOGUS, NO_RRSIG, NO_DNSKEY])):
        o = "%s.com." % name
        r.zone(o, "p256", group="h1", after=after)
        c = r.zone("sub." + o, None if name == "no-ds-proof" else "p256", group="h2")
        a = r.fresh()
        c.add("www", "A", a)
        r.servfail("www.sub." + o, "A", ede, "broken: " + name, cd=["A " + a])

    # A whole top-level domain, with a signed and an unsigned name below it: the .de day in small.
    r.zone("fail.", "p256", "nsec3", group="arpa", after=retime(-30, -5, everything))
    for name, alg in (("signed", "p256"), ("unsigned", None)):
        z = r.zone("%s.fail." % name, alg, group="h2")
        a = r.fresh()
        z.add("www", "A", a)
        r.servfail("www.%s.fail." % name, "A", [EXPIRED], "broken: TLD", cd=["A " + a])

    # Chains into broken zones.
    z = r.zone("leads.org.", "p256", group="h1")
    for target, ede in (("expired.com", [EXPIRED]), ("bad-signature.com", [BOGUS]), ("wrong-ds.com",
                        [NO_DNSKEY, BOGUS])):
        label = "to-" + target.split(".")[0]
        z.add(label, "CNAME", "www.%s." % target)
        r.servfail("%s.leads.org." % label, "A", ede, "broken: chain")

    # Servers.
    for name, group, ede in (("lame", "lame", [UNREACHABLE, NETWORK]), ("dead", "dead", [UNREACHABLE, NETWORK])):
        for alg in ("p256", None):
            o = "%s-%s.org." % (name, "signed" if alg else "unsigned")
            r.zone(o, alg, group=group)
            r.servfail("www." + o, "A", ede, "broken: " + name)
    r.zone("glueless-loop1.org.", group="dead", ns=["ns.glueless-loop2.org."])
    r.zone("glueless-loop2.org.", group="dead", ns=["ns.glueless-loop1.org."])
    r.servfail("www.glueless-loop1.org.", "A", [UNREACHABLE, NETWORK], "broken: glueless loop")
    for label in ("loop1", "self"):
        r.servfail(label + ".chains.org.", "A", [], "broken: CNAME loop")
    r.servfail("c0.chains.org.", "A", [], "broken: chain of 20")
    r.expect("x" * 60 + ".dn.chains.org.", "A", rcode="YXDOMAIN", ad=None, kind="DNAME overflow",
             answer=["DNAME " + ".".join(["y" * 60] * 3) + ".chains.org."])
