"""The real root zone of 2020-10-19, untouched, on the root servers' own addresses: DS of every top-level domain, and
names that do not exist. The zone is not in the repo: HOLDFAST_SHARED, or ../shared beside it."""

import os
import random

import dns.flags
import dns.rcode
import dns.rdatatype
import pytest

import asker
import resolver as resolver_module
import world

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ZONE = os.path.join(os.environ.get("HOLDFAST_SHARED", os.path.join(os.path.dirname(REPO), "shared")), "data",
                    "root-2020-10-19.zone")
pytestmark = pytest.mark.skipif(not os.path.exists(ZONE), reason="no real root zone at " + ZONE)


class Root:
    def __init__(self, directory):
        self.addresses, self.tlds, self.ds = [], set(), {}
        with open(ZONE) as f:
            for line in f:
                fields = line.split()
                owner, kind = fields[0].lower(), fields[3]
                if owner.endswith(".root-servers.net.") and kind in ("A", "AAAA"):
                    self.addresses.append(fields[4])
                if kind == "NS" and owner != ".":
                    self.tlds.add(owner)
                if kind == "DS":
                    self.ds.setdefault(owner, set()).add("ds %s %s %s %s" % (*fields[4:7], "".join(fields[7:]).lower()))
        os.makedirs(directory)
        config = world.nsd_config(directory, "root", self.addresses, [(".", ZONE)])
        self.world = world.World(directory, [{"name": "root", "addresses": self.addresses, "config": config}])


@pytest.fixture(scope="module")
def root(workspace, lab, programs):
    """lab first: it makes us root where we are not. The resolver here uses builtin hints and anchors."""
    root = Root(os.path.join(workspace, "real-root"))
    root.world.start()
    directory = os.path.join(workspace, "real-root-resolver")

    def write(path):
        with open(path, "w") as f:
            f.write('server:\n  listen: [ "udp://127.0.0.1:53", "tcp://127.0.0.1:53" ]\n'
                    "process:\n  users: false\n"
                    "cache:\n  directory: %s/cache\n  size: 64M\n"
                    "dnssec:\n  clock_override: 2020-10-20T12:00:00Z\n" % directory)
        return path
    with root.world.inside():
        root.resolver = resolver_module.Resolver(programs, directory, write)
        try:
            yield root.resolver.start() and root
        finally:
            root.resolver.kill_all()
            root.world.stop()
    assert not resolver_module.sanitizer_reports(root.resolver.log_text())


def test_ds_of_every_tld_is_authentic_present_or_absent(root):
    tlds = sorted(root.tlds)
    wrong = []
    for tld, (r, _) in zip(tlds, asker.ask_many([(t, "DS") for t in tlds])):
        if r is None or r.rcode() != dns.rcode.NOERROR or not r.flags & dns.flags.AD:
            wrong.append("%s: %s" % (tld, r and (r.rcode(), asker.edes(r))))
        elif asker.answer_lines(r) != sorted(root.ds.get(tld, ())):
            wrong.append("%s: %s" % (tld, asker.answer_lines(r)))
    print("%d top-level domains, %d with DS" % (len(tlds), len(root.ds)))
    assert len(tlds) == 1508 and len(root.ds) == 1372
    assert not wrong, "\n".join(wrong[:40])


def test_names_that_do_not_exist_are_authentic(root):
    draw = random.Random(20201019)
    names = ["nx%s." % "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(draw.randint(3, 20)))
             for _ in range(200)]
    names += ["www.some.%s" % n for n in names[:100]] + ["%s." % c for c in "abcdefghijklmnopqrstuvwxyz"]
    names = [n for n in names if n.split(".")[-2] + "." not in root.tlds]
    wrong = []
    for name, (r, _) in zip(names, asker.ask_many([(n, "A") for n in names])):
        if r is None or r.rcode() != dns.rcode.NXDOMAIN or not r.flags & dns.flags.AD:
            wrong.append("%s: %s" % (name, r and (r.rcode(), r.flags, asker.edes(r))))
    assert len(names) > 300 and not wrong, "\n".join(wrong[:40])


def test_the_apex_itself_is_authentic(root):
    for rdtype in ("SOA", "NS", "DNSKEY", "NSEC"):
        r = asker.ask(".", rdtype)
        assert r.rcode() == dns.rcode.NOERROR and r.answer and r.flags & dns.flags.AD, rdtype
    r = asker.ask(".", "DS")
    assert r.rcode() == dns.rcode.NOERROR and not r.answer and r.flags & dns.flags.AD
