#!/usr/bin/env python3
"""Stands in for a daemon under holdfastd: writes down how it was started, says READY, lives until told to stop.

What it does besides comes by files in its own directory: NAME.die (die, after as many seconds as it says), NAME.mute (never ready),
NAME.deaf (does not stop)."""
import json
import os
import signal
import socket
import sys
import time

here, name = os.path.split(os.path.abspath(sys.argv[0]))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
descriptors = len(os.listdir("/proc/self/fd")) - 1  # without the one that lists
count = int(os.environ["LISTEN_FDS"])
sockets = []
# When the kernel made this process: what holdfastd did, without the time an interpreter takes.
with open("/proc/self/stat", encoding="ascii") as stat:
    forked = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
for number, kind in enumerate(filter(None, os.environ["LISTEN_FDNAMES"].split(":"))):
    s = socket.socket(fileno=3 + number)
    sockets.append([kind, s.family.name, s.type.name, s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)])
with open(f"{here}/{name}.starts", "a", encoding="ascii") as log:
    log.write(json.dumps({
        "pid": os.getpid(), "forked": forked, "time": time.clock_gettime(time.CLOCK_BOOTTIME), "count": count, "sockets": sockets,
        "pid_right": int(os.environ["LISTEN_PID"]) == os.getpid(), "arguments": sys.argv[1:],
        "marker": os.environ.get("MARKER"), "open": descriptors,
    }) + "\n")
if os.path.exists(f"{here}/{name}.die"):
    with open(f"{here}/{name}.die", encoding="ascii") as f:
        time.sleep(float(f.read() or 0))
    sys.exit(7)
if not os.path.exists(f"{here}/{name}.mute"):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(os.environ["NOTIFY_SOCKET"])
        notify.send(b"STATUS=up\nREADY=1")
signal.sigwait([signal.SIGTERM])
if os.path.exists(f"{here}/{name}.deaf"):
    time.sleep(60)
with open(f"{here}/stops", "a", encoding="ascii") as log:
    log.write(name + "\n")
