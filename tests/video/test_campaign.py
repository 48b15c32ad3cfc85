"""Videos damaged in every way: nothing crashes, hangs, fills the memory or passes as right.

`faults` says what is asked of each. It makes one case again, and prints tables of many:

    python tests/faults.py --kind vp9 --fault bits --seed 7
"""

import pytest

import faults
from damage import CAMPAIGN
from zoopraxis.data.examine import examine_videos

KINDS = [kind for kind in faults.KINDS if kind not in faults.unavailable()]


def campaign(tried, record_property, name):
    """Judge cases, ask the doctor of the same files, and hold both to one another."""
    verdicts = faults.judge_all(tried)
    examined = examine_videos([case.file for case in tried], level="all", workers=1)
    counts = dict.fromkeys(faults.RESULTS, 0)
    for verdict in verdicts:
        counts[verdict.result] = counts.get(verdict.result, 0) + 1
    slowest, most = max(v.seconds for v in verdicts), max(v.growth for v in verdicts)
    shown = ", ".join(f"{count} {result}" for result, count in counts.items())
    record_property(
        CAMPAIGN,
        f"{name}: {len(tried)} cases: {shown}; slowest {slowest:.1f} s, memory {most >> 20} MiB; "
        f"not encoded here: {', '.join(faults.unavailable()) or 'none'}",
    )
    problems = faults.report(tried, verdicts)
    assert not problems, f"\n{problems}\nto make one again: python tests/faults.py --kind ..."
    assert counts["logged"] <= faults.LOGGED * len(tried)
    for case, verdict, one in zip(tried, verdicts, examined, strict=True):
        is_bad = verdict.result in ("refused", "partly")
        assert bool(one.problem) == is_bad, f"{case}: {verdict.result}; the doctor: {one.problem}"
        assert not one.problem or case.file in one.problem
        assert "its examination" not in one.problem  # crashed, or did not end
    return verdicts


def test_faults(tmp_path, record_property):
    tried = faults.cases(tmp_path, kinds=KINDS, faults=list(faults.FAULTS), seeds=[0])
    verdicts = campaign(tried, record_property, "faults")
    # The campaign sees damage: some of every result that honest files and honest refusals have.
    assert {"right", "shorter", "partly", "refused"} <= {verdict.result for verdict in verdicts}


def test_bombs(tmp_path, record_property):
    tried = faults.bombs(tmp_path, faults.BOMBS)
    verdicts = dict(
        zip((case.fault for case in tried), campaign(tried, record_property, "bombs"), strict=True)
    )
    assert verdicts["gif of 65535x65535"].result == "refused"
    assert verdicts["jpeg of 16384x16384"].result == "refused"
    assert verdicts["png of 16384x16384"].result == "refused"
    assert verdicts["100,000 frames"].result == "right"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_faults(kind, tmp_path, record_property):
    tried = faults.cases(tmp_path, kinds=[kind], faults=list(faults.FAULTS), seeds=range(1, 51))
    campaign(tried, record_property, f"many faults of {kind}")


@pytest.mark.slow
def test_large_bombs(tmp_path, record_property):
    campaign(faults.bombs(tmp_path, faults.LARGE_BOMBS), record_property, "large bombs")
