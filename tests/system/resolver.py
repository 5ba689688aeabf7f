"""Runs the real holdfastd with its three daemons in the current network namespace and lets tests handle them."""

import os
import re
import subprocess
import time

import asker
import processes
import world

PROGRAMS = ("holdfastd", "holdfastctl", "holdfast-netd", "holdfast-validatord", "holdfast-recursord")
DAEMONS = PROGRAMS[2:]


def find_programs(build):
    """Program name -> path in a build tree; only what is there."""
    found = {}
    for directory, subdirectories, files in os.walk(build):
        subdirectories[:] = [d for d in subdirectories if not d.endswith(".p")]
        for name in files:
            path = os.path.join(directory, name)
            if name in PROGRAMS and os.access(path, os.X_OK):
                found[name] = path
    return found


def sanitizer_reports(log):
    """The beginnings of what ASan, LSan, UBSan or TSan wrote into a log."""
    lines = log.splitlines()
    starts = [i for i, line in enumerate(lines) if re.search(r"Sanitizer: |runtime error: ", line)]
    return ["\n".join(lines[i:i + 30]) for i in starts]


class Resolver:
    def __init__(self, programs, directory, write_config, port=53, env=None):
        """write_config(path) writes the holdfast.yaml to use."""
        self.programs, self.directory, self.port, self.env = programs, str(directory), port, env
        os.makedirs(self.directory, exist_ok=True)
        self.runtime = os.path.join(self.directory, "run")
        self.state = os.path.join(self.directory, "state")
        self.log_path = os.path.join(self.directory, "log")
        self.config = write_config(os.path.join(self.directory, "holdfast.yaml"))
        self.process = None
        self.started = self.start_took = None      # start_took: seconds until it answered, which tells how fast the machine is

    def start(self, wait=True, seconds=60):
        said = len(self.log_text()) if os.path.exists(self.log_path) else 0
        self.started = time.monotonic()
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [self.programs["holdfastd"], "--config", self.config, "--runtime-dir", self.runtime,
             "--state-dir", self.state], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            preexec_fn=world.die_with_parent, env=dict(os.environ, **(self.env or {})))
        log.close()
        if wait:
            deadline = time.monotonic() + seconds
            # Its own word first: another resolver of the tests may answer on the port that this one did not get.
            while "answering on" not in self.log_text()[said:]:
                if self.process.poll() is not None:
                    code, self.process = self.process.returncode, None
                    raise AssertionError("holdfastd ended with %d:\n%s" % (code, self.log_tail()))
                if time.monotonic() > deadline:
                    raise AssertionError("holdfastd does not answer:\n" + self.log_tail())
                time.sleep(0.02)
            self.start_took = time.monotonic() - self.started
        return self

    def log_text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def log_tail(self, lines=40):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def sanitizer_reports(self):
        return sanitizer_reports(self.log_text()) if os.path.exists(self.log_path) else []

    def pids(self):
        """Program name -> pid of the daemons that run now under our holdfastd."""
        result = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                with open("/proc/%s/cmdline" % entry, "rb") as f:
                    name = os.path.basename(f.read().split(b"\0")[0].decode())
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and name in DAEMONS and fields[0] != "Z":
                result[name] = int(entry)
        return result

    def rss_kib(self):
        result = {}
        for name, pid in self.pids().items():
            with open("/proc/%d/status" % pid) as f:
                for line in f:
                    if line.startswith("RssAnon:"):
                        result[name] = int(line.split()[1])
        return result

    def stop(self, seconds=60):
        if self.process is None:
            return None
        self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError("holdfastd did not stop on SIGTERM:\n" + self.log_tail())
        self.process = None
        return code

    def kill_all(self):
        """kill -9 of all processes at once."""
        if self.process is None:
            return
        processes.kill_at_once(self.process, self.pids().values())
        self.process = None

    def ctl(self, *args, timeout=30, **kw):
        return subprocess.run([self.programs["holdfastctl"], "--runtime-dir", self.runtime] + list(args),
                              capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **kw)

    def ask(self, name, rdtype="A", **kw):
        return asker.ask(name, rdtype, port=self.port, **kw)
