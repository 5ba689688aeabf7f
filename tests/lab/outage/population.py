"""Who is in the lab's world, and who asks for what when: the zones' names, which of them are popular, and the schedule
of questions. A seed decides everything, so that every resolver gets the same questions at the same times."""

import bisect
import itertools
import random

CHILDREN, SIGNED = 2500, 100
SEEN_SIGNED, SEEN_UNSIGNED = 60, 400
LOOKED_UP_BEFORE = 500             # unsigned names of .de asked for before it breaks, seen ones among them
HOSTERS, PROVIDERS = 8, 4
HEALTHY = 60                       # children of the healthy TLD, half of them signed
BREAK_S = 1.0                      # the servers take a moment to publish what is broken
CHILD_SERVERS = 8                  # addresses the children are served from
MIX = {"seen": 0.80, "healthy": 0.15, "cold-unsigned": 0.033, "cold-signed": 0.017}


def child(i):
    return "c%04d.de." % i


def healthy(i):
    return "n%02d.net." % i


class Item:
    """One question somebody asks: stream, name, type, and what is true about it."""
    __slots__ = ("stream", "name", "rdtype", "zone", "index", "signed", "kind")

    def __init__(self, stream, zone, index, signed, kind):
        self.stream, self.zone, self.index, self.signed, self.kind = stream, zone, index, signed, kind
        self.name = ("nx." if kind == "nxdomain" else "www.") + zone
        self.rdtype = "AAAA" if kind == "nodata" else "A"


class Population:
    def __init__(self, seed=1, seen_unsigned=SEEN_UNSIGNED, before=LOOKED_UP_BEFORE):
        """before: how many unsigned names are looked up before the break, the seen ones among them."""
        rng = random.Random(seed)
        order = list(range(CHILDREN))
        rng.shuffle(order)
        self.signed = set(order[:SIGNED])
        signed, unsigned = order[:SIGNED], order[SIGNED:]
        self.seen = signed[:SEEN_SIGNED] + unsigned[:seen_unsigned]
        rng.shuffle(self.seen)
        self.cold_signed = signed[SEEN_SIGNED:]
        rest = unsigned[seen_unsigned:]
        before -= seen_unsigned         # what comes after those was never asked for
        self.cold_before, self.cold = rest[:before], rest[before:]
        self.healthy_signed = set(range(0, HEALTHY, 2))
        kinds = ["positive"] * 8 + ["nodata", "nxdomain"]
        self.seen_items = [Item("seen", child(i), i, i in self.signed, kinds[n % 10])
                           for n, i in enumerate(self.seen)]
        self.healthy_items = [Item("healthy", healthy(i), i, i in self.healthy_signed, kinds[i % 10])
                              for i in range(HEALTHY)]
        self.cold_signed_items = [Item("cold-signed", child(i), i, True, "positive") for i in self.cold_signed]
        self.cold_before_items = [Item("cold-unsigned", child(i), i, False, "positive") for i in self.cold_before]
        self.cold_items = [Item("cold-unsigned", child(i), i, False, "positive") for i in self.cold]


def zipf_chooser(items, rng, exponent=1.0):
    weights = list(itertools.accumulate(1 / (n + 1) ** exponent for n in range(len(items))))
    return lambda: items[bisect.bisect(weights, rng.random() * weights[-1])]


class Schedule:
    """rows: [(seconds from the start, Item, DO)], in order."""

    def __init__(self, population, phases, rate, seed, mix=None, quiet=(), extra=None):
        """phases: see breaker.Timeline. quiet: [(from, to)] without any question.
        extra: {stream: iterator of Items} for the streams of one scenario, asked once it is broken."""
        rng = random.Random(seed * 7919 + 17)
        mix = dict(MIX, **(mix or {}))
        seen = zipf_chooser(population.seen_items, rng)
        well = zipf_chooser(population.healthy_items, rng)
        before, cold = iter(population.cold_before_items), iter(population.cold_items)
        self.rows, self.population, self.rng = [], population, rng
        at, rows = 0.0, self.rows
        # First every name that clients are said to know, once.
        everything = population.seen_items + population.healthy_items
        pace = max(rate, len(everything) / max(0.5, phases.primed * 0.9))
        for item in everything:
            rows.append((at, item, False))
            at += 1 / pace
        at = phases.primed
        streams, weights = list(mix), list(itertools.accumulate(mix.values()))
        while at < phases.end:
            at += rng.expovariate(rate)
            stream = streams[bisect.bisect(weights, rng.random() * weights[-1])]
            if any(a <= at < b for a, b in quiet):
                continue
            do = rng.random() < 0.2
            if stream == "seen":
                item = seen()
            elif stream == "healthy":
                item = well()
            elif stream == "cold-signed":
                # Asked for only when it is broken: an answer before would make it a seen one.
                if not phases.broken + BREAK_S <= at < phases.repaired:
                    continue
                item = rng.choice(population.cold_signed_items)
            elif stream in (extra or {}):
                item = next(extra[stream], None) if at > phases.broken + BREAK_S else None
                if item is None:
                    continue
            else:
                if at < phases.warm or phases.broken - BREAK_S < at < phases.broken + BREAK_S:
                    continue
                item = next(before if at < phases.broken else cold, None)
                if item is None:
                    continue
            rows.append((at, item, do))
        # What is left of the 500 before the break, in the second half of the healthy time.
        left = list(before)
        for n, item in enumerate(left):
            rows.append((phases.warm + (phases.broken - phases.warm) * 0.9 * n / max(1, len(left)), item, False))
        rows.sort(key=lambda r: r[0])

    def burst(self, items, at, seconds):
        for n, item in enumerate(items):
            self.rows.append((at + seconds * n / max(1, len(items)), item, False))
        self.rows.sort(key=lambda r: r[0])
