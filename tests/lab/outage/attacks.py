"""Scenarios with somebody in the path. What counts as believed, and why, is in README.md."""

import bisect
import itertools

import dns.name

import breaker
import classify
import evil as evil_module
import middlebox
import population as people
import signer
import truth as truth_module
import wire
import world
import zones as zones_module
from judge import Rule

NEEDED = 10000          # forged or replayed answers in the full form; in proportion in a shorter one


class Attack(breaker.Scenario):
    """A scenario with the middlebox; subclasses say what it does in which mode."""
    middlebox = True
    # Somebody in the path may lie about unsigned names; what is judged instead is in extra_rules().
    seen_rule = repair_rule = wrong_rule = False

    def addresses(self):
        z = zones_module
        return z.ROOT_ADDRESSES + z.DE_ADDRESSES + z.NET_ADDRESSES + z.CHILD_ADDRESSES + [evil_module.HOST]

    def start_attacker(self):
        net = self.run.stage.servers_net()
        self.attacker = middlebox.Attacker(net, world.setns, self.addresses(), self,
                                           self.run.directory + "/delivered")
        self.delivered = []

    def finish(self):
        if getattr(self, "attacker", None):
            delivered = self.attacker.stop()
            self.run.delivered = delivered or self.run.delivered

    def mode(self, name):
        self.attacker.mode(name)

    def route(self, mode, address, name, rdtype):
        raise NotImplementedError

    # -- rules

    def delivered_rule(self, judge, kinds=None):
        count = sum(1 for d in judge.run.delivered if d.kind != middlebox.DROP and (not kinds or d.kind in kinds))
        needed = round(NEEDED * min(1.0, judge.run.scale.seconds / 180 * self.rate / 300))
        by_kind = {}
        for d in judge.run.delivered:
            by_kind[d.kind] = by_kind.get(d.kind, 0) + 1
        return Rule("forged or replayed answers delivered for names that are protected", count, ">= %d" % needed,
                    count >= needed, str(by_kind))

    @staticmethod
    def evil_answer(j):
        return any(kind == wire.A and evil_module.is_evil(data) for kind, _, data in j.record.answers)

    @staticmethod
    def zero(text, bad, whole, judge):
        return Rule(text, "%d of %d" % (len(bad), whole), 0, not bad and whole > 0,
                    "; ".join(judge.show(j) for j in bad[:3]))


class Forged(Attack):
    name = "forged"
    says = ("as main; an attacker answers for the servers of signed children all the while, and in the middle of the "
            "outage for those of .de, for seen and never-seen signed names, names in NSEC gaps, and names that no "
            "kept span covers")
    nta = True
    mix = {"seen": 0.34, "healthy": 0.10, "cold-unsigned": 0.0, "cold-signed": 0.16, "gap": 0.30, "uncovered": 0.10}
    # Answers of a minute: the more often a name is fetched, the more can be forged.
    real_ttls = {"answer_ttls": (60, 60, 60, 60)}

    def __init__(self, scale, seed=1):
        super().__init__(scale, seed)
        people_ = self.people = people.Population(seed, seen_unsigned=120, before=120)
        self.protected = {people.child(i) for i in people_.signed}

    def prepare(self):
        run, z = self.run, self.run.zones
        self.good, self.bad = z.de("good"), z.de("badzsk")
        evil = evil_module.Evil(z)
        stage = run.stage
        with stage.in_servers():
            world.ip_batch(["addr add %s/32 dev lo" % a for a in [evil_module.HOST, evil_module.CHILDREN,
                                                                  evil_module.NET] + evil_module.DE])
        stage.add("evil-host", [evil_module.HOST], [("de.", evil.wildcard("de.", "host-de.zone"))])
        for n, a in enumerate(evil_module.DE):
            stage.add("evil-de%d" % n, [a], [("de.", evil.de(n))])
        stage.add("evil-net", [evil_module.NET], [("net.", evil.wildcard("net.", "net.zone"))])
        # Half of the signed children unsigned, half signed by a key of his own.
        stage.add("evil-children", [evil_module.CHILDREN],
                  [(people.child(i), evil.child(i, 1, "key of the attacker" if i % 2 else None))
                   for i in sorted(self.people.signed)])
        self.covered = self.covered_spans(z)
        self.start_attacker()

    def covered_spans(self, z):
        """The uncovered names: never asked for, and no look-up before the break saw the span of their hash."""
        zone = z.de_zone()
        spans = sorted(zone.hash(name) for name in self.nsec3_owners(zone))

        def span(index):
            return spans[bisect.bisect(spans, zone.hash(dns.name.from_text(people.child(index)))) - 1]
        asked = [i for i in self.people.seen if i not in self.people.signed] + self.people.cold_before
        known = {span(i) for i in asked}
        known |= {spans[bisect.bisect(spans, zone.hash(dns.name.from_text("hoster%d.de." % h))) - 1]
                  for h in range(people.HOSTERS)}
        self.uncovered = [people.Item("uncovered", people.child(i), i, False, "positive")
                          for i in self.people.cold if span(i) not in known]
        return known

    def nsec3_owners(self, zone):
        return [zone.origin] + [dns.name.from_text(people.child(i)) for i in sorted(self.people.signed)] + [
            dns.name.from_text("nic.de."), ] + [dns.name.from_text("%s.nic.de." % c) for c in "abcd"]

    def schedule(self):
        return people.Schedule(self.people, self.timeline, self.rate, self.seed, self.mix, self.quiet(),
                               extra={"gap": self.gap_items(), "uncovered": iter(self.endless(self.uncovered))})

    @staticmethod
    def endless(items):
        while items:
            yield from items

    def gap_items(self):
        """Names that do not exist, in the gaps of signed children and of the healthy TLD."""
        signed = [i for i in self.people.seen if i in self.people.signed]
        n = 0
        while True:
            n += 1
            if n % 8 == 0:
                yield people.Item("gap", "gap%05d.net." % n, 0, True, "gap")
            else:
                i = signed[n % len(signed)]
                item = people.Item("gap", people.child(i), i, True, "gap")
                item.name = "gap%05d.%s" % (n, item.zone)
                yield item

    def route(self, mode, address, name, rdtype):
        """mode: '' nothing; children: signed children's servers; all: those of .de too."""
        if not mode or mode == "off":
            return None
        if address == evil_module.HOST:
            return address, "his own server"
        if address in zones_module.NET_ADDRESSES and name.startswith("gap"):
            return evil_module.NET, "gap of the healthy TLD"
        if address in zones_module.DE_ADDRESSES and mode == "all":
            variant = zones_module.DE_ADDRESSES.index(address)
            if variant == 1 and truth_module.zone_of(name) not in self.protected:
                variant = 0           # the true proofs of an unsigned name are no forgery, and nobody could tell
            return evil_module.DE[variant], "instead of .de"
        if address in zones_module.CHILD_ADDRESSES and truth_module.zone_of(name) in self.protected:
            return evil_module.CHILDREN, "instead of a signed child"
        return None

    def break_it(self):
        self.run.stage.publish_de(self.bad)

    def more_steps(self):
        t = self.timeline
        return [((t.warm + t.broken) / 2, "attack on signed children", lambda: self.mode("children")),
                (t.at(0.10), "attack on .de too", lambda: self.mode("all")),
                (t.repaired - 0.2, "attack on children only", lambda: self.mode("children")),
                (t.end - 2.0, "attack over", lambda: self.mode("off"))]

    def extra_rules(self, judge):
        t = judge.timeline
        yield self.delivered_rule(judge)
        loose = judge.window(t.broken, t.nta or t.repaired, "seen", lambda j: not j.record.signed)
        judge.run.resolver.notes = getattr(judge.run.resolver, "notes", []) + [
            "unsigned names seen before, answered with the attacker's data before the NTA (no DNSSEC matter, not counted): "
            "%d of %d" % (sum(map(self.evil_answer, loose)), len(loose))]
        signed = judge.window(0, t.end + 60, pick=lambda j: j.record.signed and j.record.stream != "gap")
        gone = t.settled + 1.5

        def under_nta(j):
            # Under the NTA nothing vouches for a child whose DS was never seen (RFC 7646): nobody could tell.
            return j.record.stream == "cold-signed" and t.nta and t.nta <= j.answered and j.at < gone

        def believed(j):
            denied = j.record.kind == "positive" and j.cls == classify.WRONG
            return (self.evil_answer(j) or denied) and not under_nta(j)
        yield self.zero("forged answers believed for names with a kept DS or proven signed",
                        [j for j in signed if believed(j)], len(signed), judge)
        gaps = judge.window(0, t.end + 60, "gap")
        yield self.zero("forged answers believed for names in NSEC gaps",
                        [j for j in gaps if self.evil_answer(j) or (j.record.rcode == wire.NOERROR)], len(gaps), judge)
        bare = judge.window(t.broken + people.BREAK_S, t.nta or t.repaired, "uncovered")
        yield self.zero("answers for names that no kept span covers, which stay SERVFAIL",
                        [j for j in bare if j.record.rcode in (wire.NOERROR, wire.NXDOMAIN)], len(bare), judge)
        healthy = judge.window(0, t.end + 60, "healthy")
        yield self.zero("forged answers in the healthy TLD", [j for j in healthy if self.evil_answer(j)],
                        len(healthy), judge)


class AttackOnly(Forged):
    name = "attack-only"
    parent_breaks = False
    says = "the same attacker, half of the time for .de too, while .de is well: no advice may come of it"
    nta = False
    watch_advice = True

    def break_it(self):
        self.mode("all")

    def repair(self):
        self.mode("off")

    def route(self, mode, address, name, rdtype):
        route = super().route(mode, address, name, rdtype)
        # On a part of the paths: two of .de's four addresses.
        if route and address in zones_module.DE_ADDRESSES[2:]:
            return None
        return route

    def more_steps(self):
        return []

    def extra_rules(self, judge):
        rules = [r for r in super().extra_rules(judge) if "no kept span" not in r.text]
        return rules + [breaker.no_advice(judge)]


class Downgrade(Attack):
    name = "downgrade"
    says = ("the servers of .de are blocked, but for old proofs of no DS and an old DS that are replayed for children "
            "signed or rolled since; their own servers are the attacker's; the old proofs' signatures end half way")
    COUNT = 45                  # children in each group; names of each: enough that 10,000 answers are wanted
    LABELS = ("www.", "www2.", "www3.", "")
    PROOF_ENDS = 0.5
    # The parent's word is short, so that all that changed before the break is known by then.
    real_ttls = {"parent_ttl": 120, "child_link_ttl": 300, "answer_ttls": (60, 60, 60, 60)}
    mix = {"seen": 0.20, "healthy": 0.10, "cold-unsigned": 0.0, "cold-signed": 0.0, "signed-since": 0.25,
           "rolled-since": 0.25, "never-seen-signed-since": 0.20}
    gap = 4.0

    def __init__(self, scale, seed=1):
        super().__init__(scale, seed)
        p = self.people
        unsigned = [i for i in p.seen if i not in p.signed]
        signed = [i for i in p.seen if i in p.signed]
        n = self.COUNT
        self.groups = {"signed-since": unsigned[:n], "never-seen-signed-since": unsigned[n:2 * n],
                       "rolled-since": signed[:n]}
        self.by_zone = {people.child(i): g for g, members in self.groups.items() for i in members}
        self.items = {g: [self.item(g, i, label) for label in self.LABELS for i in members]
                      for g, members in self.groups.items()}
        mine = {i for members in self.groups.values() for i in members}
        # What changes hands is no longer one of those that publish anew all the while.
        p.seen = [i for i in p.seen if i not in mine]
        p.seen_items = [i for i in p.seen_items if i.index not in mine]
        self.changed_at = self.timeline.warm

    @staticmethod
    def item(group, index, label):
        item = people.Item(group, people.child(index), index, True, "positive")
        item.name = label + item.zone
        return item

    def prepare(self):
        run, z = self.run, self.run.zones
        stage = run.stage
        self.good = z.de("good")
        with stage.in_servers():
            world.ip_batch(["addr add %s/32 dev lo" % a for a in (evil_module.HOST, evil_module.CHILDREN,
                                                                  evil_module.OLD_DE)])
        self.evil = evil_module.Evil(z)
        stage.add("evil-children", [evil_module.CHILDREN],
                  [(zone, self.evil_child(zone, 1)) for zone in sorted(self.by_zone)])
        self.start_attacker()

    def evil_child(self, zone, version):
        index = int(zone[1:5])
        return self.evil.child(index, version, "c%04d" % index if self.by_zone[zone] == "rolled-since" else None)

    def just_before(self, start_wall):
        """The old .de, whose proofs end half way, is what it begins with; the new one is signed later."""
        z, stage, t = self.run.zones, self.run.stage, self.timeline
        z.secured, z.rolled, z.signed_ago = set(), {}, signer.DAY
        z.denial_expires = self.proof_ends = int(start_wall + t.at(self.PROOF_ENDS))
        old = z.write(z.de_zone().text(), "de", "old.zone")
        stage.publish_de(old)
        if "old-de" in stage.servers:
            stage.servers["old-de"].restart()
        else:
            stage.add("old-de", [evil_module.OLD_DE], [("de.", old)])
        z.denial_expires, z.signed_ago = None, 3600
        z.secured |= set(self.groups["signed-since"]) | set(self.groups["never-seen-signed-since"])
        z.rolled.update({i: "c%04d rolled" % i for i in self.groups["rolled-since"]})
        self.new = z.write(z.de_zone().text(), "de", "new.zone")

    def schedule(self):
        t = self.timeline
        extra = {g: itertools.cycle(items) for g, items in self.items.items()}
        s = people.Schedule(self.people, t, self.rate, self.seed, self.mix, self.quiet(), extra=extra)
        # All of them once before they change; and those that the resolver shall know as changed, again and again.
        s.burst([i for items in self.items.values() for i in items], 0.5, t.warm * 0.6)
        at = self.changed_at + 0.5
        while at < t.broken:
            s.burst(self.items["signed-since"] + self.items["rolled-since"], at, 0.9)
            at += 1.0
        return s

    def change(self):
        """The registry signs and rolls; the children's zones go with it."""
        run, z = self.run, self.run.zones
        for group, members in self.groups.items():
            for i in members:
                z.child("de", i, 1, True, key_label=z.rolled.get(i))
        run.stage.publish_children()
        run.stage.publish_de(self.new)

    def more_steps(self):
        t = self.timeline
        rows = [(self.changed_at, "children signed and rolled", self.change),
                (t.repaired, "attack over", lambda: self.mode("off"))]
        step = max(2.0, self.scale.seconds / 60)
        self.evil_versions, n, at = [(1, 0.0)], 2, t.broken + step
        while at < t.repaired and n < 250:
            rows.append((at, "version of the attacker %d" % n, lambda n=n: self.publish_evil(n)))
            n, at = n + 1, at + step
        return rows

    def publish_evil(self, version):
        for zone in self.by_zone:
            self.evil_child(zone, version)
        self.evil_versions.append((version, self.run.second()))
        self.run.stage.servers["evil-children"].reload()

    def break_it(self):
        self.mode("replay")

    def repair(self):
        self.mode("off")

    def route(self, mode, address, name, rdtype):
        if mode != "replay":
            return None
        mine = truth_module.zone_of(name) in self.by_zone
        if address in zones_module.DE_ADDRESSES:
            return (evil_module.OLD_DE, "replay of old .de") if mine else middlebox.DROP
        if mine and address in zones_module.CHILD_ADDRESSES:
            return evil_module.CHILDREN, "forged child"
        return None

    def extra_rules(self, judge):
        t = judge.timeline
        yield self.delivered_rule(judge)
        for group in ("signed-since", "rolled-since"):
            here = judge.window(t.broken, t.end + 60, group)
            yield self.zero("replays and forgeries believed for names %s and known as such" % group.replace("-", " "),
                            [j for j in here if self.evil_answer(j)], len(here), judge)
        ends = self.proof_ends + 1 - judge.run.start_wall
        late = {n for n, since in self.evil_versions if since > ends + 1.0}
        here = judge.window(ends, t.end + 60, "never-seen-signed-since")
        bad = [j for j in here for k, _, data in j.record.answers
               if k == wire.A and evil_module.is_evil(data) and data[1] in late]
        yield self.zero("insecure answers accepted past the signature of the replayed proof", bad, len(here), judge)
