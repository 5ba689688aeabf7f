#!/usr/bin/python3
"""The same questions to holdfast, Unbound and Knot Resolver in the lab, and once more to holdfast, and what differs.

    respdiff.py [--build DIR] [--json FILE] [--limit N] [--peer NAME]... [--show N] [--keep]

Exits 0 when every difference is explained in explained.txt, 1 when one is not, 2 when nothing could be compared."""

import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = os.path.dirname(HERE)
TESTS = os.path.dirname(SYSTEM)
sys.path[:0] = [HERE, SYSTEM, os.path.join(TESTS, "lab")]

import asker                      # noqa: E402
import compare                    # noqa: E402
import knot                       # noqa: E402
import lab as lab_module          # noqa: E402
import peers                      # noqa: E402
import questions                  # noqa: E402
import resolver as resolver_module  # noqa: E402
import world                      # noqa: E402

PORTS = {"holdfast": 53101, "unbound": 53102, "knot": 53103}
AGAIN = "again"      # holdfast, out of its cache
EXPLAINED = os.path.join(HERE, "explained.txt")
WINDOW = 24
PATIENCE_S = 15       # a resolver's own patience with dead servers is about ten seconds, Unbound's is longer


def ask_all(port, batch, checked, slow):
    """{(name, type, checked): digest}. A second time for what got no answer; but not where that is the server's way,
    for there it is as long as the first."""
    replies = asker.ask_many(batch, port=port, window=WINDOW, timeout=PATIENCE_S, retry_s=PATIENCE_S + 1,
                             cd=not checked)
    result = {question: reply for question, (reply, _) in zip(batch, replies)}
    silent = [question for question, reply in result.items() if reply is None and not slow]
    for question, (reply, _) in zip(silent, asker.ask_many(silent, port=port, window=8, cd=not checked)):
        result[question] = reply
    return {question + (checked,): compare.digest(reply, checked) for question, reply in result.items()}


def collect(port, asked, rounds):
    """One resolver asked everything; runs in a process of its own. The digests of each round, and the seconds."""
    start, results = time.monotonic(), []

    def both(slow):
        for checked in (True, False):
            batch = [(name, rdtype) for name, rdtype, c, s in asked if c == checked and s == slow]
            results[-1].update(ask_all(port, batch, checked, slow))

    for _ in range(rounds):
        results.append({})
        waiting = threading.Thread(target=both, args=(True,))
        waiting.start()
        both(False)
        waiting.join()
    return results, time.monotonic() - start


class Field:
    """The resolvers that take part, started in the lab; the calling process lives in the resolver's namespace."""

    def __init__(self, lab, programs, directory, wanted=("unbound", "knot")):
        self.running, self.skipped = {}, []
        port = PORTS["holdfast"]
        self.running["holdfast"] = resolver_module.Resolver(
            programs, os.path.join(directory, "holdfast"),
            lambda path: lab.write_config(path, ("127.0.0.1:%d" % port,)), port).start()
        makers = {
            "unbound": ("/usr/sbin/unbound", lambda: peers.Unbound(
                lab, os.path.join(directory, "unbound"), PORTS["unbound"])),
            "knot": (knot.PROGRAM, lambda: knot.Knot(lab, os.path.join(directory, "knot"), PORTS["knot"]))}
        for name in wanted:
            program, make = makers[name]
            if os.access(program, os.X_OK):
                self.running[name] = make()
            else:
                self.skipped.append("%s: %s is not installed" % (name, program))

    def ask(self, asked, again=False):
        """{resolver: digests} and {resolver: seconds}; all resolvers at the same time. again: what holdfast says the
        second time is there as well, as if by one more peer."""
        with concurrent.futures.ProcessPoolExecutor(len(self.running), multiprocessing.get_context("fork")) as pool:
            jobs = {name: pool.submit(collect, PORTS[name], asked, 2 if again and name == "holdfast" else 1)
                    for name in self.running}
            done = {name: job.result() for name, job in jobs.items()}
        digests = {name: results[0] for name, (results, _) in done.items()}
        if again:
            digests[AGAIN] = done["holdfast"][0][1]
        return digests, {name: seconds for name, (_, seconds) in done.items()}

    def stop(self):
        for running in self.running.values():
            running.stop()


def all_differences(digests):
    result = []
    for peer in digests:
        if peer != "holdfast":
            for question, ours in digests["holdfast"].items():
                result += compare.differences(question, ours, digests[peer][question], peer)
    return result


def field_key(d):
    return d["peer"], d["field"], d["name"], d["type"], d["cd"]


def drop_accidents(field, asked, open_ones, before):
    """Asks everyone again about what differed. What is gone because the peer changed its mind was its load, order or
    timing; where holdfast changed its own, that is a difference of its own and stays. Returns how many went."""
    names = {(d["name"], d["type"], not d["cd"]) for d in open_ones}
    again, _ = field.ask([q for q in asked if (q[0].lower(),) + q[1:3] in names])
    repeated = {field_key(d) for d in all_differences(again)}
    gone = 0
    for d in open_ones:
        question = next(q for q in again["holdfast"] if (q[0].lower(), q[1], not q[2]) == (d["name"], d["type"], d["cd"]))
        ours = again["holdfast"][question]
        if d["peer"] == AGAIN:
            continue
        if ours != before["holdfast"][question]:
            d["ours_again"] = ours
        elif field_key(d) not in repeated:
            d["reason"] = "passing: the peer says otherwise when asked again"
            gone += 1
    return gone


def run(field, manifest, limit=0, explained_path=EXPLAINED):
    """The whole comparison as a dict that is written as JSON."""
    asked = questions.build(manifest)
    if limit:
        asked = asked[::max(1, len(asked) // limit)]
    digests, seconds = field.ask(asked, again=True)
    explained = compare.Explained(explained_path)
    found = all_differences(digests)
    for difference in found:
        difference["reason"] = explained.reason(difference)
    open_ones = [d for d in found if d["reason"] is None]
    passing = drop_accidents(field, asked, open_ones, digests) if open_ones else 0
    unchecked = sum(not checked for _, _, checked, _ in asked)
    return {"questions": len(asked) - unchecked, "unchecked": unchecked, "seconds": seconds,
            "skipped": field.skipped, "peers": [p for p in digests if p != "holdfast"],
            "differences": found,
            "passing": passing, "unexplained": sum(d["reason"] is None for d in found),
            "unused": [] if limit else explained.unused()}


def table(result):
    """Counts for each field and peer: differing, of them unexplained."""
    counts, bare, reasons = collections.Counter(), collections.Counter(), collections.Counter()
    fields = ["%s%s" % (f, cd) for cd in ("", "/cd") for f in compare.FIELDS if not cd or f not in ("ad", "ede")]
    for d in result["differences"]:
        key = (d["field"] + ("/cd" if d["cd"] else ""), d["peer"])
        counts[key] += 1
        bare[key] += d["reason"] is None
        reasons[(d["peer"], d["reason"])] += 1
    lines = ["%d questions with DO=1, %d with CD=1 as well" % (result["questions"], result["unchecked"]),
             "%-12s" % "field" + "".join("%24s" % p for p in result["peers"])]
    for field in fields:
        lines.append("%-12s" % field + "".join(
            "%24s" % ("%d differ, %d open" % (counts[(field, p)], bare[(field, p)])) for p in result["peers"]))
    lines.append("explained:")
    for (peer, reason), count in sorted(reasons.items(), key=str):
        if reason:
            lines.append("  %-8s %5d  %s" % (peer, count, reason))
    for reason in result["unused"]:
        lines.append("  explains nothing in this run: %s" % reason)
    for text in result["skipped"]:
        lines.append("SKIPPED " + text)
    lines.append("seconds: " + ", ".join("%s %.1f" % item for item in result["seconds"].items()))
    return "\n".join(lines)


def unexplained(result, limit=100):
    lines = []
    for d in [d for d in result["differences"] if d["reason"] is None][:limit]:
        lines.append("%s %s%s %s %s: ours %s, theirs %s%s" % (
            d["peer"], d["field"], "/cd" if d["cd"] else "", d["name"], d["type"], str(d["ours"])[:200],
            str(d["theirs"])[:200], ", ours again %s" % d["ours_again"] if "ours_again" in d else ""))
    lines.append("%d unexplained" % result["unexplained"])
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build"))
    parser.add_argument("--json", default="respdiff.json")
    parser.add_argument("--limit", type=int, default=0, help="ask only about so many of the questions")
    parser.add_argument("--peer", action="append", choices=("unbound", "knot"))
    parser.add_argument("--show", type=int, default=100, help="print so many unexplained differences")
    parser.add_argument("--keep", action="store_true", help="leave the directory with the logs")
    args = parser.parse_args()
    programs = resolver_module.find_programs(args.build)
    missing = [p for p in resolver_module.PROGRAMS if p not in programs]
    if missing:
        print("respdiff: not built in %s: %s" % (args.build, ", ".join(missing)))
        return 2
    directory, lab = tempfile.mkdtemp(prefix="holdfast-respdiff-"), None
    try:
        world.become_root()
        lab = lab_module.Lab(os.path.join(directory, "lab"))
        lab.world.start()
        world.setns(lab.world.resolver_net())
        field = Field(lab, programs, directory, args.peer or ("unbound", "knot"))
        try:
            manifest = [q for q in lab.manifest["questions"] if q["needs"] != "ipv6" or lab.manifest["ipv6"]]
            result = run(field, manifest, args.limit)
        finally:
            field.stop()
    except world.Unavailable as error:
        print("respdiff: %s" % error)
        return 2
    finally:
        if lab:
            lab.world.stop()
        if args.keep:
            print("kept: " + directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    with open(args.json, "w") as f:
        json.dump(result, f, indent=1)
    print(table(result))
    print(unexplained(result, args.show))
    if result["peers"] == [AGAIN]:
        return 2
    return 1 if result["unexplained"] else 0


if __name__ == "__main__":
    sys.exit(main())
