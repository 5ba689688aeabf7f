"""The rules: each a sentence with a figure and a limit, ok or MISSED. A rule that had nothing to count is MISSED."""

import classify
import figures
from figures import percentile

FINER_THAN_6 = {6, 7, 8, 9, 10, 11, 12, 25}
SETTLE_S = 2.0         # an incident is taken for open that long after the break
SERVFAIL_MS = 50       # of a known SERVFAIL


class Rule:
    def __init__(self, text, value, limit, ok, detail=""):
        self.text, self.value, self.limit, self.ok, self.detail = text, value, limit, bool(ok), detail

    def line(self):
        text = "%-6s %s: %s (limit %s)" % ("ok" if self.ok else "MISSED", self.text, self.value, self.limit)
        return text + ("; " + self.detail if self.detail and not self.ok else "")

    def as_dict(self):
        return {"rule": self.text, "value": self.value, "limit": self.limit, "ok": self.ok, "detail": self.detail}


def percent(value):
    return "nothing to count" if value is None else "%.2f %%" % (100 * value)


class Judge:
    def __init__(self, run, truth, judged):
        self.run, self.truth, self.judged, self.timeline = run, truth, judged, run.timeline
        self.scenario, self.rules = run.scenario, []
        self.low, self.high = run.timeline.without_nta()

    def window(self, low, high, stream=None, pick=lambda j: True):
        return [j for j in self.judged if low <= j.at < high and (stream is None or j.record.stream == stream)
                and pick(j)]

    def at_least(self, text, part, whole, limit, detail=""):
        value = figures.share(part, whole)
        self.rules.append(Rule(text, "%s of %d" % (percent(value), whole), ">= %g %%" % (100 * limit),
                               value is not None and value >= limit, detail))

    def at_most(self, text, value, limit, unit="", detail=""):
        shown = "nothing to count" if value is None else "%.3g%s" % (value, unit)
        self.rules.append(Rule(text, shown, "<= %g%s" % (limit, unit), value is not None and value <= limit, detail))

    def none(self, text, bad, whole, show=None):
        detail = "; ".join((show or self.show)(b) for b in bad[:4])
        self.rules.append(Rule(text, "%d of %d" % (len(bad), whole), "0", not bad and whole > 0, detail))

    @staticmethod
    def show(j):
        return "%.2f s %s %s: %s%s EDE %s%s" % (
            j.at, j.record.name, j.record.rdtype, j.cls, " AD" if j.ad else "",
            ["%d %s" % e for e in j.record.edes], " (" + j.why + ")" if j.why else "")

    # -- the rules

    def all(self):
        s = self.scenario
        if s.seen_rule:
            self.seen()
        self.healthy()
        if s.fresh_rule:
            self.fresh()
        if s.cold_rule:
            self.cold()
        if s.name == "main":
            self.cost()
        self.explained()
        self.authenticated()
        self.repaired()
        if s.advice_rule:
            self.advised()
        for extra in s.extra_rules(self):
            self.rules.append(extra)
        self.rules.append(Rule("the lab itself had no failure", len(self.run.failures), 0, not self.run.failures,
                               "; ".join(self.run.failures[:3])))
        return self.rules

    def seen(self):
        here = self.window(self.low, self.high, "seen")
        bad = [j for j in here if not j.useful]
        self.at_least("names seen before are answered usefully through the outage", len(here) - len(bad), len(here),
                      0.995, "; ".join(map(self.show, bad[:3])))

    def healthy(self):
        here = self.window(self.timeline.broken, self.timeline.repaired, "healthy")
        bad = [j for j in here if not j.useful]
        self.at_least("the healthy TLD is answered", len(here) - len(bad), len(here), 1.0,
                      "; ".join(map(self.show, bad[:3])))

    def fresh(self):
        here = self.window(self.low, self.high, "seen")
        good = [j for j in here if j.cls in (classify.FRESH, classify.CONTINUED)]
        bad = [j for j in here if j.cls not in (classify.FRESH, classify.CONTINUED)]
        self.at_least("answers below a usable kept link are fresh", len(good), len(here), 0.95,
                      "; ".join(map(self.show, bad[:3])))

    def cold(self):
        here = self.window(self.low, self.high, "cold-unsigned")
        bad = [j for j in here if not j.useful]
        self.at_least("unsigned names never seen before are answered", len(here) - len(bad), len(here), 0.95,
                      "; ".join(map(self.show, bad[:3])))
        if self.scenario.name != "main":
            return
        here = self.window(self.low, self.high, "cold-signed")
        good = [j for j in here if j.cls == classify.SERVFAIL and FINER_THAN_6 & set(j.ede) and 22 not in j.ede]
        bad = [j for j in here if j not in good]
        self.at_least("signed names never seen before: SERVFAIL with EDE 6 or finer, never 22", len(good), len(here),
                      1.0, "; ".join(map(self.show, bad[:3])))
        took = [j.record.first_took * 1000 for j in here
                if j.at > self.timeline.broken + SETTLE_S and j.record.first_took is not None]
        self.at_most("that SERVFAIL once the incident is open, p95", percentile(took, 0.95), self.servfail_ms(), " ms")
        asked = self.window(self.nta_in_force(), self.timeline.repaired, "cold-signed")
        bad = [j for j in asked if not j.useful]
        self.at_least("all of them are answered from 1 s after the NTA", len(asked) - len(bad), len(asked), 1.0,
                      "; ".join(map(self.show, bad[:3])))

    def servfail_ms(self):
        """How long a SERVFAIL that is known may take. The short form is played as a test, on whatever machine: there not
        longer than names take that have nothing wrong with them."""
        if not self.run.scale.short:
            return SERVFAIL_MS
        here = self.window(self.timeline.broken + SETTLE_S, self.high, "healthy")
        return max(SERVFAIL_MS, round((percentile([j.record.took * 1000 for j in here], 0.95) or 0), 1))

    def nta_in_force(self):
        """A second after the command that adds it has returned."""
        return max(self.timeline.nta, self.run.done.get("NTA", self.timeline.nta)) + 1.0

    def cost(self):
        t = self.timeline
        def per(low, high):
            return figures.share(figures.upstream(self.truth, low, high), len(self.window(low, high)))
        healthy, outage = per(t.warm, t.broken), per(self.low, self.high)
        if self.run.scale.factor <= 60:
            # Faster than that, the shortest TTLs are a second and no longer in proportion: only the ratio tells.
            self.at_most("authoritative packets per client question in the outage", outage, 0.6)
        # A name never seen before costs several packets on any day, and the phases have different shares of them: so
        # what is compared is the names that both phases ask for, by zone of what went upstream. All delegations came at
        # about the same time, so they are renewed together: a whole TTL of theirs is what a healthy day costs.
        whole = max(t.primed, t.broken - self.run.scale.parent_ttl)
        healthy, outage = self.per_known(whole, t.broken), self.per_known(self.low, self.high)
        self.at_most("the same of names seen before and the healthy TLD, against the healthy phase (%.3f)" % (healthy or 0),
                     outage / healthy if outage is not None and healthy else None, 1.5, " times")

    def per_known(self, low, high):
        """Packets a question, never-seen names and what was asked for their sake left out."""
        here = [j for j in self.window(low, high) if not j.record.stream.startswith("cold")]
        cold = {j.record.zone for j in self.judged if j.record.stream.startswith("cold")}
        sent = sum(low <= at < high for zone in cold for at in self.truth.questions_of.get(zone, ()))
        return figures.share(figures.upstream(self.truth, low, high) - sent, len(here))

    def explained(self):
        """EDE on all that is not fresh, by what was true."""
        t = self.timeline
        # With somebody in the path, what is said of an unsigned name may be his: not fresh, and nobody can tell.
        told = [j for j in self.window(t.warm, t.end) if j.record.signed or not self.scenario.middlebox]
        here = [j for j in told if j.cls in (classify.STALE, classify.CONTINUED, classify.SERVFAIL)]
        bad = [j for j in here if not (j.ede if j.cls == classify.SERVFAIL else j.marked or 33 in j.ede)]
        self.at_least("answers that are not fresh carry an EDE", len(here) - len(bad), len(here), 1.0,
                      "; ".join(map(self.show, bad[:4])))
        stale = [j for j in told if j.cls == classify.STALE and j.ttl is not None]
        bad = [j for j in stale if j.ttl > self.run.scale.answer_ttl]
        if stale:
            self.none("stale answers have no more than answer_ttl", bad, len(stale),
                      lambda j: self.show(j) + " TTL %d" % j.ttl)
        if self.scenario.wrong_rule:
            self.none("wrong answers", [j for j in self.judged if j.cls == classify.WRONG], len(self.judged))

    def authenticated(self):
        """AD against what was true of every link."""
        bad = [j for j in self.judged if j.ad and self.ad_forbidden(j)]
        self.none("AD on an answer that cannot have it", bad, len(self.judged))

    def ad_forbidden(self, j):
        if not j.record.signed:
            return True
        t = self.timeline
        ends = self.scenario.ad_ends(j.record)
        if ends is not None and ends[0] + 1.0 < j.at < ends[1]:
            return True
        # A kept DS below the NTA still validates, but the chain to it ends at the NTA.
        return bool(t.nta and j.record.zone.endswith(".de.") and self.nta_in_force() < j.at < t.repaired)

    def repaired(self):
        t, s = self.timeline, self.scenario
        if s.repair_rule:
            self.recovered()
        if t.nta:
            self.nta_removed()

    def recovered(self):
        t = self.timeline
        # From when the repaired zone was certainly out, on all servers.
        since = max(t.settled, self.run.done.get("repaired", t.repaired) + self.run.scale.probe_interval)
        here = self.window(since, t.end, "seen")
        bad = [j for j in here if j.cls not in (classify.FRESH, classify.CONTINUED) or j.marked]
        self.at_least("after the repair answers are fresh within one probe interval", len(here) - len(bad), len(here),
                      0.99, "; ".join(map(self.show, bad[:3])))
        here = self.window(since, t.end, "seen", lambda j: j.record.signed)
        bad = [j for j in here if not j.ad]
        self.at_least("AD is back", len(here) - len(bad), len(here), 0.99, "; ".join(map(self.show, bad[:3])))

    def nta_removed(self):
        t = self.timeline
        gone = [at for at, listed in self.run.nta_listed if at > t.repaired and not listed]
        there = [at for at, listed in self.run.nta_listed if t.nta < at < t.repaired and listed]
        took = gone[0] - t.repaired if gone and there else None
        # Polled once a second: what was there a second before may have gone at once.
        self.at_most("the NTA is removed by its probe after the repair", took, self.run.scale.probe_interval + 1.5, " s")
        here = self.window(t.settled + 1.5, t.end, pick=lambda j: j.record.zone.endswith(".de."))
        self.none("answers that still come from under the NTA", [j for j in here if 33 in j.ede], len(here))

    def advised(self):
        t, wanted = self.timeline, self.scenario.evidence
        first = None
        for at, advice in self.run.advice:
            entries = advice_entries(advice)
            mine = [e for e in entries if e.get("zone", e.get("name")) in (wanted["zone"], wanted["zone"].rstrip("."))]
            if mine and at >= t.broken - 1:
                first = (at, mine[0])
                break
        limit = self.run.scale.advice_limit
        said = str(self.run.advice[-1][1])[:160] if self.run.advice else "no such verb"
        self.at_most("advice appears after the break", first[0] - t.broken if first else None, limit, " s", said)
        for text, ok in evidence_checks(first[1] if first else {}, wanted, self.run):
            self.rules.append(Rule("advice: " + text, "so" if ok else "not so", "so", ok,
                                   str(first[1])[:300] if first else "no advice"))
        early = [at for at, advice in self.run.advice if at < t.broken and advice_entries(advice)]
        self.rules.append(Rule("no advice before the break", len(early), 0, not early and self.run.advice))


def advice_entries(advice):
    if not isinstance(advice, dict) or "error" in advice:
        return []
    for key in ("advice", "zones", "incidents"):
        if isinstance(advice.get(key), list):
            return advice[key]
    return []


def evidence_checks(entry, wanted, run):
    """[(sentence, holds)] of what the lab broke against what the advice says."""
    evidence = entry.get("evidence") or {}
    said = "%s %s" % (entry.get("cause", ""), evidence.get("reason", ""))
    yield "it names the key tag %d that fails" % wanted["key_tag"], str(wanted["key_tag"]) in said
    yield "DNSKEY set and DS agree: %s" % wanted["ds_matches"], evidence.get("keys_match_ds") is wanted["ds_matches"]
    yield "all addresses serve the same: %s" % wanted["same"], evidence.get("servers_differ") is (not wanted["same"])
    yield "affected names are counted", isinstance(entry.get("names"), int) and entry["names"] > 1
    yield "it has the command to run", "nta add %s" % wanted["zone"].rstrip(".") in entry.get("command", "")
