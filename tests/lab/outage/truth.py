"""What was true: which publication a child's zone had when, what the servers sent to the resolver and when, and so
whether an answer can have been fresh. Whether it says so (its EDE) plays no part here."""

import bisect
import collections
import ipaddress

import wire
import zones as zones_module

SLACK_S = 1.0          # TTLs are whole seconds
EARLY_S = 0.02         # a packet's and an answer's time are taken by different clocks of one machine
FORGED_S = 0.05        # a forged answer is written down by its maker just before it is seen on the wire
RELOAD_S = 1.0         # a publication is complete a moment after it was seen on one address


def zone_of(name):
    """The child's zone a name lies in, or None."""
    labels = name.rstrip(".").split(".")
    return ".".join(labels[-2:]) + "." if len(labels) >= 2 else None


class Truth:
    def __init__(self, run):
        self.run, self.timeline, self.scale = run, run.timeline, run.scale
        self.start = run.start
        self.versions = run.versions
        self.changing = {i for net, i in run.scenario.changing() if net == "de"}    # the other zones of .de are published once
        children = set(zones_module.CHILD_ADDRESSES + zones_module.MOVED_ADDRESSES)
        parents = set(zones_module.DE_ADDRESSES + zones_module.NET_ADDRESSES)
        self.data = collections.defaultdict(list)       # (name, type) -> seconds at which its server answered
        self.zone_data = collections.defaultdict(list)  # zone -> seconds at which its server answered anything
        self.referrals = collections.defaultdict(list)  # child's zone -> seconds at which its parent referred to it
        self.questions = []                             # seconds at which something was asked upstream
        self.parent_questions = []                      # the same, of .de's servers
        self.questions_of = collections.defaultdict(list)   # zone -> the same, of what was about it
        self.waits = collections.defaultdict(list)      # (name, type) -> [(sent, answered)] of the clients' questions
        for r in run.records:
            self.waits[(r.name, r.rdtype)].append((r.sent - self.start, r.sent - self.start + r.took))
        for rows in self.waits.values():
            rows.sort()
        forged = collections.defaultdict(list)
        for d in run.delivered:
            forged[(d.server, d.name)].append(d.at - self.start)
        for p in run.packets:
            at = p.at - self.start
            if not p.out and self._within(forged.get((p.server, p.name), ()), at - FORGED_S, at + FORGED_S) is not None:
                continue
            if p.out:
                self.questions.append(at)
                if p.server in zones_module.DE_ADDRESSES:
                    self.parent_questions.append(at)
                self.questions_of[zone_of(p.name)].append(at)
            elif p.server in children and p.rcode in (0, 3):
                if p.an:
                    self.data[(p.name, p.rdtype)].append(at)
                self.zone_data[zone_of(p.name)].append(at)
            elif p.server in parents and (p.ns or p.an) and p.rcode == 0:
                self.referrals[zone_of(p.name)].append(at)

    def published(self, version, at, record):
        """Whether that publication was, or may have been, the current one at some time close to `at`."""
        if record.zone.endswith(".de.") and record.index not in self.changing:
            return version == 1 or version >= 200
        for n, (number, since, certain) in enumerate(self.versions):
            if number == version:
                until = self.versions[n + 1][2] if n + 1 < len(self.versions) else float("inf")
                return since <= at <= until + RELOAD_S
        return False

    def ever(self, version, at):
        return any(number == version and since <= at for number, since, _ in self.versions)

    def newest(self, at):
        """The publication that is certainly out."""
        return max(number for number, _, certain in self.versions if certain + RELOAD_S <= at)

    def version_of(self, record, serial):
        """Which publication of the child's zone has this SOA serial; None: none of its."""
        version = serial - self.run.zones.now
        return version if 0 < version < 256 else None

    @staticmethod
    def _within(times, low, high):
        """The latest of `times` in [low, high], or None."""
        n = bisect.bisect_right(times, high) - 1
        return times[n] if n >= 0 and times[n] >= low else None

    def obtained(self, record, answered, version):
        """The seconds at which the resolver can have obtained this answer from its zone's servers within its TTL, the
        latest first; none: not fresh."""
        if record.kind == "positive":
            ttl = self.run.zones.answer_ttl_of(record.index)
            times = self.data[(record.name, wire.NUMBERS[record.rdtype])]
        else:
            ttl = self.scale.child_link_ttl
            times = self.zone_data[record.zone]
        low = answered - ttl - SLACK_S
        n = bisect.bisect_right(times, answered + EARLY_S) - 1
        found = []
        while n >= 0 and (times[n] >= low or self.kept_from(record, times[n]) >= low):
            if (version is None or self.published(version, times[n], record)) and \
                    self.run.scenario.believable(record, times[n]):
                found.append(times[n])
            n -= 1
        return found

    def kept_from(self, record, at):
        """When what came at that second was put into the cache at the latest: its TTL counts from there, and on a busy
        machine that is a while later. Whoever waited for it had it then."""
        rows = self.waits[(record.name, record.rdtype)]
        first = bisect.bisect_left(rows, (at - self.scale.stub_timeout * self.scale.stub_timeouts,))
        last = bisect.bisect_right(rows, (at, float("inf")))
        return max([done for _, done in rows[first:last] if done >= at] + [at])

    def link_expired(self, zone, at):
        """Whether what the parent last said of the zone while it was healthy was past its TTL at that time."""
        t = self.timeline
        if not self.run.scenario.parent_breaks:
            return False
        broken = self.run.done.get("broken", t.broken)
        # Where a part of the signatures is good, each referral may have been.
        times = [r for r in self.referrals[zone] if r < broken or r > t.repaired or self.run.scenario.partly_good]
        last = self._within(times, float("-inf"), at)
        return last is not None and at > last + self.scale.parent_ttl + 2 * SLACK_S and broken < at < t.repaired


def address_of(rdata):
    return str(ipaddress.IPv4Address(rdata)) if len(rdata) == 4 else rdata.hex()


def right_address(record, rdata):
    """The publication number when the address is the asked-for child's, else None."""
    if len(rdata) != 4:
        return None
    net = 30 if record.zone.endswith("net.") else 20
    if rdata[0] != net or (rdata[2] << 8 | rdata[3]) != record.index:
        return None
    return rdata[1]
