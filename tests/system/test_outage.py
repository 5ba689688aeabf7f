"""The short form of the outage lab (tests/lab/outage): some scenarios, and every rule of theirs."""

import json
import os
import subprocess

import pytest

from conftest import REPO, unavailable

LAB = os.path.join(REPO, "tests", "lab", "outage", "outage.py")
# One after the other, since each has limits in milliseconds; the others are for `./dev lab outage all --short`.
SCENARIOS = ("main", "zonekeys", "forged", "restart")


@pytest.fixture(scope="module")
def results(workspace, programs):
    if os.environ.get("HOLDFAST_SANITIZED"):
        pytest.skip("the sanitizers make a second of the outage too short for what happens in it")
    if unavailable():
        pytest.skip(unavailable())
    return {name: play(workspace, name) for name in SCENARIOS}


def play(workspace, *arguments):
    path = os.path.join(workspace, "outage.json")
    done = subprocess.run(["/usr/bin/python3", LAB, *arguments, "--short", "--json", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert os.path.exists(path), done.stdout[-4000:]
    with open(path) as f:
        results = json.load(f)
    os.unlink(path)
    return results[0]


def missed(result):
    return ["%s: %s (limit %s) %s" % (r["rule"], r["value"], r["limit"], r["detail"]) for r in result["rules"] if not r["ok"]]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_rule_of_the_outage_holds(results, workspace, scenario):
    result = results[scenario]
    print("%s: %d rules" % (scenario, len(result["rules"])))
    assert result["rules"]
    first = missed(result)
    if first:
        # A second of the short form is seven minutes: what a stalled machine costs is not what the resolver does.
        print("\n".join(["missed once:"] + first))
        again = missed(play(workspace, scenario))
        assert not again, "\n".join(again)
