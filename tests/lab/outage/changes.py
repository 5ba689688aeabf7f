"""Scenario revoked: what the parent changes, before, during and after the outage, and when that must be followed."""

import itertools

import breaker
import classify
import population as people
import wire
import zones as zones_module

KINDS = ("removed", "moved", "other-ds")
WHEN = ("before", "during", "after")
EACH = 5
MARK = {"moved": 201, "other-ds": 202}       # the publication that only the changed zone has
SLACK_S = 2.0


class Revoked(breaker.Scenario):
    name = "revoked"
    says = ("as main; delegations removed, moved to other servers, or given another DS at the parent before, during and "
            "after it; kept links end after 40 % of the outage")
    seen_rule = wrong_rule = False
    real_ttls = {"parent_ttl": 300, "child_link_ttl": 300, "negative_ttl": 300, "answer_ttls": (300, 300, 300, 300)}
    mix = {"seen": 0.52, "healthy": 0.10, "cold-unsigned": 0.0, "cold-signed": 0.0, "changed": 0.38}
    KEPT_SHARE = 0.4
    gap = 6.0

    def __init__(self, scale, seed=1):
        super().__init__(scale, seed)
        self.resolver_options = {"delegation_max_age": max(1, round(self.KEPT_SHARE * scale.seconds))}
        self.max_age = self.resolver_options["delegation_max_age"]
        p = self.people
        signed = [i for i in p.seen if i in p.signed]
        unsigned = [i for i in p.seen if i not in p.signed]
        self.groups = {}
        for when in WHEN:
            for kind in KINDS:
                pool = [signed, unsigned] if kind != "other-ds" else [signed, signed]
                self.groups[(kind, when)] = [pool[n % 2].pop() for n in range(EACH)]
        mine = {i for members in self.groups.values() for i in members}
        p.seen = [i for i in p.seen if i not in mine]
        p.seen_items = [i for i in p.seen_items if i.index not in mine]
        self.items = {g: [people.Item("changed", people.child(i), i, i in p.signed, "positive") for i in members]
                      for g, members in self.groups.items()}

    def ready(self):
        """The times that depend on the scaled TTLs."""
        t, s = self.timeline, self.scale
        # The old key goes when nobody can hold the old DS any more; then answers by the new one alone come.
        self.drop_s = s.parent_ttl + SLACK_S
        self.follow_s = self.drop_s + s.answer_ttls[0] + SLACK_S
        self.at = {"before": t.warm + 0.3, "during": t.at(0.3), "after": t.settled + 0.5}
        t.end = max(t.end, self.at["after"] + self.follow_s + 4.0)

    def prepare(self):
        self.ready()
        z, stage = self.run.zones, self.run.stage
        moved = [i for when in WHEN for i in self.groups[("moved", when)]]
        stage.add("moved", zones_module.MOVED_ADDRESSES,
                  [(people.child(i), z.child("de", i, MARK["moved"], z.is_signed("de", i), moved=True)) for i in moved])
        self.paths = {}
        for bad, when in ((False, "never"), (False, "before"), (True, "before"), (True, "during"), (False, "during"),
                          (False, "after")):
            if when in WHEN:
                z.removed |= set(self.groups[("removed", when)])
                z.elsewhere |= set(self.groups[("moved", when)])
                z.rolled.update({i: "c%04d rolled" % i for i in self.groups[("other-ds", when)]})
            z.now += 1                # the SOA's serial
            self.paths[(bad, when)] = self.write_de(bad, when)
        self.rolled, z.rolled = dict(z.rolled), {}
        # Both keys sign before the DS changes, as a roll-over is done.
        for when in WHEN:
            for i in self.groups[("other-ds", when)]:
                z.child("de", i, 1, True, key_label=("c%04d" % i, self.rolled[i]))
        stage.publish_children()

    def write_de(self, bad, when):
        z = self.run.zones
        z.de("badzsk" if bad else "good")
        path = z.path("de", "badzsk.zone" if bad else "good.zone")
        with open(path) as f:
            return z.write(f.read(), "de", "%s-%s.zone" % ("bad" if bad else "good", when))

    def schedule(self):
        everything = [i for items in self.items.values() for i in items]
        s = people.Schedule(self.people, self.timeline, self.rate, self.seed, self.mix, self.quiet(),
                            extra={"changed": itertools.cycle(everything)})
        s.burst(everything, 0.5, self.timeline.warm * 0.6)
        at = self.timeline.warm
        while at < self.timeline.broken + people.BREAK_S:
            s.burst(everything, at, 0.7)
            at += 0.7
        return s

    def change(self, when):
        self.run.stage.publish_de(self.paths[(when == "during", when)])

    def drop_old_key(self, when):
        for i in self.groups[("other-ds", when)]:
            self.run.zones.child("de", i, MARK["other-ds"], True, key_label=self.rolled[i])
        self.run.stage.publish_children()

    def break_it(self):
        self.run.stage.publish_de(self.paths[(True, "before")])

    def repair(self):
        self.run.stage.publish_de(self.paths[(False, "during")])

    def more_steps(self):
        rows = [(self.at[w], "changes at the parent, %s" % w, lambda w=w: self.change(w)) for w in WHEN]
        # A DS that changed while nobody could validate it: its old key stays until everybody can have the new one.
        drop = {w: self.at[w] + self.drop_s for w in WHEN}
        drop["during"] = self.timeline.settled
        return rows + [(drop[w], "old keys gone, %s" % w, lambda w=w: self.drop_old_key(w)) for w in WHEN]

    def followed(self, kind, j):
        if kind == "removed":
            return j.record.rcode == wire.NXDOMAIN
        return j.version == MARK[kind] and (j.ad or not j.record.signed)

    def extra_rules(self, judge):
        t, s = judge.timeline, self.scale
        # A change that nobody can validate is followed once the parent validates again.
        windows = {"before": (self.at["before"] + self.follow_s, t.broken),
                   "during": (t.settled + s.answer_ttls[0] + SLACK_S, t.end),
                   "after": (self.at["after"] + self.follow_s, t.end)}
        for (kind, when), members in self.groups.items():
            low, high = windows[when]
            here = judge.window(low, high, "changed", lambda j: j.record.index in members)
            bad = [j for j in here if not self.followed(kind, j)]
            judge.none("a delegation %s %s the outage: answers that do not follow it in time" % (kind, when), bad,
                       len(here))
        # During the outage what was changed before it stays as it was changed.
        for kind in ("removed", "moved"):
            members = self.groups[(kind, "before")]
            here = judge.window(t.broken, t.repaired, "changed", lambda j: j.record.index in members)
            old = [j for j in here if j.version is not None and j.version < classify.CHANGED]
            judge.none("what was %s before comes back in the outage" % kind, old, len(here))
        limit = t.broken + s.parent_ttl + self.max_age + SLACK_S
        here = judge.window(limit, t.repaired, "seen", lambda j: j.record.zone.endswith(".de."))
        published = {number: since for number, since, _ in judge.truth.versions}

        def is_last_good(j):
            """Stale (rule 2), though its data is still what is published: it says why nothing newer came, and is of a
            publication from before the limit. A denial has no date; then it must not name a kept link."""
            if j.version is None:
                return j.marked and not any("kept " in text for _, text in j.record.edes)
            return published.get(j.version, limit) < limit and bool(set(j.ede) - {3, 19})
        late = [j for j in here if j.obtained is not None and j.obtained > limit and not is_last_good(j)]
        judge.none("answers by a kept link older than delegation_max_age", late, len(here))
        return []
