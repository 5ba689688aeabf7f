"""Interleaved rounds: every server in turn, several times over, so that what the machine does besides hits all alike.
Figures are medians; a ratio is the median of the ratios of each round."""

import json
import os
import statistics
import time

import picture


def measure(server, names, *options):
    """One run of the load generator, with what the server's processes used meanwhile."""
    before = server.cpu_ns()
    said = server.load(names, *options)
    if said is None:
        raise RuntimeError("the load generator failed against %s" % server.title)
    said["cpu_ns"] = (server.cpu_ns() - before) / max(1, said["answered"])
    said["rate"] = said["answered"] / said["seconds"]
    return said


class Rounds:
    def __init__(self, title, what):
        """what: the figure that ratios are made of, "cpu_ns", "p50" or "p99"."""
        self.title, self.what = title, what
        self.rounds = []          # [{server name: result}]
        self.titles = {}

    def play(self, count, servers, names, options):
        """options(server): the load generator's options."""
        for number in range(count):
            turn = number % len(servers)
            self.rounds.append({})
            for server in servers[turn:] + servers[:turn]:
                self.titles[server.name] = server.title
                self.rounds[-1][server.name] = measure(server, names, *options(server))
        return self

    def median(self, name, figure):
        return statistics.median(r[name][figure] for r in self.rounds)

    def ratio(self, name, other, figure=None):
        """The median over the rounds; other may be several names: the best of them in each round."""
        figure = figure or self.what
        others = [other] if isinstance(other, str) else list(other)
        return statistics.median(r[name][figure] / max(1e-9, min(r[o][figure] for o in others)) for r in self.rounds)

    def peers(self):
        return [n for n in self.titles if n != "holdfast" and not n.startswith("echo")]

    def best_rate(self):
        """The greatest rate of a peer."""
        return max((self.median(n, "rate") for n in self.peers()), default=0)

    def summary(self):
        rows = []
        for name, title in self.titles.items():
            row = {"server": name, "title": title}
            for figure in ("cpu_ns", "rate", "p50", "p99"):
                row[figure] = self.median(name, figure)
            row["low"] = min(r[name][self.what] for r in self.rounds)
            row["high"] = max(r[name][self.what] for r in self.rounds)
            for figure in ("lost", "wrong", "failed"):
                row[figure] = sum(r[name][figure] for r in self.rounds)
            row["to_echo"] = self.ratio(name, "echo") if "echo" in self.titles else None
            others = [p for p in self.peers() if p != name]
            row["to_best_peer"] = self.ratio(name, others) if others else None
            rows.append(row)
        return rows

    def show(self):
        print("\n%s: medians of %d interleaved rounds; ratios of %s" % (self.title, len(self.rounds), {
            "cpu_ns": "CPU an answer", "p50": "p50", "p99": "p99"}[self.what]))
        print("%-20s %10s %11s %8s %8s %8s %9s  %s" % ("", "CPU ns", "answers/s", "x echo", "x peer", "p50 us",
                                                       "p99 us", "lost wrong failed"))
        for r in self.summary():
            print("%-20s %10.0f %11.0f %8s %8s %8.0f %9.0f  %d %d %d" % (
                r["title"], r["cpu_ns"], r["rate"], "%.2f" % r["to_echo"] if r["to_echo"] else "",
                "%.2f" % r["to_best_peer"] if r["to_best_peer"] else "", r["p50"], r["p99"], r["lost"], r["wrong"],
                r["failed"]), flush=True)
        return self


def check(text, value, most):
    """A line that says whether a figure of the contract holds."""
    print("  %-68s %6.2f, at most %.2f: %s" % (text, value, most, "holds" if value <= most else "MISSED"), flush=True)
    return {"text": text, "value": value, "most": most, "holds": value <= most}


def save(out, name, rounds, checks, extra=None):
    """OUT/NAME.json and a picture of each group of rounds."""
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, name + ".json"), "w") as f:
        json.dump({"made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "checks": checks, "extra": extra or {},
                   "groups": [{"title": r.title, "figure": r.what, "summary": r.summary(), "rounds": r.rounds}
                              for r in rounds]}, f, indent=1)
    if rounds:
        with open(os.path.join(out, name + ".svg"), "w") as f:
            f.write(picture.bars(rounds))
    print("\nwritten: %s/%s.json%s" % (out, name, " and .svg" if rounds else ""), flush=True)
