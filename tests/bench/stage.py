"""Where a benchmark plays: a network namespace for the servers under test and the load, another one with the
authoritative server of the bench. world (authority.h) behind a veth pair. Servers under test have one core, everything
else has the other."""

import mmap
import os
import struct
import subprocess

import world

ADDRESSES = ["10.60.0.1", "10.60.0.2", "10.60.0.3"]       # root, bench., every zone below it
SERVER_CORE, LOAD_CORE = 0, 1


def cores():
    """(core of the servers, core of the load). On a machine with one core both are the same: say so."""
    have = sorted(os.sched_getaffinity(0))
    return have[SERVER_CORE], have[min(LOAD_CORE, len(have) - 1)]


def pinned(core):
    def before():
        world.die_with_parent()
        os.sched_setaffinity(0, {core})
    return before


class Stage:
    def __init__(self, build, directory, delay_ms=0):
        """delay_ms: how long the authoritative servers hold each reply back, which is the round trip to them."""
        self.programs = os.path.join(build, "tests", "bench")
        self.build, self.directory = build, directory
        self.server_core, self.load_core = cores()
        os.makedirs(directory, exist_ok=True)
        self.world = world.World(directory, [{
            "name": "authority", "addresses": ADDRESSES,
            "command": ["taskset", "-c", str(self.load_core), os.path.join(self.programs, "bench-authority"),
                        directory] + ADDRESSES + ([str(delay_ms)] if delay_ms else [])}], label="bench")

    hints = property(lambda self: os.path.join(self.directory, "root.hints"))
    anchor = property(lambda self: os.path.join(self.directory, "root.anchor"))

    def anchor_ds(self):
        with open(self.anchor) as f:
            return f.read().split(" DS ")[1].split()

    def __enter__(self):
        self.world.start()
        return self

    def __exit__(self, *_):
        self.world.stop()

    def asked(self):
        """Questions that the authoritative server has had, a number each for root, bench. and the zones below."""
        with open(os.path.join(self.directory, "asked"), "rb") as f, mmap.mmap(
                f.fileno(), 24, prot=mmap.PROT_READ) as m:
            return struct.unpack("QQQ", m[:24])

    def sent(self):
        """Packets that have left for the servers. Replies are small here, so a packet is a question."""
        with self.world.inside(), open("/proc/thread-self/net/dev") as f:
            line = next(line for line in f if "toservers:" in line)
        return int(line.split(":")[1].split()[9])

    def program(self, name):
        return os.path.join(self.programs, "bench-" + name)

    def spawn(self, command, core=None, **kw):
        """A process in the inner namespace, pinned, that ends with us."""
        with self.world.inside():
            return subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                    preexec_fn=pinned(self.server_core if core is None else core), **kw)

    def write(self, name, lines):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.writelines(line + "\n" for line in lines)
        return path
