"""One lab for the whole session, in namespaces; tests run in the resolver's namespace. HOLDFAST_BUILD names the build
directory (default: build beside tests), HOLDFAST_FULL=1 takes the long counts of the tests that have two."""

import itertools
import os
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(REPO, "tests", "lab"), HERE]

import lab as lab_module      # noqa: E402
import resolver as resolver_module      # noqa: E402
import sniff      # noqa: E402
import world      # noqa: E402

BUILD = os.path.abspath(os.environ.get("HOLDFAST_BUILD", os.path.join(REPO, "build")))
FULL = os.environ.get("HOLDFAST_FULL") == "1"
SANITIZED = os.environ.get("HOLDFAST_SANITIZED") == "1"
_why = {"reason": None}


def unavailable():
    if _why["reason"] is None:
        _why["reason"] = world.can_make_namespaces()
    return _why["reason"]


def pytest_collection_modifyitems(items):
    if unavailable():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=unavailable()))


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    for report in skipped:
        terminalreporter.write_line("skipped: %s: %s" % (report.nodeid, report.longrepr[2]))
    if unavailable():
        terminalreporter.write_line("SYSTEM TESTS SKIPPED: " + unavailable())


@pytest.fixture(scope="session")
def workspace():
    with tempfile.TemporaryDirectory(prefix="holdfast-system-") as path:
        yield path


@pytest.fixture(scope="session")
def programs():
    found = resolver_module.find_programs(BUILD)
    missing = [p for p in resolver_module.PROGRAMS if p not in found]
    if missing:
        pytest.fail("not built in %s: %s" % (BUILD, ", ".join(missing)))
    return found


@pytest.fixture(scope="session")
def lab(workspace):
    """The lab, running; from here on this process lives in the resolver's namespace."""
    world.become_root()
    lab = lab_module.Lab(os.path.join(workspace, "lab"))
    lab.world.start()
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    world.setns(lab.world.resolver_net())
    yield lab
    world.libc.setns(home, world.CLONE_NEWNET)
    os.close(home)
    lab.world.stop()


@pytest.fixture(scope="session")
def manifest(lab):
    return [q for q in lab.manifest["questions"] if q["needs"] != "ipv6" or lab.manifest["ipv6"]]


@pytest.fixture
def sniffer(lab):
    s = sniff.Sniffer()
    yield s
    s.close()


_ports = itertools.count(5310)


class Maker:
    """Makes resolvers in directories of their own and stops what is left of them."""

    def __init__(self, lab, programs, workspace):
        self.lab, self.programs, self.workspace, self.made = lab, programs, workspace, []

    def __call__(self, name="", port=None, extra=None, env=None, start=True, listen=None):
        directory = tempfile.mkdtemp(prefix="r-%s-" % name, dir=self.workspace)
        port = port or next(_ports)
        addresses = listen or ("127.0.0.1:%d" % port, "[::1]:%d" % port)
        made = resolver_module.Resolver(
            self.programs, directory, lambda path: self.lab.write_config(path, addresses, extra), port, env)
        self.made.append(made)
        return made.start() if start else made

    def finish(self):
        """What a sanitizer said, on the way or of leaks at the end, is a failure of the test whose resolver it was."""
        said = []
        for made in self.made:
            try:
                if SANITIZED:
                    made.stop(60)
            finally:
                made.kill_all()
            said += made.sanitizer_reports()
        assert not said, "\n".join(said)


@pytest.fixture
def make_resolver(lab, programs, workspace):
    maker = Maker(lab, programs, workspace)
    yield maker
    maker.finish()


@pytest.fixture(scope="module")
def resolver(lab, programs, workspace, request):
    """One resolver for the tests of a module, with an empty cache at its start."""
    maker = Maker(lab, programs, workspace)
    try:
        yield maker(request.module.__name__)
    finally:
        maker.finish()
