"""Servers under test and their children: found, stopped, killed at once."""

import os
import signal
import subprocess
import time


def children_of(pid):
    """Its children and theirs."""
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                for child in map(int, f.read().split()):
                    found += [child] + children_of(child)
    except (FileNotFoundError, ProcessLookupError):
        pass        # it has ended meanwhile
    return found


def kill_at_once(process, others, seconds=10):
    """kill -9 of the Popen and of other pids, none of which sees another one die; returns when all are gone."""
    pids = [process.pid] + list(others)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
    process.wait()
    deadline = time.monotonic() + seconds
    while any(os.path.exists("/proc/%d" % pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.005)


def stop(process, seconds):
    """SIGTERM, and kill -9 of it and its children when that does not help."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_at_once(process, children_of(process.pid))
