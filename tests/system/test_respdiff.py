"""What holdfast, Unbound and Knot Resolver say to the same questions: no difference without a reason."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "respdiff"))

import compare       # noqa: E402
import respdiff      # noqa: E402

LIMIT = 1500 if os.environ.get("HOLDFAST_SANITIZED") else 0


def test_every_difference_to_the_other_resolvers_has_a_reason(lab, programs, manifest, workspace):
    field = respdiff.Field(lab, programs, os.path.join(workspace, "respdiff"))
    try:
        result = respdiff.run(field, manifest, LIMIT)
    finally:
        field.stop()
    print(respdiff.table(result))
    assert result["unexplained"] == 0, respdiff.unexplained(result)
    if result["skipped"]:
        pytest.skip("; ".join(result["skipped"]))


def test_an_explanation_covers_only_what_it_names(tmp_path):
    path = tmp_path / "explained.txt"
    path.write_text("reason: because\nmatch: unbound rcode|ad A|TXT *.example. NOERROR|no NXDOMAIN|yes\n")
    explained = compare.Explained(str(path))

    def reason(peer="unbound", rdtype="A", name="www.example", ours="NOERROR", theirs="NXDOMAIN", cd=False):
        mine, other = {"answered": "yes", "rcode": ours}, {"answered": "yes", "rcode": theirs}
        found = compare.differences((name + ".", rdtype, not cd), mine, other, peer)
        assert len(found) == 1
        return explained.reason(found[0])

    assert reason() == "because"
    assert reason(rdtype="TXT", name="WWW.Example") == "because"
    assert reason(peer="knot") is None
    assert reason(rdtype="MX") is None
    assert reason(name="www.example.org") is None
    assert reason(theirs="SERVFAIL") is None
    assert reason(cd=True) is None


def test_a_list_that_is_malformed_is_refused(tmp_path):
    path = tmp_path / "explained.txt"
    for text in ("match: unbound rcode A * NOERROR NXDOMAIN\n", "reason: a\nmatch: unbound rcode A *\n", "reason: a\n"):
        path.write_text(text)
        with pytest.raises(ValueError):
            compare.Explained(str(path))
