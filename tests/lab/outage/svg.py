"""The picture of one or several runs: per second what became of the questions, the phases and steps above it, the
figures of the outage beside it. Plain SVG, no library."""

from xml.sax.saxutils import escape

COLOURS = {"fresh": "#2f7d4f", "continued": "#6cb58a", "stale": "#e0b84c", "SERVFAIL": "#c0392b", "timeout": "#7d3c98",
           "wrong": "#111111"}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, GAP = 900, 170, 50, 46, 250, 28


def panel(result, y):
    rows = result["by_second"]
    end = max(1, len(rows))
    top = max([sum(r.values()) for r in rows] + [1])
    x_of, y_of = (lambda t: LEFT + WIDTH * t / end), (lambda n: y + TOP + HEIGHT * (1 - n / top))
    out = ['<text x="%d" y="%d" class="t">%s with %s: %s</text>' % (
        LEFT, y + 14, escape(result["scenario"]), escape(result["resolver"]), escape(result["says"][:110]))]
    for name, low, high in result["timeline"]:
        if name in ("outage", "nta"):
            out.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
                x_of(low), y + TOP - 6, x_of(high) - x_of(low), HEIGHT + 6, "#f6e3e0" if name == "outage" else "#e3ecf8"))
        out.append('<text x="%.1f" y="%d">%s</text>' % (x_of(low) + 2, y + TOP - 10, escape(name)))
    base = [0] * len(rows)
    for cls, colour in COLOURS.items():
        if not any(r.get(cls) for r in rows):
            continue
        upper = [b + r.get(cls, 0) for b, r in zip(base, rows)]
        points = ["%.1f,%.1f" % (x_of(t + 0.5), y_of(v)) for t, v in enumerate(upper)]
        points += ["%.1f,%.1f" % (x_of(t + 0.5), y_of(v)) for t, v in reversed(list(enumerate(base)))]
        out.append('<polygon points="%s" fill="%s"/>' % (" ".join(points), colour))
        base = upper
    for at, label in result["events"]:
        if not label.startswith("version"):
            out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#555" stroke-dasharray="2,3"><title>%s</title>'
                       "</line>" % (x_of(at), x_of(at), y + TOP - 6, y + TOP + HEIGHT, escape(label)))
    for n in (0, top // 2, top):
        out.append('<text x="%d" y="%.1f" text-anchor="end">%d/s</text>' % (LEFT - 4, y_of(n) + 4, n))
    for t in range(0, end + 1, 10 if end < 120 else 30):
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%d s</text>' % (x_of(t), y + TOP + HEIGHT + 13, t))
    return out + side(result, y)


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
