"""Random and mutated packets: no crash, flat memory, and questions are answered afterwards. HOLDFAST_FULL=1 sends a
million, otherwise fifty thousand; HOLDFAST_GARBAGE sets another count."""

import json
import os
import subprocess
import time

import asker
from conftest import BUILD, FULL

COUNT = int(os.environ.get("HOLDFAST_GARBAGE", 1_000_000 if FULL else 50_000))
TCP_SHARE = 10          # one in ten goes over TCP, where each costs a connection
GROWTH_KIB = 8 * 1024


def pelt(address, port, transport, count, seed):
    program = os.path.join(BUILD, "tests", "tools", "pelt")
    done = subprocess.run([program, address, str(port), transport, str(count), str(seed)], capture_output=True,
                          text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def l1_kib(resolver):
    """What netd keeps on purpose: ready answers, up to its cap. Garbage that is a question adds some of them."""
    done = resolver.ctl("--json", "short", "status")
    assert done.returncode == 0, done
    return json.loads(done.stdout)["netd"]["l1"]["bytes"] // 1024


def test_garbage_neither_crashes_nor_grows(make_resolver, lab):
    resolver = make_resolver("garbage")
    before = resolver.pids()
    assert len(before) == 3
    warm = max(COUNT // 5, 5000)
    pelt("127.0.0.1", resolver.port, "udp", warm, 1)
    pelt("127.0.0.1", resolver.port, "tcp", warm // TCP_SHARE, 2)
    time.sleep(2)
    small, answers = resolver.rss_kib(), -l1_kib(resolver)
    said = [pelt("127.0.0.1", resolver.port, "udp", COUNT * (TCP_SHARE - 1) // TCP_SHARE, 3),
            pelt("::1", resolver.port, "tcp", COUNT // TCP_SHARE, 4)]
    time.sleep(2)
    big = resolver.rss_kib()
    answers += l1_kib(resolver)
    print("%s; memory in KiB before %s, after %s, %d of it answers" % (said, small, big, answers))
    assert resolver.pids() == before, "a daemon died:\n" + resolver.log_tail()
    for name in small:
        kept = answers if name == "holdfast-netd" else 0
        assert big[name] - small[name] - kept < GROWTH_KIB, "%s grew from %d to %d KiB, %d of it answers" % (
            name, small[name], big[name], kept)
    for name, address in lab.manifest["hot"][:20]:
        assert asker.answer_lines(resolver.ask(name)) == ["a " + address]
