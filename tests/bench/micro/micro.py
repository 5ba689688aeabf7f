#!/usr/bin/python3
"""Microbenchmarks: instructions that one parse, look-up, check or round trip takes, counted by callgrind, beside those
of baseline.json.

    micro.py [--build DIR] [--record] [CASE...]

Counts do not depend on how busy the machine is. They do on the compiler, so a baseline is one compiler's on one
architecture; and what the libraries take (`all`) on these and on the processor's instruction set too, so without the
recorded ones only holdfast's own instructions (`own`) are compared. Fails when one count is more than 10 % above its
baseline."""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.json")
MOST = 1.10
INSTRUCTION_SETS = ("avx2", "bmi2", "adx", "erms", "asimd", "sha2")     # that libraries choose their code by, as valgrind shows them


def self_costs(lines):
    """Instructions by the object (program or library) that they are in, of callgrind's output. A line of costs behind
    `calls=` is what was called, which is counted where it is."""
    costs, current, called = {}, "", False
    for line in lines:
        if line.startswith("ob="):
            current = line[3:].strip()
        elif line.startswith("calls="):
            called = True
        elif line[:1] in "0123456789+-*":
            if not called:
                costs[current] = costs.get(current, 0) + int(line.split()[1])
            called = False
    return costs


def count(program, case, times, directory):
    """(own, all) instructions of doing the case's work once."""
    out = os.path.join(directory, case + ".out")
    said = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=micro_measured", "--compress-strings=no", "--compress-pos=no",
         "--dump-line=no", "--callgrind-out-file=" + out, program, "run", case], capture_output=True, text=True)
    if said.returncode != 0:
        raise SystemExit("micro: %s failed under valgrind:\n%s" % (case, said.stderr[-2000:]))
    with open(out) as f:
        costs = self_costs(f)
    own = costs.get(os.path.realpath(program), 0)
    if not own:
        raise SystemExit("micro: %s: callgrind saw nothing of %s; is it stripped?" % (case, program))
    return own / times, sum(costs.values()) / times


def libraries(program):
    """What `all` depends on besides the compiler: a digest of the shared libraries and of the instruction sets."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256()
    for path in sorted(re.findall(r"(/\S+)", said)):
        with open(path, "rb") as f:
            digest.update(f.read())
    with open("/proc/cpuinfo") as f:
        flags = set(f.read().split())
    digest.update(" ".join(s for s in INSTRUCTION_SETS if s in flags).encode())
    return digest.hexdigest()[:16]


def compare(counts, recorded, same_libraries):
    """counts, recorded: {case: {"own": n, "all": n}}. Rows (case, figure, now, baseline or None, ratio or None) and the
    complaints, in words."""
    rows, complaints = [], []
    for case, now in counts.items():
        for figure in ("own", "all"):
            before = recorded.get(case, {}).get(figure)
            if before is None or (figure == "all" and not same_libraries):
                rows.append((case, figure, now[figure], None, None))
                if before is None and figure == "own":
                    complaints.append("%s has no baseline: record one (./dev bench micro --record)" % case)
                continue
            ratio = now[figure] / before
            rows.append((case, figure, now[figure], before, ratio))
            if ratio > MOST:
                complaints.append("%s grew: %.0f instructions (%s), %.0f recorded, %+.1f %%; at most %+.0f %%" % (
                    case, now[figure], figure, before, (ratio - 1) * 100, (MOST - 1) * 100))
    return rows, complaints


def show(rows):
    print("%-18s %-5s %12s %12s %7s" % ("", "", "instructions", "baseline", "ratio"))
    for case, figure, now, before, ratio in rows:
        print("%-18s %-5s %12.0f %12s %7s%s" % (
            case, figure, now, "-" if before is None else "%.0f" % before, "-" if ratio is None else "%.3f" % ratio,
            "  GREW" if ratio and ratio > MOST else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "..", "build"))
    parser.add_argument("--record", action="store_true", help="write what is counted into baseline.json")
    args = parser.parse_args()
    program = os.path.join(os.path.realpath(args.build), "tests", "bench", "micro", "bench-micro")
    if not os.path.exists(program):
        parser.error("%s is not there: build first (ninja -C %s)" % (program, args.build))
    if not shutil.which("valgrind"):
        parser.error("valgrind is not installed")
    ask = lambda *words: subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
    known = {name: int(times) for name, times in (line.split() for line in ask("list").splitlines())}
    unknown = set(args.cases) - set(known)
    if unknown:
        parser.error("unknown case %s; known: %s" % (", ".join(sorted(unknown)), ", ".join(known)))

    key, with_libraries = "%s %s" % (ask("about").strip(), platform.machine()), libraries(program)
    with open(BASELINE) as f:
        baselines = json.load(f)
    baseline = baselines.get(key, {"libraries": None, "cases": {}})
    if not baseline["cases"] and not args.record:
        print("SKIPPED: no baseline was recorded for %s; there are: %s" % (key, ", ".join(baselines) or "none"))
        print("0 passed, 0 failed, %d skipped" % len(args.cases or known))
        return 0
    with tempfile.TemporaryDirectory(prefix="holdfast-micro-") as directory:
        counts = {}
        for case in args.cases or known:
            own, everything = count(program, case, known[case], directory)
            counts[case] = {"own": round(own, 1), "all": round(everything, 1)}
    same = baseline["libraries"] == with_libraries
    rows, complaints = compare(counts, baseline["cases"], same)
    print("%s%s" % (key, "" if same else "; other libraries or instruction sets than recorded: `all` is not compared"))
    show(rows)
    if args.record:
        kept = baseline["cases"] if same else {}
        baselines[key] = {"libraries": with_libraries, "cases": {**kept, **counts}}
        with open(BASELINE, "w") as f:
            json.dump(baselines, f, indent=1, sort_keys=True)
            f.write("\n")
        print("recorded in %s" % BASELINE)
        return 0
    for text in complaints:
        print(text)
    grown = len({text.split(" ")[0] for text in complaints})
    print("%d passed, %d failed" % (len(counts) - grown, grown))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
