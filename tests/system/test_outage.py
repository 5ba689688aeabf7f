"""The short form of the outage lab (tests/lab/outage): several scenarios at a time, each in namespaces of its own, and
every rule of theirs."""

import json
import os
import subprocess

import pytest

from conftest import REPO, unavailable

LAB = os.path.join(REPO, "tests", "lab", "outage", "outage.py")
SCENARIOS = ("main", "oldcache", "mixed", "zonekeys", "expired", "unreachable-refused", "restart", "moved", "forged",
             "downgrade", "revoked", "one-child")
# main has limits in milliseconds and runs alone; of the others each needs a third of a core at that rate.
RATE, JOBS = "120", "4"


@pytest.fixture(scope="module")
def results(workspace, programs):
    if os.environ.get("HOLDFAST_SANITIZED"):
        pytest.skip("the sanitizers make a second of the outage too short for what happens in it")
    if unavailable():
        pytest.skip(unavailable())
    return {r["scenario"]: r for r in play(workspace, "main") + play(
        workspace, *SCENARIOS[1:], "--rate", RATE, "--jobs", JOBS)}


def play(workspace, *arguments):
    path = os.path.join(workspace, "outage.json")
    done = subprocess.run(["/usr/bin/python3", LAB, *arguments, "--short", "--json", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert os.path.exists(path), done.stdout[-4000:]
    with open(path) as f:
        results = json.load(f)
    os.unlink(path)
    return results


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_rule_of_the_outage_holds(results, scenario):
    rules = results[scenario]["rules"]
    missed = ["%s: %s (limit %s) %s" % (r["rule"], r["value"], r["limit"], r["detail"]) for r in rules if not r["ok"]]
    print("%s: %d rules" % (scenario, len(rules)))
    assert rules and not missed, "\n".join(missed)
