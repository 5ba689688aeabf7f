"""The scenarios: when what breaks, and how. Each is a class whose steps() says (second, what it is called, function);
the run does them at their time and the judge gets the same words."""

import time

import judge as rules
import population as people
import scale as scale_module
import truth as truth_module
import zones as zones_module


class Timeline:
    """Seconds from the start: [0, primed) clients come to know their names, [primed, warm) they ask on until what they
    know has been renewed once, so that [warm, broken), healthy, costs what it always costs; [broken, repaired) the
    outage, with the NTA from nta on where the scenario has one, [repaired, settled) one probe interval, then healthy
    again until end."""

    def __init__(self, scale, nta=False, gap=0.0):
        short = scale.short
        self.primed = 5.0 if short else 20.0
        self.warm = self.primed if short else self.primed + 65.0
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
    repair_rule = True        # fresh and AD again within one probe interval of the repair
    wrong_rule = True         # no wrong answer of any kind
    parent_breaks = True      # what .de says of its children is not to be believed in the outage
    partly_good = False       # but some of it is
    watch_advice = False      # polled, also where none is to come
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

    def make_zones(self, directory):
        return zones_module.Zones(directory, self.scale, self.people, self.seed)

    def prepare(self):
        """Everything that costs time, before second 0."""

    def just_before(self, start_wall):
        """The same, with the wall-clock time of second 0, for signatures that end at some second."""

    def schedule(self):
        s = people.Schedule(self.people, self.timeline, self.rate, self.seed, self.mix, self.quiet())
        if self.nta:
            # All the names that nobody could answer before, one second after the NTA.
            s.burst(self.people.cold_signed_items, self.timeline.nta + 1.0, 0.5)
        return s

    def changing(self):
        """[(net, index)] of the children that publish anew all the while."""
        return [("de", i) for i in self.people.seen] + [("net", i) for i in range(people.HEALTHY)]

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

    def finish(self):
        """Ends what prepare() began."""

    def add_nta(self):
        self.run.add_nta("de")

    def ad_ends(self, record):
        """(from, to): seconds between which AD is false for this name, because a link is past its signature."""
        return None

    def believable(self, record, at):
        """Whether what the zone's servers sent at that second can validate."""
        return True

    def extra_rules(self, judge):
        """Rules of this scenario alone: a list, beside what it gives to the judge itself."""
        return []

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


class OldCache(Main):
    name = "oldcache"
    says = "as main, with all TTLs so short that every answer, delegation and key is expired when it breaks; no NTA"
    nta = cold_rule = advice_rule = False
    # One second in the lab each; nobody asks for three seconds before it breaks.
    real_ttls = {"root_ttl": 60, "parent_ttl": 60, "child_link_ttl": 60, "negative_ttl": 60,
                 "answer_ttls": (60, 60, 60, 60)}
    gap = quiet_before = 3.0


class Mixed(Main):
    name = "mixed"
    says = "one of three signatures of .de good, per record at random, its servers differing"
    nta = fresh_rule = False
    cold_rule = advice_rule = True
    kind = "mixed"
    partly_good = True

    def prepare(self):
        super().prepare()
        self.evidence["same"] = False


class ZoneKeys(Scenario):
    name = "zonekeys"
    says = ".de's DNSKEY set replaced, then bogus, then gone, while the root's DS still names the old key"
    fresh_rule = advice_rule = True

    def prepare(self):
        z = self.run.zones
        self.good = z.de("good")
        self.bad = [z.de("rolled"), z.de("bogus-dnskey"), z.de("unsigned")]
        self.evidence = {"zone": "de.", "key_tag": z.de_key_tag("de-ksk"), "ds_matches": False, "same": True}

    def break_it(self):
        self.run.stage.publish_de(self.bad[0])

    def more_steps(self):
        return [(self.timeline.at(n / 3), label, lambda n=n: self.run.stage.publish_de(self.bad[n]))
                for n, label in ((1, "DNSKEY set bogus"), (2, "DNSKEY set gone"))]


class RootDs(Scenario):
    name = "rootds"
    says = "the root validates a DS that matches no key of .de"
    partly_good = True        # what .de says holds until the DS and keys known before are past their TTL

    def prepare(self):
        self.good = self.run.zones.root("good")
        self.bad = self.run.zones.root("wrong-ds", ("de-ksk of nobody",))

    def break_it(self):
        self.run.stage.publish_root(self.bad)

    def repair(self):
        self.run.stage.publish_root(self.good)


class Expired(Scenario):
    name = "expired"
    says = "all signatures of .de expire, as they were published"

    def prepare(self):
        self.good = self.run.zones.de("good")

    def just_before(self, start_wall):
        z = self.run.zones
        z.de_expires = self.expires = start_wall + self.timeline.broken
        self.run.stage.publish_de(z.write(z.de_zone().text(), "de", "expiring.zone"))
        z.de_expires = None

    def break_it(self):
        # Time does it. A signature is good through its last second.
        time.sleep(max(0.0, int(self.expires) + 1 - time.time()))

    def ad_ends(self, record):
        """When AD must be gone for this name, and from when it may be back."""
        return (self.timeline.broken, self.timeline.repaired) if record.zone.endswith(".de.") else None


class Unreachable(Scenario):
    name = "unreachable"
    says = "the servers of .de are silent"
    fresh_rule = True

    def break_it(self):
        for server in self.run.stage.de_servers():
            server.pause()

    def repair(self):
        for server in self.run.stage.de_servers():
            server.resume()


class Refused(Unreachable):
    name = "unreachable-refused"
    says = "the servers of .de answer REFUSED"

    def zones(self):
        return []

    def break_it(self):
        for server in self.run.stage.de_servers():
            server.restart(self.zones())

    def repair(self):
        for server in self.run.stage.de_servers():
            server.restart()
        # Reading the zone takes seconds where the processor is busy.
        self.run.stage.wait_served("de.", zones_module.DE_ADDRESSES)


class Lame(Refused):
    name = "unreachable-lame"
    says = "the servers of .de are lame: they know the root zone and refer to themselves"

    def zones(self):
        return [(".", self.run.zones.path("root", "good.zone"))]


class Restart(Main):
    name = "restart"
    says = "as main; kill -9 of everything at 30 % of the outage, a clean restart at 65 %; no NTA"
    nta = cold_rule = advice_rule = False

    def more_steps(self):
        return [(self.timeline.at(scale_module.KILL_AT), "kill -9 and start", self.kill),
                (self.timeline.at(scale_module.CLEAN_AT), "stop and start", self.clean)]

    def kill(self):
        self.run.resolver.kill()
        self.run.resolver.start()

    def clean(self):
        self.run.resolver.stop()
        self.run.resolver.start()


class Reboot(Restart):
    name = "reboot"
    says = "as main; half way everything dies and comes back with a new boot id; no NTA"
    fresh_rule = False

    def more_steps(self):
        return [(self.timeline.at(0.5), "power cut, another boot id", self.reboot)]

    def reboot(self):
        self.run.resolver.kill()
        self.run.resolver.new_boot_id()
        self.run.resolver.start()


class Cold(Main):
    name = "cold"
    says = "as main, without NTA; many names never asked before, signed and unsigned"
    nta = fresh_rule = advice_rule = False
    cold_rule = True
    mix = {"seen": 0.70, "cold-signed": 0.12}


class Storm(Cold):
    name = "storm"
    says = "as cold; in the second half every stub that gets SERVFAIL asks ten times"
    cold_rule = False
    TRIES = 10

    def __init__(self, scale, seed=1):
        super().__init__(scale, seed)
        t = self.timeline
        self.calm, self.stormy = (t.at(0.2), t.at(0.55)), (t.at(0.6), t.at(0.95))
        scale.storm = self.stormy + (self.TRIES,)

    def extra_rules(self, judge):
        t = judge.truth
        asked = [sum(len(j.record.tries) for j in judge.window(*w)) for w in (self.calm, self.stormy)]
        # Every one of them upstream of .de counts: for whatever name, the probe's too.
        calm, stormy = (sum(w[0] <= at < w[1] for at in t.parent_questions) for w in (self.calm, self.stormy))
        judge.at_most("packets to .de's servers in the storm (%.1f times the clients' packets), against before"
                      % (asked[1] / max(1, asked[0])), stormy / calm if calm else None, self.STORM_LIMIT, " times",
                      "%d packets to .de, then %d; %d of clients, then %d" % (calm, stormy, asked[0], asked[1]))
        return []

    # Nothing more: the rest is where the probes and renewals fall in each half.
    STORM_LIMIT = 1.1


class Moved(Main):
    name = "moved"
    says = "as main, without NTA; at 30 % of the outage every child gets a new address"
    nta = cold_rule = advice_rule = False
    fresh_rule = True

    def plan_versions(self):
        return [self.timeline.at(0.3)]

    def extra_rules(self, judge):
        number, _, done = judge.run.versions[-1]
        t = judge.timeline
        here = judge.window(done, t.repaired, "seen", lambda j: j.record.kind == "positive" and
                            j.at > done + judge.run.zones.answer_ttl_of(j.record.index) + 1.0)
        bad = [j for j in here if j.version != number]
        judge.at_least("answers carry the new address once the old one's TTL is over", len(here) - len(bad), len(here),
                       0.95, "; ".join(map(judge.show, bad[:3])))
        return []


class OneChild(Scenario):
    name = "one-child"
    says = "one signed child, and a popular one, is signed by a key its DS does not name; .de is well"
    watch_advice = True
    parent_breaks = False

    def __init__(self, scale, seed=1):
        super().__init__(scale, seed)
        self.victim = next(i for i in self.people.seen if i in self.people.signed)

    def changing(self):
        return [c for c in super().changing() if c != ("de", self.victim)]

    def believable(self, record, at):
        done, t = self.run.done, self.timeline
        return record.index != self.victim or not record.zone.endswith(".de.") or \
            not done.get("broken", t.broken) + truth_module.RELOAD_S < at < t.repaired

    def publish(self, label):
        self.run.zones.child("de", self.victim, 1, True, key_label=label)
        self.run.stage.publish_children()

    def break_it(self):
        self.publish("a key of nobody")

    def repair(self):
        self.publish(None)

    def extra_rules(self, judge):
        return [no_advice(judge)]


def no_advice(judge):
    said = [(at, a) for at, a in judge.run.advice if rules.advice_entries(a)]
    asked = [a for _, a in judge.run.advice if isinstance(a, dict) and "error" not in a]
    return rules.Rule("no advice for what is no broken registry", "%d of %d" % (len(said), len(asked)), 0,
                      not said and asked, str((said or judge.run.advice or ["no such verb"])[-1])[:200])


SCENARIOS = {c.name: c for c in (Main, OldCache, Mixed, ZoneKeys, RootDs, Expired, Unreachable, Refused, Lame, Restart,
                                 Reboot, Cold, Storm, Moved, OneChild)}
