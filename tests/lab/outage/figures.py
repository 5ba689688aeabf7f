"""Figures of a run: per phase and stream, what became of the questions, what they cost upstream, how long they took."""

import bisect
import collections

import classify

STREAMS = ("seen", "healthy", "cold-unsigned", "cold-signed", "gap", "uncovered", "signed-since", "rolled-since",
           "never-seen-signed-since", "changed")


def percentile(values, share):
    if not values:
        return None
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def share(part, whole):
    return part / whole if whole else None


def summary(judged):
    """Counts of some answers as a dict that JSON can hold."""
    n = len(judged)
    classes = collections.Counter(j.cls for j in judged)
    servfail = collections.Counter()
    for j in judged:
        if j.cls == classify.SERVFAIL:
            servfail[",".join(map(str, sorted(set(j.ede)))) or "none"] += 1
    took = [j.record.took for j in judged if j.cls != classify.TIMEOUT]
    by_class = {c: [j.record.took for j in judged if j.cls == c] for c in classes if c != classify.TIMEOUT}
    return {
        "questions": n, "useful": share(sum(j.useful for j in judged), n),
        "classes": {c: classes[c] for c in classify.CLASSES if classes[c]},
        "servfail_by_ede": dict(servfail.most_common()),
        "ad": share(sum(j.ad for j in judged), n),
        "took_ms": {c: (ms(percentile(by_class[c], 0.5)), ms(percentile(by_class[c], 0.99)))
                    for c in classify.CLASSES if c in by_class},
        "p50_ms": ms(percentile(took, 0.5)), "p99_ms": ms(percentile(took, 0.99)),
    }


def ms(seconds):
    return None if seconds is None else round(seconds * 1000, 2)


def upstream(truth, low, high):
    q = truth.questions
    return bisect.bisect_left(q, high) - bisect.bisect_left(q, low)


def phases(run, truth, judged):
    """[{name, from, to, upstream, per_question, all, streams: {stream: summary}}]"""
    rows = []
    for name, low, high in run.timeline.phases():
        here = [j for j in judged if low <= j.at < high]
        packets = upstream(truth, low, high)
        rows.append({"name": name, "from": low, "to": high, "upstream": packets,
                     "per_question": share(packets, len(here)), "all": summary(here),
                     "streams": {s: summary([j for j in here if j.record.stream == s]) for s in STREAMS
                                 if any(j.record.stream == s for j in here)}})
    return rows


def by_second(judged, end):
    """Per second of the run a count of each class: for the picture."""
    rows = [collections.Counter() for _ in range(int(end) + 1)]
    for j in judged:
        if 0 <= j.at <= end:
            rows[int(j.at)][j.cls] += 1
    return rows
