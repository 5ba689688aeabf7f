"""The picture of one or several runs: per second what became of the questions, the phases and steps above it, the
figures of the outage beside it. Plain SVG, no library."""

import math
from xml.sax.saxutils import escape

COLOURS = {"fresh": "#2f7d4f", "continued": "#6cb58a", "stale": "#e0b84c", "SERVFAIL": "#c0392b", "timeout": "#7d3c98",
           "wrong": "#111111"}
SHADES = {"outage": "#f4ecea", "nta": "#e3ecf8"}
PHASES = {"nta": "NTA"}
BEFORE_S, TICK_S = 2100, 1800          # of the day that is played
SAYS_MAX = 120
WIDTH, HEIGHT, LEFT, TOP, RIGHT, GAP = 900, 170, 50, 46, 250, 28


def shortened(says):
    return says if len(says) <= SAYS_MAX else says[:SAYS_MAX].rsplit(" ", 1)[0] + " …"


def begin_of(result):
    """The second at which the picture begins: before it names are only made known."""
    broken = next(low for name, low, _ in result["timeline"] if name == "outage")
    healthy = next(low for name, low, _ in result["timeline"] if name == "healthy")
    return int(max(0, min(healthy, broken - BEFORE_S / result["factor"])))


def panel(result, y):
    first, end = begin_of(result), max(1, len(result["by_second"]))
    rows = list(enumerate(result["by_second"]))[first:]
    # The last second is not a whole one.
    rows = rows[:-1] or rows
    top = max([sum(r.values()) for _, r in rows] + [1])
    def x_of(t):
        return LEFT + WIDTH * (t - first) / (end - first)
    def y_of(n):
        return y + TOP + HEIGHT * (1 - n / top)
    out = ['<text x="%d" y="%d" class="t">%s with %s: %s</text>' % (
        LEFT, y + 14, escape(result["scenario"]), escape(result["resolver"]), escape(shortened(result["says"])))]
    free = 0
    for name, low, high in result["timeline"]:
        low = max(low, first)
        if high <= first:
            continue
        if name in SHADES:
            out.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
                x_of(low), y + TOP - 6, x_of(high) - x_of(low), HEIGHT + 6, SHADES[name]))
        at = max(x_of(low) + 2, free)
        out.append('<text x="%.1f" y="%d">%s</text>' % (at, y + TOP - 10, escape(PHASES.get(name, name))))
        free = at + 7 * len(PHASES.get(name, name)) + 6
    out += areas(rows, x_of, y_of)
    for at, label in result["events"]:
        if not label.startswith("version"):
            out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#555" stroke-dasharray="2,3"><title>%s</title>'
                       "</line>" % (x_of(at), x_of(at), y + TOP - 6, y + TOP + HEIGHT, escape(label)))
    for n in (0, top // 2, top):
        out.append('<text x="%d" y="%.1f" text-anchor="end">%d/s</text>' % (LEFT - 4, y_of(n) + 4, n))
    return out + hours(result, x_of, first, end, y + TOP + HEIGHT + 13) + side(result, y)


def areas(rows, x_of, y_of):
    out, base = [], [0] * len(rows)
    for cls, colour in COLOURS.items():
        if not any(r.get(cls) for _, r in rows):
            continue
        upper = [b + r.get(cls, 0) for b, (_, r) in zip(base, rows)]
        points = ["%.1f,%.1f" % (x_of(t + 0.5), y_of(v)) for (t, _), v in zip(rows, upper)]
        points += ["%.1f,%.1f" % (x_of(t + 0.5), y_of(v)) for (t, _), v in reversed(list(zip(rows, base)))]
        out.append('<polygon points="%s" fill="%s"/>' % (" ".join(points), colour))
        base = upper
    return out


def hours(result, x_of, first, end, y):
    """The axis: time since the break on the day that is played, a mark every half hour."""
    out = []
    broken = next(low for name, low, _ in result["timeline"] if name == "outage")
    step = TICK_S / result["factor"]
    n = math.ceil((first - broken) / step)
    while broken + n * step <= end:
        minutes = round(n * TICK_S / 60)
        label = "%s%d:%02d h" % ("-" if minutes < 0 else "", abs(minutes) // 60, abs(minutes) % 60)
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x_of(broken + n * step), y, label))
        n += 1
    return out


def side(result, y):
    """Figures of the outage to the right of the picture."""
    p = next(p for p in result["phases"] if p["name"] == "outage")
    seen = p["streams"].get("seen", p["all"])
    n = seen["questions"] or 1
    lines = ["names seen before, in the outage:"]
    lines.append("useful %.2f %%" % (100 * (seen["useful"] or 0)))
    for cls in COLOURS:
        if seen["classes"].get(cls):
            lines.append("%s %.2f %%" % (cls, 100 * seen["classes"][cls] / n))
    if result.get("attacked") and p["all"]["classes"].get("wrong"):
        # Of names that nothing vouches for; what may not be believed has a rule.
        lines.append("wrong: what no validator can tell")
    lines.append("packets per question %.3f" % (p["per_question"] or 0))
    lines.append("p50 %s ms, p99 %s ms" % (p["all"]["p50_ms"], p["all"]["p99_ms"]))
    missed = sum(not r["ok"] for r in result["rules"])
    lines.append("rules: %d ok, %d missed" % (len(result["rules"]) - missed, missed))
    return ['<text x="%d" y="%d">%s</text>' % (LEFT + WIDTH + 14, y + TOP + 8 + 16 * i, escape(line))
            for i, line in enumerate(lines)]


def picture(results):
    out, y = [], 30
    x = LEFT
    for cls, colour in COLOURS.items():
        out.append('<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="18">%s</text>' % (
            x, colour, x + 16, cls))
        x += 110
    for result in results:
        out += panel(result, y)
        y += TOP + HEIGHT + GAP
    size = (LEFT + WIDTH + RIGHT, y)
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">\n'
            "<style>text{font:11px sans-serif;fill:#222}.t{font:bold 13px sans-serif}</style>\n"
            '<rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n' % (size + size + ("\n".join(out),)))


def write(results, path):
    with open(path, "w") as f:
        f.write(picture(results))
