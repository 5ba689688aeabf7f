"""The daemons started by socket activation, as their systemd units would: systemd-socket-activate takes one type of
socket a call, so the calls are nested and the innermost names all descriptors."""

import os
import shutil
import subprocess
import time

import dns.flags
import pytest

import asker
import resolver as resolver_module
import world

PORT = 5401
pytestmark = pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="no systemd-socket-activate")


def activate(kind, addresses, command, names=None):
    listen = [a for address in addresses for a in ("-l", address)]
    return ["systemd-socket-activate"] + kind + listen + (["--fdname=" + names] if names else []) + command


class Activated:
    def __init__(self, programs, lab, directory):
        self.run = os.path.join(directory, "run")
        self.state = os.path.join(directory, "state")
        self.programs, self.processes = programs, {}
        os.makedirs(self.run, mode=0o700)
        os.makedirs(self.state, mode=0o700)
        config = lab.write_config(os.path.join(directory, "holdfast.yaml"), ("127.0.0.1:%d" % PORT,))
        self.snapshot = os.path.join(directory, "snapshot")
        done = subprocess.run([programs["holdfastctl"], "--runtime-dir", self.run, "config", "compile", config,
                               "--state-dir", self.state, "--output", self.snapshot], capture_output=True, text=True)
        assert done.returncode == 0, done
        self.log = open(os.path.join(directory, "log"), "ab")

    def start(self, name, command):
        self.processes[name] = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                                preexec_fn=world.die_with_parent)

    def path(self, name):
        return os.path.join(self.run, name)

    def start_all(self):
        daemon = lambda name: [self.programs[name], "--snapshot", self.snapshot]
        dns = "127.0.0.1:%d" % PORT
        sequential = ["--seqpacket"]
        self.start("netd", activate(["-d"], [dns], activate([], [dns], activate(
            sequential, [self.path("netd.edge"), self.path("netd.control")], daemon("holdfast-netd"),
            "dns-udp:dns-tcp:edge:control"))))
        self.start("recursord", activate(sequential, [self.path("recursord.edge"), self.path("recursord.control")],
                                         daemon("holdfast-recursord"), "edge:control"))
        self.start("validatord", activate(sequential, [self.path("validatord.control")],
                                          daemon("holdfast-validatord"), "control"))

    def ctl(self, *arguments):
        return subprocess.run([self.programs["holdfastctl"], "--runtime-dir", self.run] + list(arguments),
                              capture_output=True, text=True, timeout=60)

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        codes = {name: process.wait(60) for name, process in self.processes.items()}
        self.log.close()
        return codes


def test_activated_daemons_answer_and_stop(lab, programs, workspace):
    directory = os.path.join(workspace, "activation")
    os.makedirs(directory)
    made = Activated(programs, lab, directory)
    made.start_all()
    try:
        time.sleep(0.3)
        # The first packet starts netd, the first connection to its control socket validatord, which wakes recursord.
        response, deadline = None, time.monotonic() + 60
        while time.monotonic() < deadline and not (response and response.answer):
            response = asker.ask("www.p256-nsec.com.", "A", port=PORT, timeout=2, tries=1)
            made.ctl("statistics")
            time.sleep(0.1)
        with open(os.path.join(directory, "log"), errors="replace") as f:
            assert response is not None and response.answer and response.flags & dns.flags.AD, f.read()[-3000:]
        assert asker.ask_tcp(asker.make_query("www.p256-nsec.com.", "A"), port=PORT).answer
        for name, process in made.processes.items():
            with open("/proc/%d/cmdline" % process.pid, "rb") as f:
                assert b"holdfast-" + name.encode() in f.read(), name + " was not started by its socket"
    finally:
        codes = made.stop()
    with open(os.path.join(directory, "log"), errors="replace") as f:
        assert not resolver_module.sanitizer_reports(f.read())
    assert codes == {"netd": 0, "recursord": 0, "validatord": 0}, codes
