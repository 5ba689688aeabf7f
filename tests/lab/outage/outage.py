#!/usr/bin/python3
"""The day of an outage, played in minutes.

    ./dev lab outage [SCENARIO|all] [RESOLVER...|peers] [--short | --seconds N] [--seed N] [--json FILE] [--svg FILE]
                     [--records FILE] [--keep DIR]

SCENARIO is main when left out; RESOLVER is holdfast, unbound, bind, kresd or pdns; `peers` is all five. Exit status 1
when a rule is missed by holdfast (or by the resolvers named, when it is not among them), 2 for wrong usage."""

import argparse
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import breaker                 # noqa: E402
import classify                # noqa: E402
import figures                 # noqa: E402
import judge                   # noqa: E402
import report                  # noqa: E402
import resolvers               # noqa: E402
import run as run_module       # noqa: E402
import scale as scale_module   # noqa: E402
import truth as truth_module   # noqa: E402
import world                   # noqa: E402


def play(scenario_name, resolver_name, options, directory, quiet=False):
    """One scenario with one resolver; the result as report.result() has it, and the judged answers."""
    scale = scale_module.Scale(options.seconds)
    scenario = breaker.SCENARIOS[scenario_name](scale, options.seed)
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
            scenarios += list(breaker.SCENARIOS)
        elif word in breaker.SCENARIOS:
            scenarios.append(word)
        elif word == "peers":
            names += list(resolvers.ALL)
        elif word in resolvers.ALL:
            names.append(word)
        else:
            p.error("unknown: %s; scenarios: all %s; resolvers: peers %s" % (
                word, " ".join(breaker.SCENARIOS), " ".join(resolvers.ALL)))
    options.scenarios = list(dict.fromkeys(scenarios)) or ["main"]
    options.resolvers = list(dict.fromkeys(names)) or ["holdfast"]
    return options


def show_list():
    for name, c in breaker.SCENARIOS.items():
        print("%-20s %s" % (name, c.says))
    print("\n%-22s %12s %12s" % ("what", "real s", "lab s"))
    for name, real, lab in scale_module.Scale(scale_module.FULL_S).table():
        print("%-22s %12s %12s" % (name, real, lab))


def main(argv):
    options = parse(argv)
    if options.list:
        return show_list()
    base = options.keep or tempfile.mkdtemp(prefix="holdfast-outage-")
    results = []
    began = time.monotonic()
    try:
        world.become_root()
        for scenario in options.scenarios:
            for name in options.resolvers:
                result, judged = play(scenario, name, options, os.path.join(base, scenario + "-" + name))
                show(result)
                results.append(result)
                if options.records:
                    many = len(options.scenarios) * len(options.resolvers) > 1
                    report.write_records(judged, options.records + (".%s-%s" % (scenario, name) if many else ""))
    except world.Unavailable as error:
        raise SystemExit("outage: %s" % error)
    finally:
        if not options.keep:
            shutil.rmtree(base, ignore_errors=True)
    print()
    print(report.side_by_side(results))
    if options.json:
        report.write_json(results, options.json)
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
