"""The signed world as zone files: root, .de (NSEC3, opt-out), a healthy TLD, their children; and the broken forms of
.de and the root that the scenarios publish. Keys are the lab's deterministic ones, so key tags can be named."""

import os
import random
import time

import dns.name
import dns.rdatatype

import keys
import population as people
import signer

T = dns.rdatatype
ROOT_ADDRESSES = ["10.55.1.1", "10.55.1.2"]
DE_ADDRESSES = ["10.55.2.1", "10.55.2.2", "10.55.2.3", "10.55.2.4"]
NET_ADDRESSES = ["10.55.3.1", "10.55.3.2"]
CHILD_ADDRESSES = ["10.55.10.%d" % (n + 1) for n in range(people.CHILD_SERVERS)]
MOVED_ADDRESSES = ["10.55.11.%d" % (n + 1) for n in range(people.CHILD_SERVERS)]
SOA = "ns.lab.net. hostmaster.lab.net. %d 3600 600 86400 %d"
GOOD_SHARE = 1 / 3                 # of .de's signatures in `mixed`


def key(label, sep=False):
    return keys.Key("outage " + label, keys.P256, keys.ZONE | (keys.SEP if sep else 0))


def address(net, index, version):
    """A child's address: which child, and in the second octet which publication of its zone."""
    return "%d.%d.%d.%d" % (20 if net == "de" else 30, version, index >> 8, index & 255)


def child_servers(index):
    """(owner text, address) of a child's name servers when they have names of their own in it."""
    return [("ns%d" % n, CHILD_ADDRESSES[(index + n * 3) % len(CHILD_ADDRESSES)]) for n in (1, 2)]


def delegation(index):
    """NS names of child number index of .de: in its own zone, at a hoster in .de, or at a provider elsewhere."""
    if index % 3 == 0:
        return ["ns1." + people.child(index), "ns2." + people.child(index)]
    if index % 3 == 1:
        hoster = "hoster%d.de." % (index // 3 % people.HOSTERS)
        return ["ns1." + hoster, "ns2." + hoster]
    provider = "prov%d.net." % (index // 3 % people.PROVIDERS)
    return ["ns1." + provider, "ns2." + provider]


def ds_of(origin, *labels):
    wire = dns.name.from_text(origin).canonicalize().to_wire()
    return [key(label, True).ds_text(wire) for label in labels]


class Zones:
    """Everything that can be published, made when it is asked for and kept in `directory`."""

    def __init__(self, directory, scale, people_, seed=1):
        self.directory, self.scale, self.people, self.seed = directory, scale, people_, seed
        # What de_zone() says from now on: wall-clock ends of the signatures of its NSEC3 and of all of it, and how old
        # they are; children that are gone, served elsewhere, have another key, are signed beside those born signed.
        self.denial_expires, self.de_expires, self.signed_ago = None, None, signer.DAY
        self.removed, self.elsewhere, self.rolled, self.secured = set(), set(), {}, set()
        os.makedirs(directory, exist_ok=True)
        self.now = int(time.time())
        self.child_keys = {}

    def path(self, *parts):
        path = os.path.join(self.directory, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, text, *parts):
        path = self.path(*parts)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    # -- root

    def root(self, name="good", de_ds=("de-ksk",)):
        """de_ds: labels of the keys of .de that the root vouches for; empty: it says that .de is unsigned."""
        s, z = self.scale, signer.Zone(".", [key("root-ksk", True), key("root-zsk")], now=self.now)
        z.add("@", "SOA", SOA % (self.now, s.root_ttl), ttl=s.root_ttl)
        for n, a in enumerate(ROOT_ADDRESSES):
            server = "%s.root-servers.net." % "ab"[n]
            z.add("@", "NS", server, ttl=s.root_ttl)
            z.add(dns.name.from_text(server), "A", a, ttl=s.root_ttl)
        for tld, addresses, labels in (("de.", DE_ADDRESSES, de_ds), ("net.", NET_ADDRESSES, ("net-ksk",))):
            for n, a in enumerate(addresses):
                server = "%s.nic.%s" % ("abcd"[n], tld)
                z.add(tld, "NS", server, ttl=s.root_ttl)
                z.add(dns.name.from_text(server), "A", a, ttl=s.root_ttl)
            if labels:
                z.add(tld, "DS", *ds_of(tld, *labels), ttl=s.root_ttl)
        self._finish(z, s.root_ttl)
        return self.write(z.text(), "root", name + ".zone")

    def hints(self):
        return self.write("".join(". 3600000 NS %s.root-servers.net.\n%s.root-servers.net. 3600000 A %s\n" % (c, c, a)
                                  for c, a in zip("ab", ROOT_ADDRESSES)), "root.hints")

    def anchor(self):
        return self.write("".join(". 86400 IN DS %s\n" % d for d in ds_of(".", "root-ksk")), "root.anchor")

    def anchor_dnskey(self):
        return self.write(". 86400 IN DNSKEY %s\n" % key("root-ksk", True).text(), "root.dnskey")

    @staticmethod
    def _finish(z, ttl, sign=True):
        """Signs, and gives DNSKEY and denial the zone's TTL."""
        if not sign:
            return
        plain, z.add = z.add, lambda owner, rdtype, *texts, **kw: plain(owner, rdtype, *texts, **{"ttl": ttl, **kw})
        z.sign()
        z.add = plain

    # -- .de

    def de_zone(self, ksk="de-ksk", zsk="de-zsk", sign=True):
        s = self.scale
        z = signer.Zone("de.", [key(ksk, True), key(zsk)] if sign else [], denial="nsec3", optout=True, now=self.now)
        z.starts = self.now - self.signed_ago
        if self.de_expires:
            z.expires = int(self.de_expires)
        ttl = s.parent_ttl
        z.add("@", "SOA", SOA % (self.now, ttl), ttl=ttl)
        for n, a in enumerate(DE_ADDRESSES):
            z.add("@", "NS", "%s.nic.de." % "abcd"[n], ttl=ttl)
            z.add("%s.nic" % "abcd"[n], "A", a, ttl=ttl)
        for h in range(people.HOSTERS):
            for n in (1, 2):
                z.add("hoster%d" % h, "NS", "ns%d.hoster%d.de." % (n, h), ttl=ttl)
                z.add("ns%d.hoster%d" % (n, h), "A", CHILD_ADDRESSES[(h + n) % len(CHILD_ADDRESSES)], ttl=ttl)
        for i in range(people.CHILDREN):
            if i in self.removed:
                continue
            owner = "c%04d" % i
            if i in self.elsewhere:
                for n, (label, _) in enumerate(child_servers(i)):
                    z.add(owner, "NS", "%s.%s.de." % (label, owner), ttl=ttl)
                    z.add("%s.%s" % (label, owner), "A", MOVED_ADDRESSES[(i + n * 3) % len(MOVED_ADDRESSES)], ttl=ttl)
            else:
                z.add(owner, "NS", *delegation(i), ttl=ttl)
                if i % 3 == 0:
                    for label, a in child_servers(i):
                        z.add("%s.%s" % (label, owner), "A", a, ttl=ttl)
            if i in self.people.signed or i in self.secured:
                z.add(owner, "DS", *ds_of(people.child(i), self.rolled.get(i, "c%04d" % i)), ttl=ttl)
        self._finish(z, ttl, sign)
        if self.denial_expires:
            for k in [k for k in z.rrsigs if k[1] == T.NSEC3]:
                z.rrsigs[k] = [z.make_rrsig(k[0], k[1], key(zsk), expires=int(self.denial_expires))]
        return z

    def de_key_tag(self, label="de-zsk"):
        return key(label, label.endswith("ksk")).tag()

    @staticmethod
    def _break(z, sig, owner):
        """The same record signed by another private key whose metadata say the published key's tag."""
        good, sig.key = sig.key, key("de-zsk of another HSM")
        z.fill(sig, owner)
        sig.key = good

    def de(self, kind="good"):
        """One path for all servers of .de, or one for each."""
        if kind == "good":
            return self.write(self.de_zone().text(), "de", "good.zone")
        if kind == "badzsk":
            z = self.de_zone()
            for (owner, rdtype), sigs in z.rrsigs.items():
                for sig in sigs if rdtype != T.DNSKEY else ():
                    self._break(z, sig, owner)
            return self.write(z.text(), "de", "badzsk.zone")
        if kind == "mixed":
            return [self._mixed(n) for n in range(len(DE_ADDRESSES))]
        if kind == "rolled":
            return self.write(self.de_zone("de-ksk-new", "de-zsk-new").text(), "de", "rolled.zone")
        if kind == "bogus-dnskey":
            z = self.de_zone()
            owner = z.origin
            for sig in z.rrsigs[(owner, T.DNSKEY)]:
                self._break(z, sig, owner)
            return self.write(z.text(), "de", "bogus-dnskey.zone")
        if kind == "unsigned":
            return self.write(self.de_zone(sign=False).text(), "de", "unsigned.zone")
        raise ValueError(kind)

    def _mixed(self, server):
        rng, z = random.Random("%d mixed %d" % (self.seed, server)), self.de_zone()
        for (owner, rdtype), sigs in sorted(z.rrsigs.items()):
            if rdtype != T.DNSKEY and rng.random() >= GOOD_SHARE:
                for sig in sigs:
                    self._break(z, sig, owner)
        return self.write(z.text(), "de", "mixed-%d.zone" % server)

    # -- the healthy TLD

    def net(self):
        ttl = self.scale.parent_ttl
        z = signer.Zone("net.", [key("net-ksk", True), key("net-zsk")], now=self.now)
        z.add("@", "SOA", SOA % (self.now, ttl), ttl=ttl)
        for n, a in enumerate(NET_ADDRESSES):
            z.add("@", "NS", "%s.nic.net." % "ab"[n], ttl=ttl)
            z.add("%s.nic" % "ab"[n], "A", a, ttl=ttl)
        z.add("root-servers", "NS", "a.root-servers.net.", "b.root-servers.net.", ttl=ttl)
        for n, a in enumerate(ROOT_ADDRESSES):
            z.add("%s.root-servers" % "ab"[n], "A", a, ttl=ttl)
        for p in range(people.PROVIDERS):
            for n in (1, 2):
                z.add("prov%d" % p, "NS", "ns%d.prov%d.net." % (n, p), ttl=ttl)
                z.add("ns%d.prov%d" % (n, p), "A", CHILD_ADDRESSES[(p + n) % len(CHILD_ADDRESSES)], ttl=ttl)
        for i in range(people.HEALTHY):
            z.add("n%02d" % i, "NS", *("ns%d.prov%d.net." % (n, i % people.PROVIDERS) for n in (1, 2)), ttl=ttl)
            if i in self.people.healthy_signed:
                z.add("n%02d" % i, "DS", *ds_of(people.healthy(i), "n%02d" % i), ttl=ttl)
        self._finish(z, ttl)
        return self.write(z.text(), "net.zone")

    def root_servers_net(self):
        lines = ["root-servers.net. 3600 SOA " + SOA % (self.now, 600)]
        for c, a in zip("ab", ROOT_ADDRESSES):
            lines += ["root-servers.net. 3600 NS %s.root-servers.net." % c, "%s.root-servers.net. 3600 A %s" % (c, a)]
        return self.write("\n".join(lines) + "\n", "root-servers.net.zone")

    # -- children

    def answer_ttl_of(self, index):
        ttls = self.scale.answer_ttls
        return ttls[index % len(ttls)]

    def _host_zone(self, origin, offset):
        s = self.scale
        lines = ["%s %d SOA %s" % (origin, s.child_link_ttl, SOA % (self.now, s.negative_ttl))]
        for n in (1, 2):
            lines += ["%s %d NS ns%d.%s" % (origin, s.child_link_ttl, n, origin), "ns%d.%s %d A %s" % (
                n, origin, s.child_link_ttl, CHILD_ADDRESSES[(offset + n) % len(CHILD_ADDRESSES)])]
        return "\n".join(lines) + "\n"

    def _child_records(self, net, index, version, moved):
        """(owner label, type, ttl, data) of a child's zone without its signatures."""
        s = self.scale
        rows = [("@", "SOA", s.child_link_ttl, SOA % (self.now + version, s.negative_ttl))]
        if net == "net":
            rows.append(("@", "NS", s.child_link_ttl, ["ns%d.prov%d.net." % (n, index % people.PROVIDERS)
                                                       for n in (1, 2)]))
        elif moved or index % 3 == 0:
            own = people.child(index)
            rows.append(("@", "NS", s.child_link_ttl, ["%s.%s" % (label, own) for label, _ in child_servers(index)]))
            for n, (label, a) in enumerate(child_servers(index)):
                a = MOVED_ADDRESSES[(index + n * 3) % len(MOVED_ADDRESSES)] if moved else a
                rows.append((label, "A", s.child_link_ttl, a))
        else:
            rows.append(("@", "NS", s.child_link_ttl, delegation(index)))
        a = address(net, index, version)
        rows += [(label, "A", self.answer_ttl_of(index), a) for label in ("@", "www", "www2", "www3")]
        rows.append(("@", "TXT", self.answer_ttl_of(index), '"version %d"' % version))
        return rows

    def child(self, net, index, version, signed, moved=False, key_label=None, folder=None):
        """key_label: the key that signs it when not its own, or several that all do."""
        origin = people.child(index) if net == "de" else people.healthy(index)
        rows = self._child_records(net, index, version, moved)
        if not signed:
            lines = []
            for label, rdtype, ttl, data in rows:
                owner = origin if label == "@" else label + "." + origin
                lines += ["%s %d %s %s" % (owner, ttl, rdtype, d) for d in (data if isinstance(data, list) else [data])]
            text = "\n".join(lines) + "\n"
        else:
            labels = key_label or origin.split(".")[0]
            labels = labels if isinstance(labels, tuple) else (labels,)
            for label in labels:
                if label not in self.child_keys:
                    self.child_keys[label] = key(label, True)
            z = signer.Zone(origin, [self.child_keys[label] for label in labels], now=self.now)
            for owner, rdtype, ttl, data in rows:
                z.add(owner, rdtype, *(data if isinstance(data, list) else [data]), ttl=ttl)
            self._finish(z, self.scale.child_link_ttl)
            text = z.text()
        return self.write(text, folder or ("moved" if moved else "children"), origin + "zone")

    def write_version(self, version, only):
        """Publication `version` of these children, [(net, index)], beside the one that is out."""
        for net, i in only:
            self.child(net, i, version, self.is_signed(net, i), folder="version-%d" % version)

    def put_version(self, version):
        """Puts it where the server reads it."""
        folder = os.path.join(self.directory, "version-%d" % version)
        for name in os.listdir(folder):
            os.rename(os.path.join(folder, name), os.path.join(self.directory, "children", name))

    def children(self, version=1):
        """Writes the children's zones; returns [(origin, path)]."""
        made = []
        for i in range(people.CHILDREN):
            made.append((people.child(i), self.child("de", i, version, self.is_signed("de", i))))
        for i in range(people.HEALTHY):
            made.append((people.healthy(i), self.child("net", i, version, self.is_signed("net", i))))
        for kind, count, tld in (("hoster", people.HOSTERS, "de"), ("prov", people.PROVIDERS, "net")):
            for n in range(count):
                origin = "%s%d.%s." % (kind, n, tld)
                made.append((origin, self.write(self._host_zone(origin, n), "children", origin + "zone")))
        return made

    def is_signed(self, net, index):
        if net == "net":
            return index in self.people.healthy_signed
        return index in self.people.signed or index in self.secured
