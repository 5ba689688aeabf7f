#!/usr/bin/env python3
"""holdfastd with stand-ins for the three daemons: what it passes, when it restarts, how it stops.

    test_holdfastd.py HOLDFASTD HOLDFASTCTL
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HOLDFASTD, HOLDFASTCTL = sys.argv[1:3]
FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake_daemon.py")
DAEMONS = ["holdfast-netd", "holdfast-recursord", "holdfast-validatord"]


def free_port():
    """A port that is free for both transports, outside the range that the kernel gives to whoever asks meanwhile."""
    for port in random.sample(range(10000, 30000), 1000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("none of 1,000 ports is free")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Holdfastd(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="holdfastd-")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        for program in [HOLDFASTD, HOLDFASTCTL]:
            shutil.copy(program, self.dir)
        for name in DAEMONS:
            shutil.copy(FAKE, f"{self.dir}/{name}")
            os.chmod(f"{self.dir}/{name}", 0o755)
        self.port = free_port()
        self.config = f"{self.dir}/holdfast.yaml"
        self.configure(f'server: {{ workers: 2, listen: [ "udp://127.0.0.1:{self.port}", '
                       f'"tcp://127.0.0.1:{self.port}" ] }}\nprocess: {{ users: false }}\n')

    def configure(self, text):
        with open(self.config, "w", encoding="ascii") as f:
            f.write(text)

    def start(self, runtime="run", wait=True):
        process = subprocess.Popen(
            [f"{self.dir}/holdfastd", "--config", self.config, "--runtime-dir", f"{self.dir}/{runtime}",
             "--state-dir", f"{self.dir}/state"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "MARKER": "handed on"}, text=True)
        self.addCleanup(self.end, process)
        if wait:
            self.assertEqual(process.stdout.readline(), f"holdfastd: answering on udp://127.0.0.1:{self.port} "
                                                        f"tcp://127.0.0.1:{self.port}\n")
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def starts(self, name):
        try:
            with open(f"{self.dir}/{name}.starts", encoding="ascii") as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def wait_for(self, what, seconds=60.0, of=None):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return
            if of and of.poll() is not None:
                self.fail(f"holdfastd ended meanwhile with {of.returncode}: {of.stderr.read()}")
            time.sleep(0.005)
        self.fail("waited in vain")

    def test_each_daemon_gets_its_sockets_by_name(self):
        self.start()
        netd, recursord, validatord = [self.starts(name)[0] for name in DAEMONS]
        # TCP does not listen before the three have met.
        self.assertEqual(sorted(netd["sockets"]), sorted([
            ["dns-udp", "AF_INET", "SOCK_DGRAM", 0], ["dns-udp", "AF_INET", "SOCK_DGRAM", 0],
            ["dns-tcp", "AF_INET", "SOCK_STREAM", 0], ["edge", "AF_UNIX", "SOCK_SEQPACKET", 1],
            ["control", "AF_UNIX", "SOCK_SEQPACKET", 1]]))
        self.assertEqual(recursord["sockets"], [["edge", "AF_UNIX", "SOCK_SEQPACKET", 1],
                                                ["control", "AF_UNIX", "SOCK_SEQPACKET", 1]])
        self.assertEqual(validatord["sockets"], [["control", "AF_UNIX", "SOCK_SEQPACKET", 1]])
        for started in (netd, recursord, validatord):
            self.assertTrue(started["pid_right"])
            self.assertEqual(started["count"], len(started["sockets"]))
            self.assertEqual(started["arguments"], ["--snapshot", f"{self.dir}/run/config.pb"])
            self.assertEqual(started["marker"], "handed on")
            # stdin, stdout, stderr and those passed: nothing leaks.
            self.assertEqual(started["open"], 3 + started["count"])
        for name in ("netd.edge", "netd.control", "recursord.edge", "recursord.control", "validatord.control"):
            self.assertEqual(os.stat(f"{self.dir}/run/{name}").st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(f"{self.dir}/state").st_mode & 0o777, 0o750)
        socket.create_connection(("127.0.0.1", self.port), 1).close()

    def test_tcp_is_closed_until_all_are_ready(self):
        open(f"{self.dir}/holdfast-validatord.mute", "w", encoding="ascii").close()
        process = self.start(wait=False)
        self.wait_for(lambda: all(self.starts(name) for name in DAEMONS), of=process)
        time.sleep(0.3)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port), 1)

    def test_a_killed_daemon_is_back_at_once_and_its_sockets_stay(self):
        process = self.start()
        time.sleep(2.1)  # a life of two seconds is not "keeps dying"
        for name in DAEMONS:
            pid = self.starts(name)[0]["pid"]
            os.kill(pid, signal.SIGKILL)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("127.0.0.1", self.port))
                s.send(b"kept in the socket")
                self.wait_for(lambda n=name: len(self.starts(n)) == 2)
                s.send(b"no ECONNREFUSED either")
            self.assertEqual([s[0] for s in self.starts(name)[1]["sockets"]],
                             [s[0] for s in self.starts(name)[0]["sockets"]])
        process.terminate()
        _, err = process.communicate(timeout=60)
        # By its own word: how soon a loaded machine runs anyone is not its doing.
        self.assertEqual(len(re.findall(r"was killed by signal 9 after [0-9.]+ s; starting it again\n", err)), 3, err)
        self.assertNotIn("in a while", err)

    def test_a_daemon_that_keeps_dying_is_started_more_and_more_slowly_and_then_given_up(self):
        open(f"{self.dir}/holdfast-recursord.die", "w", encoding="ascii").close()
        process = self.start(wait=False)
        _, err = process.communicate(timeout=200)
        self.assertEqual(process.returncode, 1)
        self.assertIn("holdfast-recursord cannot run here", err)
        starts = self.starts("holdfast-recursord")
        gaps = [after["forked"] - before["time"] for before, after in zip(starts, starts[1:])]
        self.assertEqual(len(gaps), 5)
        # 50 ms and twice as long each time up to 800 ms, which a loaded machine adds to.
        for number, gap in enumerate(gaps):
            self.assertGreater(gap, 0.045 * 2 ** number, gaps)
        self.assertLess(min(gaps[:3]), gaps[-1])

    def test_a_daemon_that_takes_long_to_find_out_that_it_cannot_run_keeps_dying_too(self):
        with open(f"{self.dir}/holdfast-recursord.die", "w", encoding="ascii") as f:
            f.write("2.1")
        process = self.start(wait=False)
        said = []
        while len(said) < 2:
            line = process.stderr.readline()
            self.assertTrue(line, "holdfastd ended")
            if "ended with status 7" in line:
                said.append(line)
        self.assertIn("in a while, it keeps dying", said[1])

    def test_sigterm_stops_validatord_last_and_removes_what_was_made(self):
        process = self.start()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        with open(f"{self.dir}/stops", encoding="ascii") as f:
            stops = f.read().split()
        self.assertEqual(sorted(stops), DAEMONS)
        self.assertEqual(stops[-1], "holdfast-validatord")
        # The compiled configuration stays: the next start takes it if nothing has changed.
        self.assertEqual(os.listdir(f"{self.dir}/run"), ["config.pb"])

    def test_the_snapshot_is_used_again_until_its_source_changes(self):
        def generation():
            self.end(self.start())
            return os.stat(f"{self.dir}/run/config.pb").st_ino
        time.sleep(0.1)  # the source has to be older than the file system's clock can tell
        first = generation()
        self.assertEqual(generation(), first)
        with open(f"{self.dir}/holdfast.yaml", "a", encoding="ascii") as f:
            f.write("# a comment\n")
        time.sleep(0.1)
        changed = generation()
        self.assertNotEqual(changed, first)
        self.assertEqual(generation(), changed)
        with open(f"{self.dir}/run/config.pb", "r+b") as f:
            f.truncate(20)
        self.assertNotEqual(generation(), changed)

    def test_a_daemon_that_does_not_stop_is_killed_and_validatord_still_stops_cleanly(self):
        open(f"{self.dir}/holdfast-recursord.deaf", "w", encoding="ascii").close()
        process = self.start()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)
        self.assertIn("holdfast-recursord does not stop; killing it", err)
        with open(f"{self.dir}/stops", encoding="ascii") as f:
            self.assertEqual(f.read().split(), ["holdfast-netd", "holdfast-validatord"])
        self.assertFalse(alive(self.starts("holdfast-recursord")[0]["pid"]))

    def test_nobody_outlives_a_killed_holdfastd(self):
        process = self.start()
        pids = [self.starts(name)[0]["pid"] for name in DAEMONS]
        process.kill()
        self.wait_for(lambda: not any(map(alive, pids)))
        self.start()  # and the next one starts over what was left behind

    def test_a_second_one_in_the_same_directory_says_so_and_harms_nothing(self):
        self.start()
        second = self.start(wait=False)
        _, err = second.communicate(timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another holdfastd runs", err)
        self.assertIn("netd.control", os.listdir(f"{self.dir}/run"))

    def test_a_port_in_use_is_named(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", self.port))
            process = self.start(wait=False)
            _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(f"udp://127.0.0.1:{self.port}: Address already in use", err)
        self.assertEqual(self.starts("holdfast-netd"), [])

    def test_a_bad_configuration_starts_nothing(self):
        self.configure("server:\n  wokers: 2\ncache:\n  size: 5\n")
        process = self.start(wait=False)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(f"{self.config}:2: ", err)
        self.assertIn(f"{self.config}:4: ", err)
        self.assertEqual(self.starts("holdfast-netd"), [])

    def start_with_users(self):
        """As root with process.users, in a mount namespace whose passwd and group have the users."""
        os.chmod(self.dir, 0o777)  # the stand-ins write here, as their users
        for name, lines in (("passwd", [f"{user}:x:{64000 + i}:64100::/:/bin/false" for i, user in enumerate(DAEMONS)]),
                            ("group", ["holdfast:x:64100:"])):
            with open(f"/etc/{name}", encoding="utf-8") as f:
                kept = [line for line in f.read().splitlines() if not line.startswith("holdfast")]
            with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
                f.write("\n".join(kept + lines) + "\n")
        self.configure(f'server: {{ listen: [ "udp://127.0.0.1:{self.port}" ] }}\n')
        os.makedirs(f"{self.dir}/state", exist_ok=True)
        for name in ("data.mdb", "lock.mdb"):
            open(f"{self.dir}/state/{name}", "w", encoding="ascii").close()
        script = (f"mount --bind {self.dir}/passwd /etc/passwd && mount --bind {self.dir}/group /etc/group && "
                  f"exec {self.dir}/holdfastd --config {self.config} --runtime-dir {self.dir}/run "
                  f"--state-dir {self.dir}/state")
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, "MARKER": "not handed on"})
        self.addCleanup(self.end, process)
        line = process.stdout.readline()
        if not line.startswith("holdfastd: answering"):
            self.fail(process.communicate()[1])
        return process

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/usr/bin/unshare") and
                         open("/proc/self/uid_map", encoding="ascii").read().split()[2] == "4294967295",
                         "needs root that may become other users")
    def test_each_daemon_is_its_own_user_and_holdfastd_keeps_four_capabilities(self):
        process = self.start_with_users()

        def status(pid):
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

        pids = [self.starts(name)[0]["pid"] for name in DAEMONS]
        for i, pid in enumerate(pids):
            fields = status(pid)
            self.assertEqual(fields["Uid"].split(), [str(64000 + i)] * 4)
            self.assertEqual(fields["Gid"].split(), ["64100"] * 4)
            self.assertEqual(fields["Groups"].split(), [])
            self.assertEqual(fields["NoNewPrivs"], "1")
            self.assertEqual(int(fields["CapEff"], 16) | int(fields["CapPrm"], 16), 0)
            self.assertIsNone(self.starts(DAEMONS[i])[0]["marker"])
        capabilities = {6, 7, 5, 10}  # SETGID, SETUID, KILL, NET_BIND_SERVICE
        for kind in ("CapEff", "CapPrm", "CapBnd"):
            self.assertEqual(int(status(process.pid)[kind], 16), sum(1 << c for c in capabilities), kind)
        validatord = 64000 + DAEMONS.index("holdfast-validatord")
        for path, owner, mode in (("run/netd.edge", validatord, 0o600), ("run/recursord.edge", validatord, 0o600),
                                  ("run/netd.control", 64000, 0o600), ("state", validatord, 0o750),
                                  ("state/data.mdb", validatord, 0o640), ("state/lock.mdb", validatord, 0o600)):
            st = os.stat(f"{self.dir}/{path}")
            self.assertEqual((st.st_uid, st.st_mode & 0o777), (owner, mode), path)
        self.assertEqual(os.stat(f"{self.dir}/state").st_gid, 64100)
        # A restart still changes users, a stop still reaches them, and nobody outlives a kill.
        os.kill(pids[0], signal.SIGKILL)
        self.wait_for(lambda: len(self.starts("holdfast-netd")) == 2)
        pids[0] = self.starts("holdfast-netd")[1]["pid"]
        self.assertEqual(status(pids[0])["Uid"].split()[0], "64000")
        process.kill()
        self.wait_for(lambda: not any(map(alive, pids)))

    @unittest.skipUnless(os.geteuid() == 0, "only root changes users")
    def test_missing_users_are_explained(self):
        with open("/etc/passwd", encoding="utf-8") as f:
            if "holdfast-netd:" in f.read():
                self.skipTest("the users exist here")
        self.configure(f'server: {{ listen: [ "udp://127.0.0.1:{self.port}" ] }}\n')
        process = self.start(wait=False)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("process.users: false", err)

    def test_usage(self):
        for arguments, code in ([], 2), (["--help"], 0), (["--version"], 0), (["--nonsense"], 2):
            done = subprocess.run([f"{self.dir}/holdfastd", *arguments], capture_output=True, check=False)
            self.assertEqual(done.returncode, code)


unittest.main(argv=sys.argv[:1])
