"""The attacker's zones: what he serves in place of the true ones. His addresses begin with 66."""

import population as people
import signer
import zones as zones_module
from zones import SOA

FIRST_OCTET = 66
HOST = "10.55.66.1"                                   # an own name server of his
DE = ["10.55.66.%d" % n for n in (11, 12, 13, 14)]    # his .de, one for each address of the true one
CHILDREN, NET = "10.55.66.21", "10.55.66.22"
OLD_DE = "10.55.66.31"                                # true, but old


def address(index, version):
    return "%d.%d.%d.%d" % (FIRST_OCTET, version, index >> 8, index & 255)


def is_evil(rdata):
    return len(rdata) == 4 and rdata[0] == FIRST_OCTET


class Evil:
    def __init__(self, zones):
        self.z, self.scale, self.ttl = zones, zones.scale, zones.scale.parent_ttl

    def _apex(self, origin, host):
        rows = ["%s %d SOA %s" % (origin, self.ttl, SOA % (self.z.now + 99, self.ttl)),
                "%s %d NS ns.%s" % (origin, self.ttl, origin), "ns.%s %d A %s" % (origin, self.ttl, host)]
        return rows

    def wildcard(self, origin, name):
        """Anything below origin has an address of his, from the zone itself."""
        rows = self._apex(origin, HOST) + ["*.%s %d A %s" % (origin, self.ttl, address(0xFFFF, 1))]
        return self.z.write("\n".join(rows) + "\n", "evil", name)

    def de(self, variant):
        """0: all children delegated to him, unsigned. 1: the true zone with its signatures, but no DS, and the signed
        children delegated to him. 2: as 0, signed by keys of his own. 3: the names' data in .de itself."""
        if variant == 3:
            return self.wildcard("de.", "de-3.zone")
        if variant == 1:
            return self._stripped()
        rows = self._apex("de.", DE[variant])
        for i in range(people.CHILDREN):
            own = people.child(i)
            rows += ["%s %d NS ns.%s" % (own, self.ttl, own), "ns.%s %d A %s" % (own, self.ttl, HOST)]
        if variant == 0:
            return self.z.write("\n".join(rows) + "\n", "evil", "de-0.zone")
        zone = signer.Zone("de.", [zones_module.key("de-ksk of the attacker", True),
                                   zones_module.key("de-zsk of the attacker")], denial="nsec3", optout=True,
                           now=self.z.now)
        for row in rows:
            owner, ttl, rdtype, data = row.split(" ", 3)
            zone.add(owner, rdtype, data, ttl=int(ttl))
        self.z._finish(zone, self.ttl)
        return self.z.write(zone.text(), "evil", "de-2.zone")

    def _stripped(self):
        zone = self.z.de_zone()
        out = []
        signed = {people.child(i) for i in self.z.people.signed}
        for line in zone.text().split("\n"):
            fields = line.split(" ")
            if len(fields) < 5 or fields[3] == "DS" or (fields[3] == "RRSIG" and fields[4] == "DS"):
                continue
            if fields[0] in signed and fields[3] == "NS":
                continue
            out.append(line)
        for own in sorted(signed):
            out += ["%s %d IN NS evil.%s" % (own, self.ttl, own), "evil.%s %d IN A %s" % (own, self.ttl, HOST)]
        return self.z.write("\n".join(out) + "\n", "evil", "de-1.zone")

    def child(self, index, version, key_label=None):
        """A child's zone with his addresses: unsigned, or signed by that key."""
        origin, ttl = people.child(index), self.scale.child_link_ttl
        a = address(index, version)
        rows = [("@", "SOA", SOA % (self.z.now + 50 + version, self.scale.negative_ttl))]
        rows += [("@", "NS", "ns." + origin), ("ns", "A", HOST)]
        rows += [(label, "A", a) for label in ("@", "www", "www2", "www3", "*")]
        if key_label is None:
            text = "".join("%s %d %s %s\n" % (origin if label == "@" else label + "." + origin, ttl, kind, data)
                           for label, kind, data in rows)
        else:
            zone = signer.Zone(origin, [zones_module.key(key_label, True)], now=self.z.now)
            for label, kind, data in rows:
                zone.add(label, kind, data, ttl=ttl)
            self.z._finish(zone, ttl)
            text = zone.text()
        return self.z.write(text, "evil", "children", origin + "zone")
