"""The disk of the state directory: in use by another, full, full from the start, its file damaged. Questions are answered
throughout, and the operator is told what is wrong, where, and what to do."""

import glob
import json
import os
import re
import signal
import subprocess
import time

import dns.flags
import dns.rcode
import pytest

import world

PLAIN = {"process": {"users": "false", "sandbox": "true"}}
SANITIZED = {"process": {"users": "false", "sandbox": "false"}}
EXTRA = SANITIZED if os.environ.get("HOLDFAST_SANITIZED") == "1" else PLAIN
ZONE = "bad-signature.com"


class Disk:
    """A small file system of its own, in a mount namespace that ends with the test. The resolver runs in there; this process
    reaches it through the one that keeps it."""

    def __init__(self, directory, mib):
        os.makedirs(directory)
        script = 'mount -t tmpfs -o size=%dM,mode=0700 tmpfs "$0" && echo mounted && exec sleep 3600' % mib
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", script, directory], stdout=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL, preexec_fn=world.die_with_parent)
        assert self.process.stdout.readline() == "mounted\n", "no tmpfs can be mounted here"
        self.directory = directory
        self.path = "/proc/%d/root%s" % (self.process.pid, directory)
        self.filler = os.path.join(self.path, "filler")

    def carry(self, resolver):
        """Has the resolver keep its state there."""
        start = os.path.join(resolver.directory, "start")
        with open(start, "w") as f:
            f.write('#!/bin/sh\nexec nsenter -t %d -m -- "%s" "$@"\n' % (self.process.pid, resolver.programs["holdfastd"]))
        os.chmod(start, 0o700)
        resolver.programs = dict(resolver.programs, holdfastd=start)
        resolver.state = self.directory

    def fill(self):
        with open(self.filler, "ab", buffering=0) as f:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass
        left = os.statvfs(self.path)
        assert left.f_bavail == 0, "the disk is not full"

    def make_room(self):
        os.unlink(self.filler)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def make_disk(lab, tmp_path):
    disks = []

    def make(mib):
        disks.append(Disk(str(tmp_path / ("disk%d" % len(disks))), mib))
        return disks[-1]
    yield make
    for disk in disks:
        disk.close()


def wait_for(condition, resolver, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, resolver.log_tail()
        time.sleep(0.1)


def good(resolver, name):
    r = resolver.ask(name)
    return r is not None and r.rcode() == dns.rcode.NOERROR and bool(r.answer)


def names_of(lab):
    return [name for name, _ in lab.manifest["hot"]]


def trouble(resolver):
    return json.loads(resolver.ctl("status", "--json=short").stdout)["validatord"].get("cache_trouble", "")


def has_nta(resolver):
    return ZONE in resolver.ctl("nta", "list").stdout


def test_state_directory_in_use_by_another_is_refused_and_the_other_goes_on(lab, make_resolver):
    first = make_resolver("first", extra=EXTRA)
    second = make_resolver("second", extra=EXTRA, start=False)
    second.state = first.state
    second.start(wait=False)
    assert second.process.wait(60) == 1
    second.process = None
    said = second.log_text()
    pid = first.pids()["holdfast-validatord"]
    assert "%s is in use by another holdfast-validatord (pid %d)" % (first.state, pid) in said, said
    assert "stop the other holdfast, or name another directory" in said, said
    assert good(first, names_of(lab)[0])
    assert first.stop() == 0
    second.start()
    assert good(second, names_of(lab)[1])


def test_disk_that_fills_up_costs_no_answer_and_is_told(lab, make_resolver, make_disk):
    disk, names = make_disk(8), iter(names_of(lab))
    resolver = make_resolver("full", extra=dict(EXTRA, cache={"size": "64M"}), start=False)
    disk.carry(resolver)
    resolver.start()
    assert good(resolver, next(names))
    pids = resolver.pids()
    disk.fill()
    for name in names:      # the file has free pages at first
        assert good(resolver, name), (name, resolver.log_tail())
        if trouble(resolver):
            break
    assert "the disk of %s is full" % disk.directory in trouble(resolver)
    assert "64 MiB" in trouble(resolver) and "Make room there" in trouble(resolver)
    health = resolver.ctl("health")
    assert health.returncode == 1 and "not keeping its cache" in health.stdout, health
    assert "is full: what is learnt now is not kept" in resolver.log_text()
    for name in [next(names) for _ in range(20)]:
        assert good(resolver, name), (name, resolver.log_tail())

    disk.make_room()

    def written_again():
        assert good(resolver, next(names))
        return not trouble(resolver)
    wait_for(written_again, resolver)
    assert resolver.ctl("health").returncode == 0
    assert re.search(r"the cache in .* is written again; \d+ commits were lost", resolver.log_text())
    assert resolver.pids() == pids
    assert resolver.stop() == 0


def test_disk_that_is_full_from_the_start_is_done_without_until_there_is_room(lab, make_resolver, make_disk):
    disk, names = make_disk(24), names_of(lab)
    disk.fill()
    before = set(glob.glob("/dev/shm/holdfast-*"))
    resolver = make_resolver("nodisk", extra=dict(EXTRA, cache={"size": "64M"}), start=False)
    disk.carry(resolver)
    resolver.start()
    r = resolver.ask(names[0])
    assert r.rcode() == dns.rcode.NOERROR and r.answer, resolver.log_tail()
    assert "%s: no room for a cache file (No space left on device)" % disk.directory in resolver.log_text()
    assert "in memory" in trouble(resolver) and disk.directory in trouble(resolver)
    assert resolver.ctl("health").returncode == 1
    assert resolver.ctl("nta", "add", ZONE, "--reason", "test").returncode == 0
    # A restart of the process alone loses nothing of it.
    pid = resolver.pids()["holdfast-validatord"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: resolver.pids().get("holdfast-validatord", pid) != pid and has_nta(resolver), resolver)

    disk.make_room()
    wait_for(lambda: resolver.ctl("health").returncode == 0, resolver)
    assert os.path.exists(os.path.join(disk.path, "data.mdb"))
    assert has_nta(resolver), resolver.log_tail()
    assert good(resolver, names[1])
    assert set(glob.glob("/dev/shm/holdfast-*")) <= before, "what was in memory is left behind"
    assert resolver.stop() == 0


def damage(directory, key):
    """Spoils each page that holds the key. The next start looks at the file first."""
    path, spoilt = os.path.join(directory, "data.mdb"), 0
    with open(path, "r+b") as f:
        data = f.read()
        for page in range(2, len(data) // 4096):
            if key in data[page * 4096:(page + 1) * 4096]:
                f.seek(page * 4096)
                f.write(b"\xff" * 64)
                spoilt += 1
    with open(os.path.join(directory, "writer.state"), "w") as f:
        f.write("damaged 0 0\n")
    return spoilt


def test_ntas_and_anchors_outlive_a_damaged_cache_file(lab, make_resolver):
    resolver = make_resolver("damaged", extra=EXTRA)
    name = names_of(lab)[0]
    assert good(resolver, name)
    assert resolver.ctl("nta", "add", ZONE, "--reason", "test").returncode == 0
    added = resolver.ctl("trust-anchor", "add", "island.test. DS 4711 13 2 " + "ab" * 32)
    assert added.returncode == 0, added
    assert resolver.stop() == 0
    key = b"\0".join(label.encode() for label in reversed(name.rstrip(".").split("."))) + b"\0"
    assert damage(resolver.state, key) > 0
    resolver.start()
    said = resolver.log_text()
    assert "the cache file was damaged; it is now %s/data.mdb.damaged-" % resolver.state in said, said
    assert re.search(r"taken over from \S+damaged-\d+: 1 negative trust anchors, \d+ trust points", said), said
    assert "LOST" not in said
    assert has_nta(resolver)
    assert "island.test" in resolver.ctl("trust-anchor", "list").stdout
    assert good(resolver, name)
    assert resolver.stop() == 0


def test_what_is_lost_with_a_damaged_cache_file_is_said(lab, make_resolver):
    resolver = make_resolver("lost", extra=EXTRA)
    assert resolver.ctl("nta", "add", ZONE, "--reason", "test").returncode == 0
    assert resolver.stop() == 0
    with open(os.path.join(resolver.state, "data.mdb"), "r+b") as f:
        f.write(bytes(8192))      # both of its heads
    resolver.start()
    said = resolver.log_text()
    assert re.search(r"LOST with \S+damaged-\d+: negative trust anchors, how many cannot be read", said), said
    assert "holdfastctl nta list" in said
    assert not has_nta(resolver)
    assert good(resolver, names_of(lab)[0])
    assert resolver.stop() == 0
