#!/usr/bin/python3
"""Benchmarks: what an answer costs, beside a UDP echo server and other resolvers on the same core in the same run.

    bench.py [KIND] [--rounds N] [--seconds N] [--servers a,b] [--parts a,b]

docs/benchmarks.md says how to read what comes out."""

import argparse
import importlib
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "lab")]

import servers          # noqa: E402
import stage            # noqa: E402
import world            # noqa: E402

KINDS = tuple(k for k in ("hit", "miss", "start", "memory", "writer", "sweep") if os.path.exists(os.path.join(HERE, k + ".py")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", nargs="?", default="hit", choices=KINDS + ("all",))
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build-bench"))
    parser.add_argument("--out", help="directory of the JSON and SVG files (BUILD/bench)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of load on each server in each round (3); of sweep (600)")
    parser.add_argument("--names", type=int, help="how many names, where it differs from what the contract says")
    parser.add_argument("--rate", type=float, default=0, help="questions a second of the latency part")
    parser.add_argument("--cache-mib", type=int, help="of sweep: size of the cache (256)")
    parser.add_argument("--servers", default=",".join(servers.ALL), type=lambda text: text.split(","))
    parser.add_argument("--parts", default="udp,do,tcp,latency", type=lambda text: text.split(","),
                        help="of hit: udp, do, tcp, latency")
    args = parser.parse_args()
    args.seconds_given = args.seconds is not None
    args.seconds = 3 if args.seconds is None else args.seconds
    if isinstance(args.servers, str):
        args.servers = args.servers.split(",")
    unknown = set(args.servers) - set(servers.ALL)
    if unknown:
        parser.error("unknown server %s; known: %s" % (", ".join(sorted(unknown)), ", ".join(servers.ALL)))
    args.build = os.path.abspath(args.build)
    args.out = os.path.abspath(args.out or os.path.join(args.build, "bench"))
    try:
        world.become_root()
        if len(set(stage.cores())) < 2:
            print("one core only: servers and load share it, answers/s and latencies mean little")
        for kind in KINDS if args.kind == "all" else (args.kind,):
            with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as directory:
                with stage.Stage(args.build, directory) as place:
                    importlib.import_module(kind).run(place, args)
    except world.Unavailable as error:
        raise SystemExit("bench: %s" % error)


if __name__ == "__main__":
    main()
