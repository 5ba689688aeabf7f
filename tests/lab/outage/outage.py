#!/usr/bin/python3
"""The day of an outage, played in minutes.

    ./dev lab outage [SCENARIO|all] [RESOLVER...|peers] [--short | --seconds N] [--seed N] [--json FILE] [--svg FILE]
                     [--records FILE] [--keep DIR]

SCENARIO is main when left out; RESOLVER is holdfast, unbound, bind, kresd or pdns; `peers` is all five. Exit status 1
when a rule is missed by holdfast (or by the resolvers named, when it is not among them), 2 for wrong usage."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import attacks                 # noqa: E402
import breaker                 # noqa: E402
import changes                 # noqa: E402
import classify                # noqa: E402
import figures                 # noqa: E402
import judge                   # noqa: E402
import report                  # noqa: E402
import resolvers               # noqa: E402
import run as run_module       # noqa: E402
import scale as scale_module   # noqa: E402
import svg                     # noqa: E402
import truth as truth_module   # noqa: E402
import world                   # noqa: E402


SCENARIOS = dict(breaker.SCENARIOS, **{c.name: c for c in (
    attacks.Forged, attacks.AttackOnly, attacks.Downgrade, changes.Revoked)})


def play(scenario_name, resolver_name, options, directory, quiet=False):
    """One scenario with one resolver; the result as report.result() has it, and the judged answers."""
    scale = scale_module.Scale(options.seconds)
    scenario = SCENARIOS[scenario_name](scale, options.seed)
    scenario.rate = options.rate
    scale.override(scenario.real_ttls)
    title = "%s with %s, %g s of outage (%.0f times faster)" % (
        scenario_name, resolvers.ALL[resolver_name].title, scale.seconds, scale.factor)
    chart = None if quiet else report.Chart(title)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    run = run_module.Run(scenario, resolver_name, directory, chart).go()
    truth = truth_module.Truth(run)
    judged = classify.judge_all(truth, run.records)
    rules = judge.Judge(run, truth, judged).all()
    phases = figures.phases(run, truth, judged)
    return report.result(run, phases, rules, figures.by_second(judged, run.timeline.end)), judged


def show(result):
    print("-- %s, %s" % (result["scenario"], result["resolver"]))
    print(report.phase_table(result["phases"]))
    for note in result["notes"]:
        print("note: " + note)
    for r in result["rules"]:
        print(judge.Rule(r["rule"], r["value"], r["limit"], r["ok"], r["detail"]).line())
    sys.stdout.flush()


def parse(argv):
    p = argparse.ArgumentParser(prog="./dev lab outage", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", nargs="*", default=[])
    p.add_argument("--short", action="store_true", help="%d s of outage" % scale_module.SHORT_S)
    p.add_argument("--seconds", type=float, help="of outage, for its three hours (default %d)" % scale_module.FULL_S)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--rate", type=float, default=300.0, help="questions a second (default 300)")
    p.add_argument("--jobs", type=int, default=1, help="runs at a time; more than one make latencies coarser")
    p.add_argument("--json", metavar="FILE")
    p.add_argument("--svg", metavar="FILE")
    p.add_argument("--records", metavar="FILE", help="every answer and its class, a line of JSON each")
    p.add_argument("--keep", metavar="DIR", help="leave zones, configurations and logs there")
    p.add_argument("--list", action="store_true", help="the scenarios, the scale, and nothing else")
    options = p.parse_args(argv)
    options.seconds = options.seconds or (scale_module.SHORT_S if options.short else scale_module.FULL_S)
    scenarios, names = [], []
    for word in options.what:
        if word == "all":
            scenarios += list(SCENARIOS)
        elif word in SCENARIOS:
            scenarios.append(word)
        elif word == "peers":
            names += list(resolvers.ALL)
        elif word in resolvers.ALL:
            names.append(word)
        else:
            p.error("unknown: %s; scenarios: all %s; resolvers: peers %s" % (
                word, " ".join(SCENARIOS), " ".join(resolvers.ALL)))
    options.scenarios = list(dict.fromkeys(scenarios)) or ["main"]
    options.resolvers = list(dict.fromkeys(names)) or ["holdfast"]
    return options


def one(job, options, base, quiet=False):
    result, judged = play(*job, options, os.path.join(base, "%s-%s" % job), quiet)
    if options.records:
        many = len(options.scenarios) * len(options.resolvers) > 1
        report.write_records(judged, options.records + (".%s-%s" % job if many else ""))
    return result


def in_turn(jobs, options, base):
    for job in jobs:
        yield one(job, options, base)


def side_by_side(jobs, options, base):
    """Several runs at a time, each in a process and in namespaces of its own; results in the order of the jobs."""
    waiting, running = list(jobs), {}
    while waiting or running:
        while waiting and len(running) < options.jobs:
            job = waiting.pop(0)
            pid = os.fork()
            if pid == 0:
                run_in_child(job, options, base)
            running[pid] = job
        pid, _ = os.wait()
        job = running.pop(pid, None)
        if job is None:
            continue
        path = os.path.join(base, "%s-%s.json" % job)
        if not os.path.exists(path):
            raise SystemExit("outage: %s with %s ended without a result; see above" % job)
        with open(path) as f:
            yield json.load(f)


def run_in_child(job, options, base):
    code = 1
    try:
        world.die_with_parent()
        report.write_json(one(job, options, base, quiet=True), os.path.join(base, "%s-%s.json" % job))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def show_list():
    for name, c in SCENARIOS.items():
        print("%-20s %s" % (name, c.says))
    print("\n%-22s %12s %12s" % ("what", "real s", "lab s"))
    for name, real, lab in scale_module.Scale(scale_module.FULL_S).table():
        print("%-22s %12s %12s" % (name, real, lab))


def main(argv):
    options = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))     # so that what was begun is undone
    if options.list:
        return show_list()
    base = options.keep or tempfile.mkdtemp(prefix="holdfast-outage-")
    results = []
    began = time.monotonic()
    try:
        world.become_root()
        jobs = [(scenario, name) for scenario in options.scenarios for name in options.resolvers]
        for result in (in_turn if options.jobs <= 1 else side_by_side)(jobs, options, base):
            show(result)
            results.append(result)
    except world.Unavailable as error:
        raise SystemExit("outage: %s" % error)
    finally:
        if not options.keep:
            shutil.rmtree(base, ignore_errors=True)
    print()
    print(report.side_by_side(results))
    if options.json:
        report.write_json(results, options.json)
    if options.svg:
        svg.write(results, options.svg)
    judged_by = "holdfast" if "holdfast" in options.resolvers else None
    missed = [(r, rule) for r in results for rule in r["rules"]
              if not rule["ok"] and judged_by in (None, r["resolver"])]
    counted = sum(len(r["rules"]) for r in results if judged_by in (None, r["resolver"]))
    print("\n%d rules, %d missed; %.0f s" % (counted, len(missed), time.monotonic() - began))
    for r, rule in missed:
        print("MISSED %s, %s: %s: %s (limit %s)" % (r["scenario"], r["resolver"], rule["rule"], rule["value"],
                                                    rule["limit"]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
