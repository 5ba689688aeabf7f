"""A cache driven with ten times the names it holds: how many questions it still answers by itself, beside an LRU cache of
as many entries on the same trace, and how long hits wait while entries come and go.

A hit is an answer whose TTL has begun to fall, so one in the first second of its entry counts as a miss where latency is
concerned; hit rates are by what the authoritative server was asked. The echo server at the same rate before and after
shows how often the machine itself holds an answer up."""

import array
import collections
import json
import os
import subprocess
import threading
import time

import hit
import rounds
from servers import echo

CACHE_MIB, SECONDS = 256, 600
RATE = 10_000                 # questions a second
OCTETS_A_NAME = 200           # about, of a map that is three quarters full
TTL = 86400                   # the authoritative server's
STALL_US = 5000
MARGIN = 3                    # points that an LRU cache may be better by


class Samples(threading.Thread):
    """[(time, entries, swept)] once a second."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.seen, self.ended = server, [], threading.Event()

    def run(self):
        while not self.ended.wait(1):
            try:
                stats = self.server.cache_stats()
            except (subprocess.CalledProcessError, json.JSONDecodeError):
                continue                # busy: the next second will do
            self.seen.append((time.monotonic(), stats["entries"]["rr"], stats["swept"]))

    def stop(self):
        self.ended.set()
        self.join()
        return self.seen


def read_trace(path):
    numbers = array.array("I")
    with open(path, "rb") as f:
        numbers.frombytes(f.read())
    return numbers[0::4], numbers[1::4], numbers[2::4], numbers[3::4]


def lru_hits(trace, room, after):
    """Hits of an LRU cache of `room` entries in trace[after:], warmed by what comes before."""
    held, hits = collections.OrderedDict(), 0
    for at, name in enumerate(trace):
        if name in held:
            held.move_to_end(name)
            hits += at >= after
        else:
            held[name] = None
            if len(held) > room:
                held.popitem(last=False)
    return hits


def stalls(took_us, at_ms):
    """(answers above the limit, times at which there were such, the longest in ms)"""
    late = sorted(at for at, took in zip(at_ms, took_us) if took > STALL_US)
    times = sum(1 for a, b in zip([-1000] + late, late) if b - a > 50)
    return len(late), times, max(took_us, default=0) / 1000


def drive(stage, server, names, rate, seconds):
    path = os.path.join(stage.directory, "sweep.trace")
    said = server.load(names, "--rate", str(rate), "--seconds", str(seconds), "--sockets", "16", "--window", "1024",
                       "--trace", path)
    if not said:
        raise RuntimeError("the load generator failed against %s" % server.title)
    return said, read_trace(path)


def control(stage, limit, names, rate):
    said, (_, took, _, at) = drive(stage, limit, names, rate, 20)
    return stalls(took, at)


def run(stage, args):
    mib = args.cache_mib or CACHE_MIB
    seconds = args.seconds if args.seconds_given else SECONDS
    rate = args.rate or RATE
    count = args.names or 10 * (mib << 20) * 3 // 4 // OCTETS_A_NAME
    names = stage.write("sweep.names", ("n%d.hit.bench" % n for n in range(count)))
    small = stage.write("sweep.few.names", ("n%d.hit.bench" % n for n in range(1000)))
    limit, server = echo.Batch(stage), hit.make_servers(stage, ["holdfast"])[0]
    server.options["cache_mib"] = mib
    server.configure()
    try:
        limit.start(wait=False)
        before = control(stage, limit, small, rate)
        server.start()
        samples = Samples(server)
        asked = stage.asked()[2]
        samples.start()
        began = time.monotonic()
        said, (index, took, ttl, at) = drive(stage, server, names, rate, seconds)
        seen = samples.stop()
        asked = stage.asked()[2] - asked
        after = control(stage, limit, small, rate)
    finally:
        server.kill()
        limit.kill()
    full = next((t for t, _, swept in seen if swept), None)
    held = [entries for t, entries, _ in seen if full is None or t >= full]
    room = sum(held) // max(1, len(held))
    since_ms = (full - began) * 1000 if full is not None else 0
    first = next((n for n, t in enumerate(at) if t >= since_ms), 0)
    # The authoritative server counts questions of the whole run; which part of them fell into the full phase, TTLs say.
    fresh = sum(1 for t in ttl if t >= TTL)
    fresh_full = sum(1 for n in range(first, len(ttl)) if ttl[n] >= TTL)
    missed = asked * fresh_full / max(1, fresh)
    of = max(1, len(index) - first)
    rate_here, rate_lru = 100 * (1 - missed / of), 100 * lru_hits(index, room, first) / of
    hits = [n for n in range(first, len(ttl)) if ttl[n] < TTL]
    late = stalls([took[n] for n in hits], [at[n] for n in hits])
    print("%d MiB, %d names, %d questions in %d s (%d lost, %d failed, %d wrong), full after %s; %d entries held on average, %d swept" % (
        mib, count, len(index), said["seconds"], said["lost"], said["failed"], said["wrong"],
        "%.0f s" % (since_ms / 1000) if full is not None else "never", room, seen[-1][2] if seen else 0))
    print("hit rate since then %.2f %%, of an LRU cache of as many entries %.2f %%" % (rate_here, rate_lru))
    for title, (answers, times, longest) in (("echo server before", before), ("hits", late), ("echo server after", after)):
        print("%-20s %d answers above 5 ms, at %d times, longest %.1f ms" % (title, answers, times, longest), flush=True)
    checks = [rounds.check("points of hit rate that LRU is better by", rate_lru - rate_here, MARGIN),
              rounds.check("longest wait of a hit, ms", late[2], STALL_US / 1000)]
    if full is None:
        print("The cache never got full: more --seconds, a greater --rate or a smaller --cache-mib say more.")
    rounds.save(args.out, "sweep", [], checks, {
        "cache_mib": mib, "names": count, "rate": rate, "load": said, "full_after_s": since_ms / 1000, "held": room,
        "hit_rate": rate_here, "lru_hit_rate": rate_lru, "stalls": late, "echo_before": before, "echo_after": after,
        "samples": [(round(t - began, 1), entries, swept) for t, entries, swept in seen]})
