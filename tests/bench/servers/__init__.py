"""The servers under test, a file each with its settings written out. All are pinned to the same core, have one worker
thread, a cache that holds everything that is asked, and no log of questions."""

import importlib
import os
import shutil
import subprocess
import time

import processes

ALL = ("holdfast", "unbound", "bind", "kresd", "pdns")
PEERS = ALL[1:]


def tasks_ns(pid):
    """CPU time of a process, all its threads, in ns (user and system together; the scheduler's own clock)."""
    total = 0
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                total += int(f.read().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def pss_parts_kib(pid):
    """PSS by what it is: pages of the cache file, other files', shared memory, the process's own."""
    parts, what = {}, "own"
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            first = line.split(None, 1)[0]
            if "-" in first and not first.endswith(":"):
                path = line.split(None, 5)[5].strip() if len(line.split(None, 5)) > 5 else ""
                what = ("cache" if path.endswith("data.mdb") else "shared" if path.startswith("/memfd") else
                        "files" if path.startswith("/") else "own")
            elif first == "Pss:":
                parts[what] = parts.get(what, 0) + int(line.split()[1])
    return parts


class Server:
    """configure() writes files and sets self.command."""
    name = title = binary = ""
    port = 0

    def __init__(self, stage, options=None):
        """options: {"cache_mib": size of the cache, ...}"""
        self.stage, self.options = stage, {"cache_mib": 512, **(options or {})}
        self.directory = os.path.join(stage.directory, self.name)
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.process, self.command = None, []
        self.configure()

    @classmethod
    def installed(cls, stage):
        return os.access(cls.binary, os.X_OK)

    def configure(self):
        raise NotImplementedError

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, wait=True):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = self.stage.spawn(self.command, stdout=log, stderr=log)
        if wait:
            self.wait()
        return self

    def wait(self, seconds=30):
        """Until it answers, from the hints or the network, whatever."""
        names = self.stage.write("wait.names", ["start.bench"])
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            said = self.load(names, "--once", "--sockets", "1", "--seconds", "3")
            if said and said["answered"] and not said["failed"]:
                return
            time.sleep(0.2)
        raise RuntimeError("%s does not answer: see %s/log" % (self.title, self.directory))

    def load(self, names, *options):
        """Runs the load generator against it; what it says, or None."""
        import json
        process = self.stage.spawn([self.stage.program("load")] + list(options) + ["127.0.0.1", str(self.port), names],
                                   core=self.stage.load_core, stdout=subprocess.PIPE, text=True)
        text, _ = process.communicate()
        return json.loads(text) if process.returncode == 0 else None

    def pids(self):
        return [self.process.pid] + processes.children_of(self.process.pid)

    def cpu_ns(self):
        return sum(map(tasks_ns, self.pids()))

    def pss_kib(self):
        return sum(map(pss_kib, self.pids()))

    def pss_parts_kib(self):
        """{process: {what: KiB}}"""
        parts = {}
        for pid in self.pids():
            with open("/proc/%d/comm" % pid) as f:
                parts["%s %d" % (f.read().strip(), pid)] = pss_parts_kib(pid)
        return parts

    def cache_bytes(self):
        """Octets of the cache on disk that are in use; None where it has none."""
        return None

    def stop(self):
        if self.process is not None:
            processes.stop(self.process, 20)
        self.process = None

    def kill(self):
        """kill -9 of all its processes at once."""
        if self.process is not None:
            processes.kill_at_once(self.process, processes.children_of(self.process.pid))
        self.process = None


def make(name, stage, options=None):
    """The server, or None when it is not installed."""
    cls = importlib.import_module("servers." + name).SERVER
    return cls(stage, options) if cls.installed(stage) else None
