#!/usr/bin/env python3
"""The systemd units: what systemd says of them, and the settings without which five kills would end a socket too.

    test_units.py SOURCE-DIRECTORY BUILD-DIRECTORY
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = sys.argv[1:3]


class Unit:
    """The settings of a unit file, in lists, since a key may come again."""

    def __init__(self, path):
        self.repeated = {}
        with open(path, encoding="utf-8") as f:
            for line in f:
                key, eq, value = line.strip().partition("=")
                if eq and not line.startswith("#"):
                    self.repeated.setdefault(key, []).append(value)

    def all(self, key):
        return self.repeated.get(key, [])


def units(ending):
    return sorted(glob.glob(f"{SOURCE}/*.{ending}") + glob.glob(f"{BUILD}/*.{ending}"))


class Units(unittest.TestCase):
    def test_systemd_finds_nothing_wrong(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        with tempfile.TemporaryDirectory() as directory:
            for path in units("service") + units("socket") + units("target"):
                with open(path, encoding="utf-8") as f:
                    text = f.read()
                # The programs are not installed yet.
                text = "".join("ExecStart=/bin/true\n" if line.startswith("ExecStart=") else line
                               for line in text.splitlines(keepends=True))
                with open(os.path.join(directory, os.path.basename(path)), "w", encoding="utf-8") as f:
                    f.write(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(glob.glob(f"{directory}/*"))],
                                  capture_output=True, text=True, check=False,
                                  env={**os.environ, "SYSTEMD_UNIT_PATH": f"{directory}:"})
            ours = [line for line in done.stderr.splitlines() if "holdfast" in line]
            self.assertEqual(ours, [])

    def test_no_number_of_deaths_ends_a_service_or_a_socket(self):
        services = [s for s in units("service") if not s.endswith("config.service")]
        self.assertEqual(len(services), 3)
        for path in services:
            unit = Unit(path)
            self.assertEqual(unit.all("StartLimitIntervalSec"), ["0"], path)
            self.assertEqual(unit.all("Restart"), ["always"], path)
            self.assertEqual(unit.all("RestartSec"), ["100ms"], path)
            self.assertEqual(unit.all("Type"), ["notify"], path)
        for path in units("socket"):
            self.assertEqual(Unit(path).all("TriggerLimitIntervalSec"), ["0"], path)

    def test_each_service_gets_the_sockets_that_name_it(self):
        kinds = {}
        for path in units("socket"):
            unit = Unit(path)
            service, = unit.all("Service")
            kinds.setdefault(service, set()).add((os.path.basename(path), unit.all("FileDescriptorName")[0]))
        self.assertEqual({k: {name for _, name in v} for k, v in kinds.items()}, {
            "holdfast-netd.service": {"dns-udp", "dns-tcp", "edge", "control"},
            "holdfast-recursord.service": {"edge", "control"},
            "holdfast-validatord.service": {"control"}})
        for service, sockets in kinds.items():
            unit = Unit(f"{BUILD}/{service}")
            self.assertEqual(set(unit.all("Sockets")[0].split()), {file for file, _ in sockets})

    def test_only_validatord_may_connect_to_an_edge(self):
        for path in units("socket"):
            if path.endswith("-edge.socket"):
                self.assertEqual(Unit(path).all("SocketUser"), ["holdfast-validatord"])
                self.assertEqual(Unit(path).all("SocketMode"), ["0600"])

    def test_validatord_has_no_network(self):
        unit = Unit(f"{BUILD}/holdfast-validatord.service")
        self.assertEqual(unit.all("PrivateNetwork"), ["yes"])
        self.assertEqual(unit.all("RestrictAddressFamilies"), ["AF_UNIX"])


unittest.main(argv=sys.argv[:1])
