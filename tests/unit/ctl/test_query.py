#!/usr/bin/env python3
"""holdfastctl query against a stand-in for a resolver, and the command line itself.

    test_query.py HOLDFASTCTL
"""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HOLDFASTCTL = sys.argv[1]
A, CNAME, PTR, TXT, AAAA = 1, 5, 12, 16, 28


def wire(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.rstrip(".").split(".") if l) + b"\0"


def rr(name, rtype, data, ttl=300):
    return wire(name) + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data


def ede(code, text):
    option = struct.pack(">H", code) + text
    return b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(option) + 4) + struct.pack(">HH", 15, len(option)) + option


# (name, type): flags beside QR RD RA, records, OPT
ANSWERS = {
    ("good.test.", A): (0x20, [rr("good.test.", A, bytes([192, 0, 2, 1]))], b""),
    ("good.test.", AAAA): (0x20, [], b""),
    ("alias.test.", A): (0x20, [rr("alias.test.", CNAME, wire("good.test.")),
                                rr("good.test.", A, bytes([192, 0, 2, 1]))], b""),
    ("alias.test.", AAAA): (0x20, [rr("alias.test.", CNAME, wire("good.test.")),
                                   rr("good.test.", AAAA, bytes(15) + b"\1")], b""),
    ("bogus.test.", A): (2, [], ede(6, b"test. DNSKEY: no valid signature\x1b[31m")),
    ("stale.test.", A): (0, [rr("stale.test.", A, bytes([192, 0, 2, 2]), 30)], ede(3, b"kept 2h")),
    ("none.test.", A): (0, [], b""),
    ("none.test.", AAAA): (0, [], b""),
    ("absent.test.", A): (0x23, [], b""),
    ("absent.test.", AAAA): (0x23, [], b""),
    ("big.test.", TXT): (0, [rr("big.test.", TXT, b"\xc8" + b"x" * 200) for _ in range(30)], b""),
    ("1.2.0.192.in-addr.arpa.", PTR): (0, [rr("1.2.0.192.in-addr.arpa.", PTR, wire("good.test."))], b""),
}


class StandIn(threading.Thread):
    """UDP and TCP on one port. Before the reply over UDP comes one with another id, which is to be waited past."""

    def __init__(self):
        super().__init__(daemon=True)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.flags = []
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def answer(self, question):
        ident, flags = struct.unpack(">HH", question[:4])
        self.flags.append(flags)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        rtype = struct.unpack(">H", question[at + 1:at + 3])[0]
        extra, records, opt = ANSWERS[(".".join(labels) + ".", rtype)]
        return struct.pack(">HHHHHH", ident, 0x8180 | extra, 1, len(records), 0, bool(opt)) + question[12:at + 5] + \
            b"".join(records) + opt

    def run(self):
        while True:
            question, sender = self.udp.recvfrom(4096)
            reply = self.answer(question)
            if len(reply) > 1232:
                reply = reply[:2] + struct.pack(">HHHHH", 0x8380, 1, 0, 0, 0) + question[12:-11]
            self.udp.sendto(bytes([reply[0] ^ 1]) + reply[1:], sender)
            self.udp.sendto(reply, sender)

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                size = struct.unpack(">H", connection.recv(2))[0]
                reply = self.answer(connection.recv(size))
                connection.sendall(struct.pack(">H", len(reply)) + reply)


class Query(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.resolver = StandIn()
        cls.resolver.start()

    def ctl(self, *arguments):
        return subprocess.run([HOLDFASTCTL, *arguments], capture_output=True, text=True, timeout=30, check=False)

    def query(self, *arguments):
        return self.ctl("query", f"--server=127.0.0.1@{self.resolver.port}", *arguments)

    def test_addresses_are_asked_for_by_default(self):
        done = self.query("good.test")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^good\.test\. IN A 192\.0\.2\.1 +-- ttl: 5min\n\n-- Information acquired via "
                                      r"protocol DNS over udp in [0-9.]+ms\.\n-- Data is authenticated: yes; "
                                      r"Data is stale: no\n$")

    def test_an_alias_is_shown_once(self):
        done = self.query("alias.test", "--legend=no")
        self.assertEqual(done.stdout.splitlines(), ["alias.test. IN CNAME good.test.", "good.test. IN A 192.0.2.1",
                                                    "good.test. IN AAAA ::1"])

    def test_failure_names_the_extended_error_and_steers_no_terminal(self):
        done = self.query("bogus.test", "A")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "holdfastctl: bogus.test. A: resolve call failed: SERVFAIL; DNSSEC Bogus (EDE 6): "
                                      "test. DNSKEY: no valid signature?[31m\n")
        self.assertNotIn("\x1b", done.stdout)

    def test_a_stale_answer_says_so(self):
        done = self.query("stale.test", "A")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Data is authenticated: no; Data is stale: yes\n-- Stale Answer (EDE 3): kept 2h\n", done.stdout)

    def test_a_name_that_does_not_exist_is_said_once(self):
        done = self.query("absent.test")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "holdfastctl: absent.test.: resolve call failed: the name does not exist\n")

    def test_a_name_without_addresses_is_said_once(self):
        done = self.query("none.test")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "holdfastctl: none.test.: the name has no address\n"))

    def test_a_missing_type_is_a_failure_when_it_alone_was_asked_for(self):
        done = self.query("good.test", "AAAA")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the name has no AAAA record", done.stderr)

    def test_truncation_goes_on_over_tcp(self):
        done = self.query("big.test", "TXT")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.count("big.test. IN TXT"), 30)
        self.assertIn("over tcp", done.stdout)

    def test_an_address_is_looked_up_in_reverse(self):
        done = self.query("192.0.2.1", "--tcp")
        self.assertIn("1.2.0.192.in-addr.arpa. IN PTR good.test.", done.stdout)
        self.assertIn("over tcp", done.stdout)

    def test_checking_disabled_is_sent(self):
        self.query("good.test", "A")
        self.assertEqual(self.resolver.flags[-1] & 0x0130, 0x0120)
        self.query("good.test", "A", "--cd")
        self.assertEqual(self.resolver.flags[-1] & 0x0130, 0x0130)

    def test_json_is_one_value_a_question(self):
        done = self.query("good.test", "A", "-j")
        value = json.loads(done.stdout)
        self.assertEqual((value["name"], value["rcode"], value["authenticated"]), ("good.test.", "NOERROR", True))
        self.assertEqual(value["answer"], [{"name": "good.test.", "type": "A", "ttl": 300, "data": "192.0.2.1"}])
        done = self.query("bogus.test", "A", "--json=pretty")
        self.assertEqual(json.loads(done.stdout)["ede"][0]["code"], 6)
        self.assertEqual(json.loads(done.stderr)["code"], 1)

    def test_where_to_ask_comes_from_the_snapshot(self):
        with tempfile.TemporaryDirectory() as run:
            config = os.path.join(run, "c.yaml")
            with open(config, "w", encoding="ascii") as f:
                f.write(f'server: {{ listen: [ "udp://0.0.0.0:{self.resolver.port}" ] }}\n')
            self.assertEqual(self.ctl("--runtime-dir", run, "config", "compile", config).returncode, 0)
            done = self.ctl("--runtime-dir", run, "query", "good.test", "A")
            self.assertEqual(done.returncode, 0, done.stderr)
            done = self.ctl("--runtime-dir", run, "query", "good.test", "A", "--tcp")
            self.assertEqual(done.returncode, 1)
            self.assertIn("does not listen over TCP", done.stderr)

    def test_nobody_there_is_exit_status_3(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.assertEqual(self.ctl("query", f"--server=127.0.0.1@{port}", "a.test", "A").returncode, 3)

    def test_wrong_usage_is_exit_status_2(self):
        for arguments in ([], ["quary", "a"], ["query"], ["nta"], ["nta", "ad", "x"], ["query", "a", "--tree"],
                          ["status", "x"], ["--json=loud", "status"], ["query", "a", "NOTYPE"], ["--nonsense"],
                          ["query", "a..b"], ["query", "a", "--class=XX"], ["query", "a", "--server=here"],
                          ["query", "a", "--server=127.0.0.1@99999"], ["log-level", "loud"], ["--legend=x", "status"]):
            done = self.ctl(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertTrue(done.stderr, arguments)

    def test_help_and_version(self):
        self.assertIn("flush-caches", self.ctl("--help").stdout)
        self.assertRegex(self.ctl("--version").stdout, r"^holdfastctl \d")
        done = self.ctl("--runtime-dir", "/nonexistent", "version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^holdfastctl \d")


unittest.main(argv=sys.argv[:1])
