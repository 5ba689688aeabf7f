"""micro.py without valgrind: costs read from callgrind's output, and compared."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import micro    # noqa: E402

OUTPUT = """\
events: Ir
ob=/b/bench-micro
fl=/s/l1.c
fn=l1_get
0 100
cob=/lib/libc.so.6
cfi=/s/string.c
cfn=memcpy
calls=4 0
0 4000
0 30
fn=find
0 7
ob=/lib/libc.so.6
fl=/s/string.c
fn=memcpy
0 4000

totals: 4137
"""


def complaints(own, everything, same=True):
    recorded = {"l1": {"own": 1000, "all": 2000}}
    return micro.compare({"l1": {"own": own, "all": everything}}, recorded, same)[1]


class Micro(unittest.TestCase):
    def test_what_is_called_is_counted_in_its_own_object_alone(self):
        self.assertEqual(micro.self_costs(OUTPUT.splitlines(True)), {"/b/bench-micro": 137, "/lib/libc.so.6": 4000})

    def test_a_tenth_more_is_let_pass_and_what_is_above_is_not(self):
        self.assertEqual(complaints(1100, 2200), [])
        self.assertEqual(len(complaints(1101, 2200)), 1)
        self.assertIn("l1 grew", complaints(1101, 2200)[0])
        self.assertEqual(len(complaints(1000, 2201)), 1)
        self.assertEqual(len(complaints(1101, 2201)), 2)

    def test_what_libraries_take_is_compared_with_the_same_libraries_only(self):
        self.assertEqual(complaints(1000, 9000, same=False), [])
        self.assertEqual(len(complaints(1200, 9000, same=False)), 1)

    def test_a_case_without_a_baseline_is_told(self):
        rows, told = micro.compare({"new": {"own": 5, "all": 6}}, {}, True)
        self.assertEqual(len(told), 1)
        self.assertIn("new has no baseline", told[0])
        self.assertEqual([row[3] for row in rows], [None, None])

    def test_libraries_are_told_apart_by_what_is_in_them(self):
        with tempfile.TemporaryDirectory() as directory:
            ldd = os.path.join(directory, "ldd")
            library = os.path.join(directory, "libx.so")
            with open(ldd, "w") as f:
                f.write("#!/bin/sh\necho '  libx.so => %s (0x1)'\n" % library)
            os.chmod(ldd, 0o755)
            path, os.environ["PATH"] = os.environ["PATH"], directory + ":" + os.environ["PATH"]
            try:
                digests = []
                for content in ("one", "one", "two"):
                    with open(library, "w") as f:
                        f.write(content)
                    digests.append(micro.libraries("/b/bench-micro"))
            finally:
                os.environ["PATH"] = path
            self.assertEqual(digests[0], digests[1])
            self.assertNotEqual(digests[0], digests[2])


if __name__ == "__main__":
    unittest.main()
