"""Cold questions: a name in a signed zone that is new, and a new name in a signed zone that is known. Every server begins with
an empty cache in every round; the top-level domain is known. CPU of all its processes, questions it sends upstream, and how
long it takes when every server is 20 ms away."""

import os
import statistics

import miss_farm
import rounds
import servers
import stage

ZONES, NAMES = 4_000, 10_000
UNDER_WAY = ("--sockets", "8", "--window", "25")
DELAY_MS, DELAY_RATE, DELAY_NAMES = 20, 50, 200


def _count(farm, server, names, *options):
    before = farm.sent()
    said = rounds.measure(server, names, "--once", "--seconds", "600", *options)
    said["upstream"] = (farm.sent() - before) / max(1, said["answered"])
    return said


def _fresh(farm, name):
    """The server with an empty cache that has just met the top-level domain and the zone of many names."""
    server = servers.make(name, farm)
    server.start()
    server.load(farm.write("first.names", ["h000000." + miss_farm.MANY]), "--once", "--sockets", "1", "--seconds", "5")
    return server


def _play(farm, wanted, count, parts):
    """parts: [(Rounds, names, options)], asked one after the other of the same cold server."""
    for number in range(count):
        turn = number % len(wanted)
        for group, _, _ in parts:
            group.rounds.append({})
        for name in wanted[turn:] + wanted[:turn]:
            server = _fresh(farm, name)
            try:
                for group, names, options in parts:
                    group.titles[name] = server.title
                    group.rounds[-1][name] = _count(farm, server, names, *options)
            finally:
                server.kill()


def _show(group):
    group.show()
    print("    questions upstream for each: " + ", ".join(
        "%s %.2f" % (title, group.median(name, "upstream")) for name, title in group.titles.items()), flush=True)


def _check_cpu(group, text, most):
    checks = []
    if "holdfast" in group.titles and group.peers():
        checks.append(rounds.check(text + ", CPU to the best peer's", group.ratio("holdfast", group.peers()), most))
        fewest = min(group.median(p, "upstream") for p in group.peers())
        checks.append(rounds.check(text + ", questions upstream to the fewest of a peer",
                                  group.median("holdfast", "upstream") / fewest, 1.01))
    return checks


def _far(place, args, wanted, groups):
    """New signed zones whose servers are a round trip away. The world of authority.h, which holds its replies back: one
    key for all zones, which costs a round trip the same. What one round trip takes on this machine today is what a new name
    in a known zone takes, and that is the measure: a busy machine makes both longer."""
    far = rounds.Rounds("a new signed zone, servers %d ms away, %d questions/s" % (DELAY_MS, DELAY_RATE), "p50")
    once = rounds.Rounds("one round trip: a new name in a known zone, the same servers and rate", "p50")
    paced = ("--sockets", "1", "--rate", str(DELAY_RATE))
    with stage.Stage(args.build, os.path.join(place.directory, "far"), DELAY_MS) as there:
        _play(there, wanted, max(1, args.rounds // 2), [
            (far, there.write("far.names", ("www.f%05d.bench" % n for n in range(DELAY_NAMES))), paced),
            (once, there.write("once.names", ("f%05d.%s" % (n, miss_farm.MANY) for n in range(DELAY_NAMES))), paced)])
    _show(far)
    _show(once)
    trips = {name: statistics.median(a[name]["p50"] / b[name]["p50"] for a, b in zip(far.rounds, once.rounds))
             for name in far.titles}
    print("    median of a new zone in round trips: " + ", ".join(
        "%s %.2f" % (title, trips[name]) for name, title in far.titles.items()), flush=True)
    groups += [far, once]
    return [rounds.check("the median in round trips", trips["holdfast"], 2.5)] if "holdfast" in trips else []


def run(place, args):
    count = args.names or NAMES
    zone_count = min(ZONES, count)
    with miss_farm.Farm(args.build, os.path.join(place.directory, "farm"), zone_count, count) as farm:
        wanted = [n for n in args.servers if servers.make(n, farm) is not None]
        leaf = ["www." + miss_farm.zone_origin(n) for n in range(zone_count)]
        zones = farm.write("zones.names", leaf[:-DELAY_NAMES])
        names = farm.write("many.names", ("h%06d.%s" % (n, miss_farm.MANY) for n in range(1, count)))
        new_zone = rounds.Rounds("a new signed zone, 200 questions under way", "cpu_ns")
        new_name = rounds.Rounds("a new name in a known signed zone, 200 questions under way", "cpu_ns")
        _play(farm, wanted, args.rounds, [(new_zone, zones, UNDER_WAY), (new_name, names, UNDER_WAY)])
        _show(new_zone)
        checks = _check_cpu(new_zone, "a new signed zone", 0.7)
        _show(new_name)
        checks += _check_cpu(new_name, "a new name in a known zone", 0.8)
    groups = [new_zone, new_name]
    checks += _far(place, args, wanted, groups)
    rounds.save(args.out, "miss", groups, checks, {"zones": zone_count, "names": count})
