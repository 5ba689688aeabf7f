"""What a run looks like: the line or the chart of each second while it plays, its figures and rules, the table side by
side, the JSON."""

import json
import sys

import figures

SHADES = (("ok", "\033[32m", "█"), ("ok+EDE3", "\033[36m", "▓"), ("SERVFAIL", "\033[31m", "░"),
          ("REFUSED", "\033[31m", "░"), ("other", "\033[35m", "?"), ("timeout", "\033[33m", "·"))
WIDTH = 50


class Chart:
    """A line a second; on a terminal a bar of colours, else the figures alone."""

    def __init__(self, title, out=sys.stdout):
        self.out, self.tty, self.title = out, out.isatty(), title
        self.say("== %s" % title)
        if self.tty:
            self.say("   answered: " + "  ".join("%s%s\033[0m %s" % (c, ch * 2, k) for k, c, ch in SHADES))

    def say(self, text):
        self.out.write(text + "\n")
        self.out.flush()

    def event(self, at, label):
        self.say("%6.1f s  -- %s" % (at, label))

    def second(self, at, timeline, counts, pending):
        total = sum(counts.values())
        phase = next((n for n, low, high in timeline.phases() if low <= at < high), "drain")
        if self.tty and total:
            bar = ""
            for key, colour, char in SHADES:
                bar += colour + char * round(WIDTH * counts.get(key, 0) / total)
            self.say("%6.1f s %-8s %4d/s %s\033[0m %s" % (at, phase, total, bar, self.words(counts, total, pending)))
        else:
            self.say("%6.1f s %-8s %4d/s %s" % (at, phase, total, self.words(counts, total, pending)))

    @staticmethod
    def words(counts, total, pending):
        parts = ["%s %.1f%%" % (k, 100 * v / total) for k, v in sorted(counts.items(), key=lambda i: -i[1])]
        return ", ".join(parts) + (", %d waiting" % pending if pending else "")


def percent(value):
    return "-" if value is None else "%.2f" % (100 * value)


def figure(value, form="%.2f"):
    return "-" if value is None else form % value


def phase_table(phases):
    head = "%-8s %-14s %7s %8s %8s %8s %8s %8s %7s %9s %8s %8s" % (
        "phase", "stream", "asked", "useful%", "fresh%", "contin%", "stale%", "SERVF%", "wrong%", "pkts/q", "p50 ms",
        "p99 ms")
    lines = [head]
    for p in phases:
        for name, s in [("all", p["all"])] + list(p["streams"].items()):
            n = s["questions"]
            c = s["classes"]
            def of(cls):
                return percent(c.get(cls, 0) / n if n else None)
            lines.append("%-8s %-14s %7d %8s %8s %8s %8s %8s %7s %9s %8s %8s" % (
                p["name"], name, n, percent(s["useful"]), of("fresh"), of("continued"), of("stale"), of("SERVFAIL"),
                percent((c.get("wrong", 0) + c.get("timeout", 0)) / n if n else None),
                figure(p["per_question"], "%.3f") if name == "all" else "", figure(s["p50_ms"]), figure(s["p99_ms"])))
        took = p["all"]["took_ms"]
        if took:
            lines.append("%-8s ms until the answer, p50 and p99: %s" % ("", ", ".join(
                "%s %.2f %.2f" % (cls, low, high) for cls, (low, high) in took.items())))
        edes = p["all"]["servfail_by_ede"]
        if edes:
            lines.append("%-8s SERVFAIL by EDE: %s" % ("", ", ".join("%s: %d" % i for i in edes.items())))
    return "\n".join(lines)


def result(run, phases, rules, seconds):
    return {"scenario": run.scenario.name, "says": run.scenario.says, "attacked": run.scenario.middlebox,
            "resolver": run.resolver_name,
            "outage_s": run.scale.seconds, "factor": run.scale.factor, "seed": run.scenario.seed,
            "events": run.events, "phases": phases, "rules": [r.as_dict() for r in rules],
            "seconds": seconds, "notes": getattr(run.resolver, "notes", []),
            "by_second": [dict(c) for c in seconds], "timeline": run.timeline.phases(),
            "failures": run.failures}


def side_by_side(results):
    """One line a resolver: of the outage of each scenario."""
    lines = []
    for scenario in dict.fromkeys(r["scenario"] for r in results):
        lines.append("%-12s %-10s %9s %8s %8s %8s %9s %10s %8s %7s %8s %8s %8s" % (
            "scenario", "resolver", "useful%", "fresh%", "contin%", "stale%", "SERVF%", "cold-uns%", "healthy%",
            "pkts/q", "p50 ms", "p99 ms", "rules"))
        for r in (r for r in results if r["scenario"] == scenario):
            p = next(p for p in r["phases"] if p["name"] == "outage")
            seen = p["streams"].get("seen", p["all"])
            n = seen["questions"] or 1
            c = seen["classes"]
            missed = sum(not rule["ok"] for rule in r["rules"])
            lines.append("%-12s %-10s %9s %8s %8s %8s %9s %10s %8s %7s %8s %8s %8s" % (
                scenario, r["resolver"], percent(seen["useful"]), percent(c.get("fresh", 0) / n),
                percent(c.get("continued", 0) / n), percent(c.get("stale", 0) / n), percent(c.get("SERVFAIL", 0) / n),
                percent(p["streams"].get("cold-unsigned", {}).get("useful")),
                percent(p["streams"].get("healthy", {}).get("useful")), figure(p["per_question"], "%.3f"),
                figure(p["all"]["p50_ms"]), figure(p["all"]["p99_ms"]), "%d/%d" % (len(r["rules"]) - missed,
                                                                                  len(r["rules"]))))
    return "\n".join(lines)


def write_json(results, path):
    with open(path, "w") as f:
        json.dump(results, f, indent=1)


def write_records(judged, path):
    with open(path, "w") as f:
        for j in judged:
            r = j.record
            f.write(json.dumps({
                "at": round(j.at, 3), "took_ms": figures.ms(r.took), "stream": r.stream, "name": r.name,
                "type": r.rdtype, "do": r.do, "signed": r.signed, "class": j.cls, "useful": j.useful, "ad": j.ad,
                "version": j.version, "ttl": j.ttl, "rcode": r.rcode, "tries": r.tries, "ede": r.edes,
                "why": j.why}) + "\n")
