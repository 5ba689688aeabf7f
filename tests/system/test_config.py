"""A configuration with ten different mistakes: ten messages that name the line and the cure."""

import os
import re
import subprocess

import pytest

import resolver as resolver_module
from conftest import BUILD

# Each line with a mistake ends in a comment with words that its message must have.
TEN = """server:
  listen: [ "udp://127.0.0.1:5353", "udq://127.0.0.1:5353" ]   # udp tcp
  workers: many                                                # workers number
  alow: [ "127.0.0.0/8" ]                                      # allow
cache:
  size: 5 parsecs                                              # size 256M
  commit_interval: 100 fortnights                              # commit_interval ms
stale:
  enabled: perhaps                                             # true false
resolve:
  qname_minimisation: sometimes                                # strict relaxed off
  edns_size: 99999                                             # edns_size
dnssec:
  trust_anchors: /nonexistent/anchors                          # /nonexistent/anchors
  nta: { lifetime: 1h, max_lifetime: 3 }                       # max_lifetime
"""


@pytest.fixture(scope="module")
def ctl():
    return resolver_module.find_programs(BUILD)["holdfastctl"]


def check(ctl, path):
    return subprocess.run([ctl, "config", "check", str(path)], capture_output=True, text=True, timeout=20)


def test_ten_mistakes_give_ten_messages_with_line_and_cure(ctl, tmp_path):
    path = tmp_path / "ten.yaml"
    path.write_text(TEN)
    done = check(ctl, path)
    assert done.returncode == 1, done
    messages = {}
    for line in (done.stderr + done.stdout).splitlines():
        match = re.match(r".*ten\.yaml:(\d+): (.*)", line)
        if match:
            messages.setdefault(int(match.group(1)), []).append(match.group(2))
    wanted = [(n, line.split("#")[1].split()) for n, line in enumerate(TEN.splitlines(), 1) if "#" in line]
    assert len(wanted) == 10
    for number, words in wanted:
        assert number in messages, "no message for line %d in:\n%s%s" % (number, done.stderr, done.stdout)
        text = " ".join(messages[number])
        for word in words:
            assert word in text, "line %d says %r, without %r" % (number, text, word)
        assert ";" in text or "expected" in text, "line %d has no cure: %r" % (number, text)


@pytest.mark.parametrize("text", ["server: [", "\tserver: {}", "server:\n  workers: 1\n  workers: 2\n", "- a\n- b\n"])
def test_broken_yaml_is_an_error_with_its_place(ctl, tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    done = check(ctl, path)
    assert done.returncode == 1 and re.search(r"broken\.yaml:\d+", done.stderr + done.stdout), done


def test_an_empty_file_and_the_defaults_are_right(ctl, tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert check(ctl, path).returncode == 0
    shown = subprocess.run([ctl, "config", "show", str(path)], capture_output=True, text=True, timeout=20)
    assert shown.returncode == 0 and "edns_size: 1232" in shown.stdout
    again = tmp_path / "shown.yaml"
    again.write_text(shown.stdout)
    assert check(ctl, again).returncode == 0


def test_a_missing_file_is_an_error(ctl, tmp_path):
    done = check(ctl, tmp_path / "absent.yaml")
    assert done.returncode == 1 and "absent.yaml" in done.stderr


def test_holdfastd_refuses_a_broken_configuration(lab, programs, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("server:\n  workers: many\n")
    done = subprocess.run([programs["holdfastd"], "--config", str(path), "--runtime-dir", str(tmp_path / "run"),
                           "--state-dir", str(tmp_path / "state")], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "bad.yaml:2" in done.stderr + done.stdout, done


def test_a_bad_reload_leaves_the_running_configuration_alone(make_resolver):
    resolver = make_resolver("reload")
    with open(resolver.config) as f:
        good = f.read()
    with open(resolver.config, "w") as f:
        f.write(good + "nonsense:\n  key: 1\n")
    done = resolver.ctl("config", "check", resolver.config)
    assert done.returncode == 1 and "nonsense" in done.stderr + done.stdout
    assert resolver.ask("com", "SOA").rcode() == 0


def test_holdfastd_refuses_a_runtime_directory_that_others_can_write(make_resolver):
    resolver = make_resolver("shared-runtime", start=False)
    os.makedirs(resolver.runtime)
    os.chmod(resolver.runtime, 0o777)
    with pytest.raises(AssertionError, match="chmod go-w"):
        resolver.start()
    resolver.kill_all()
    os.chmod(resolver.runtime, 0o755)
    resolver.start()


def test_a_runtime_directory_too_long_for_sockets_is_named(programs, tmp_path):
    path = str(tmp_path / ("x" * 120))
    done = subprocess.run([programs["holdfastctl"], "--runtime-dir", path, "status"], capture_output=True, text=True)
    assert done.returncode == 1 and "--runtime-dir" in done.stderr, done
