#!/usr/bin/python3
"""What an answer from cache costs: CPU nanoseconds per answered question of netd, beside a UDP echo server on the same
machine in the same run, and a cold run through all three processes. Usage: bench.py [--build DIR] [--seconds N]"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "lab"), os.path.join(TESTS, "system")]

import asker        # noqa: E402
import lab as lab_module        # noqa: E402
import resolver as resolver_module      # noqa: E402
import world        # noqa: E402

PORT, ECHO_PORT = 5300, 5301


def cpu_ns(pid):
    """User and system time of a process, all threads."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return int(fields[11]) * tick, int(fields[12]) * tick


def measure(flood, pid, port, seconds, names):
    before = cpu_ns(pid)
    done = subprocess.run([flood, "ask", "127.0.0.1", str(port), str(seconds), names], capture_output=True, text=True,
                          check=True)
    after = cpu_ns(pid)
    said = json.loads(done.stdout)
    answered = max(1, said["answered"])
    said["user_ns"], said["system_ns"] = (after[0] - before[0]) / answered, (after[1] - before[1]) / answered
    return said


def show(what, said):
    print("%-28s %9.0f answers/s  %6.0f ns user + %6.0f ns system an answer, %d failed, %d lost" % (
        what, said["answered"] / said["seconds"], said["user_ns"], said["system_ns"], said["failed"],
        max(0, said["sent"] - said["answered"] - 512)))


def run(args, directory):
    flood = os.path.join(args.build, "tests", "bench", "flood")
    lab = lab_module.Lab(os.path.join(directory, "lab"))
    lab.world.start()
    try:
        with lab.world.inside():
            hot = lab.manifest["hot"]
            names = os.path.join(directory, "names")
            with open(names, "w") as f:
                f.write("".join(n + "\n" for n, _ in hot))
            resolver = resolver_module.Resolver(
                resolver_module.find_programs(args.build), os.path.join(directory, "resolver"),
                lambda path: lab.write_config(path, ("127.0.0.1:%d" % PORT,)), PORT)
            resolver.start()
            echo = subprocess.Popen([flood, "echo", "127.0.0.1", str(ECHO_PORT)], preexec_fn=world.die_with_parent)
            try:
                start = time.monotonic()
                asker.ask_many([(n, "A") for n, _ in hot], port=PORT)
                print("%-28s %9.0f answers/s" % ("cold, through all", len(hot) / (time.monotonic() - start)))
                netd = resolver.pids()["holdfast-netd"]
                show("echo", measure(flood, echo.pid, ECHO_PORT, args.seconds, names))
                show("holdfast, from cache", measure(flood, netd, PORT, args.seconds, names))
            finally:
                echo.kill()
                echo.wait()
                resolver.kill_all()
    finally:
        lab.world.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build"))
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    world.become_root()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as directory:
        run(args, directory)


if __name__ == "__main__":
    main()
