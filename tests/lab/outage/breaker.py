"""The scenarios: when what breaks, and how. Each is a class whose steps() says (second, what it is called, function);
the run does them at their time and the judge gets the same words."""

import os
import signal
import time

import population as people
import scale as scale_module
import zones as zones_module


class Timeline:
    """Seconds from the start: [0, warm) clients come to know their names, [warm, broken) healthy, [broken, repaired) the
    outage, with the NTA from nta on where the scenario has one, [repaired, settled) one probe interval, then healthy
    again until end."""

    def __init__(self, scale, nta=False, gap=0.0):
        short = scale.short
        self.warm = 5.0 if short else 20.0
        self.broken = self.warm + (6.0 if short else 25.0) + gap
        self.repaired = self.broken + scale.seconds
        self.nta = self.broken + scale.seconds * scale_module.NTA_AT if nta else None
        self.settled = self.repaired + scale.probe_interval
        self.end = self.settled + (5.0 if short else 20.0)
        self.gap = gap

    def without_nta(self):
        return self.broken, self.nta or self.repaired

    def phases(self):
        rows = [("warm", 0.0, self.warm), ("healthy", self.warm, self.broken)]
        rows.append(("outage",) + self.without_nta())
        if self.nta:
            rows.append(("nta", self.nta, self.repaired))
        return rows + [("repair", self.repaired, self.settled), ("after", self.settled, self.end)]

    def at(self, share):
        """That share of the outage."""
        return self.broken + (self.repaired - self.broken) * share


class Scenario:
    """What all have in common: .de breaks, is repaired, the children's zones get new publications all the while."""
    name, says = "", ""
    nta = False
    middlebox = False
    gap = 0.0
    mix = {}
    rate = 300
    seen_rule = True          # 99.5 % of what was seen before answered usefully
    fresh_rule = False        # 95 % of that fresh
    cold_rule = False         # never-seen names of this scenario are judged
    advice_rule = False
    quiet_before = 0.0
    real_ttls = {}            # what this scenario overrides in scale.SCALED
    resolver_options = {}

    def __init__(self, scale, seed=1):
        self.scale, self.seed = scale, seed
        self.people = people.Population(seed)
        self.timeline = Timeline(scale, self.nta, self.gap)
        self.run = None
        self.versions_at = self.plan_versions()

    def plan_versions(self):
        """When the children publish anew."""
        step = 4.0 if self.scale.short else 15.0
        t, at = [], self.timeline.warm + step / 2
        while at < self.timeline.end - step / 2:
            t.append(at)
            at += step
        return t

    def make_zones(self, directory, start_wall):
        """start_wall: wall-clock time of second 0."""
        return zones_module.Zones(directory, self.scale, self.people, self.seed)

    def prepare(self):
        """Everything that costs time, before second 0."""

    def schedule(self):
        s = people.Schedule(self.people, self.timeline, self.rate, self.seed, self.mix, self.quiet())
        if self.nta:
            # All the names that nobody could answer before, one second after the NTA.
            s.burst(self.people.cold_signed_items, self.timeline.nta + 1.0, 0.5)
        return s

    def quiet(self):
        return [(self.timeline.broken - self.quiet_before, self.timeline.broken)] if self.quiet_before else []

    def steps(self):
        rows = [(self.timeline.broken, "broken", self.break_it), (self.timeline.repaired, "repaired", self.repair)]
        if self.nta:
            rows.append((self.timeline.nta, "NTA", self.add_nta))
        for n, at in enumerate(self.versions_at):
            rows.append((at, "version %d" % (n + 2), lambda v=n + 2: self.run.publish_version(v)))
        return sorted(rows, key=lambda r: r[0]) + self.more_steps()

    def more_steps(self):
        return []

    def break_it(self):
        raise NotImplementedError

    def repair(self):
        self.run.stage.publish_de(self.good)

    def add_nta(self):
        self.run.add_nta("de")

    # What the advice must say, where there is one; filled in by the scenario.
    evidence = {}


class Main(Scenario):
    name = "main"
    says = ".de's zone signed by a key that is not in its DNSKEY set, which is fine; NTA at 85 %; repair"
    nta = fresh_rule = cold_rule = advice_rule = True
    kind = "badzsk"

    def prepare(self):
        self.good = self.run.zones.de("good")
        self.bad = self.run.zones.de(self.kind)
        self.evidence = {"zone": "de.", "key_tag": self.run.zones.de_key_tag(), "ds_matches": True, "same": True}

    def break_it(self):
        self.run.stage.publish_de(self.bad)


SCENARIOS = {c.name: c for c in (Main,)}
