"""Bars of the medians, a whisker from the least to the greatest round. Plain SVG, no library."""

from xml.sax.saxutils import escape

WIDTH, LEFT, ROW, HEAD = 760, 170, 24, 44
UNITS = {"cpu_ns": ("us CPU an answer", 1e-3), "p50": ("us, median", 1.0), "p99": ("us, p99", 1.0)}


def group(rounds, y):
    unit, scale = UNITS[rounds.what]
    rows = rounds.summary()
    top = max(r["high"] for r in rows) or 1
    x_of = lambda value: LEFT + (WIDTH - LEFT - 130) * value / top          # noqa: E731
    out = ['<text x="8" y="%d" class="t">%s</text>' % (y + 18, escape(rounds.title)),
           '<text x="8" y="%d">%s, median of %d rounds</text>' % (y + 34, unit, len(rounds.rounds))]
    for n, r in enumerate(rows):
        at = y + HEAD + n * ROW
        colour = "#2f7d4f" if r["server"] == "holdfast" else "#999999" if r["server"].startswith("echo") else "#7a8fb5"
        value = r[rounds.what]
        out += ['<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 6, at + 14, escape(r["title"])),
                '<rect x="%d" y="%d" width="%.1f" height="16" fill="%s"/>' % (LEFT, at + 2, x_of(value) - LEFT, colour),
                '<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#222"/>' % (x_of(r["low"]), x_of(r["high"]), at + 10,
                                                                              at + 10),
                '<text x="%.1f" y="%d">%.2f%s</text>' % (
                    x_of(r["high"]) + 6, at + 14, value * scale,
                    "  (%.2f x echo)" % r["to_echo"] if r["to_echo"] else "")]
    return out, HEAD + len(rows) * ROW + 16


def bars(groups):
    body, y = [], 0
    for rounds in groups:
        lines, height = group(rounds, y)
        body += lines
        y += height
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
            '<style>.t{font-weight:bold;font-size:13px}</style><rect width="100%%" height="100%%" fill="white"/>%s</svg>\n'
            % (WIDTH, y, "\n".join(body)))
