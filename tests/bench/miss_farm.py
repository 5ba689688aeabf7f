"""A farm of signed zones for cold questions: the root, the zone bench., and below it as many zones as wanted and one zone
with many names. NSD serves it. Unlike in the world of authority.h each zone has a P-256 key of its own, which a resolver
has to make ready before it can check anything."""

import json
import multiprocessing
import os
import shutil
import sys
import time

import dns.name

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lab")]

import lab as lab_module        # noqa: E402
import stage                    # noqa: E402
import world                    # noqa: E402
from keys import Key, P256      # noqa: E402
from signer import Zone         # noqa: E402

ROOT, TLD, LEAF = "10.53.0.1", "10.53.0.2", "10.53.0.3"
APEX, MANY = "bench.", "many.bench."
TTL = 86400
CHUNK = 100


def _key(origin):
    return Key("farm/" + origin, P256)


def _ds(origin):
    key = _key(origin)
    return key.ds_text(dns.name.from_text(origin).to_wire())


def _zone(origin, server, address):
    zone = Zone(origin, [_key(origin)])
    zone.add("@", "SOA", "%s hostmaster.%s 1 7200 1800 1209600 900" % (server, "" if origin == "." else origin), ttl=TTL)
    zone.add("@", "NS", server, ttl=TTL)
    zone.add(server, "A", address, ttl=TTL)
    return zone


def _delegate(parent, origin, address):
    parent.add(origin, "NS", "ns." + origin, ttl=TTL)
    parent.add(origin, "DS", _ds(origin), ttl=TTL)
    parent.add("ns." + origin, "A", address, ttl=TTL)


def _write(zone, directory, name):
    zone.sign()
    with open(os.path.join(directory, name), "w") as f:
        f.write(zone.text())


def zone_origin(number):
    return "z%05d.%s" % (number, APEX)


def _leaves(job):
    directory, first, last = job
    for number in range(first, last):
        origin = zone_origin(number)
        zone = _zone(origin, "ns." + origin, LEAF)
        zone.add("www", "A", "192.0.2.%d" % (number % 250 + 1), ttl=TTL)
        _write(zone, directory, origin + "zone")


def _top(job):
    directory, what, zones, names = job
    if what == "root":
        zone = _zone(".", "ns.root-servers.test.", ROOT)
        _delegate(zone, APEX, TLD)
        _write(zone, directory, "root.zone")
    elif what == "tld":
        zone = _zone(APEX, "ns." + APEX, TLD)
        zone.add("start", "A", "192.0.2.1", ttl=TTL)      # what servers.Server.wait() asks
        for number in range(zones):
            _delegate(zone, zone_origin(number), LEAF)
        _delegate(zone, MANY, LEAF)
        _write(zone, directory, APEX + "zone")
    else:
        zone = _zone(MANY, "ns." + MANY, LEAF)
        for number in range(names):
            zone.add("h%06d" % number, "A", "192.0.2.%d" % (number % 250 + 1), ttl=TTL)
        _write(zone, directory, MANY + "zone")


def _work(job):
    return _leaves(job) if isinstance(job[1], int) else _top(job)


def build(zones, names):
    """Signs the farm into a directory that is used again while it is fresh; returns its path."""
    directory = os.path.join(lab_module.cache_root(), "farm-%d-%d-%s" % (zones, names, lab_module.source_hash()))
    done = os.path.join(directory, "done")
    if os.path.exists(done) and time.time() - os.path.getmtime(done) < lab_module.FRESH_S:
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    jobs = [(directory, what, zones, names) for what in ("tld", "many", "root")]
    jobs += [(directory, first, min(first + CHUNK, zones)) for first in range(0, zones, CHUNK)]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        pool.map(_work, jobs, chunksize=1)
    with open(os.path.join(directory, "root.hints"), "w") as f:
        f.write(". 3600000 IN NS ns.root-servers.test.\nns.root-servers.test. 3600000 IN A %s\n" % ROOT)
    with open(os.path.join(directory, "root.anchor"), "w") as f:
        f.write(". 86400 IN DS %s\n" % _ds("."))
    with open(done, "w") as f:
        json.dump({"zones": zones, "names": names}, f)
    return directory


class Farm(stage.Stage):
    """The stage of the miss benchmark: what hides behind the servers' namespace is the farm."""

    def __init__(self, build_directory, directory, zones, names):
        super().__init__(build_directory, directory)
        self.zones, self.names, self.tree = zones, names, build(zones, names)
        parts = (("root", ROOT, [(".", "root.zone")]), ("tld", TLD, [(APEX, APEX + "zone")]),
                 ("leaf", LEAF, [(zone_origin(n), zone_origin(n) + "zone") for n in range(zones)]
                  + [(MANY, MANY + "zone")]))
        nsds = []
        for name, address, served in parts:
            config = world.nsd_config(directory, name, [address],
                                      [(origin, os.path.join(self.tree, path)) for origin, path in served])
            nsds.append({"name": name, "addresses": [address],
                         "command": ["taskset", "-c", str(self.load_core), "nsd", "-d", "-c", config]})
        self.world = world.World(directory, nsds, label="bench")

    hints = property(lambda self: os.path.join(self.tree, "root.hints"))
    anchor = property(lambda self: os.path.join(self.tree, "root.anchor"))
