"""Draws a diagram as SVG: lines over two axes, linear or logarithmic, with ticks, units and a
legend. Text in, text out; no dependencies. Colours follow the reader's light or dark setting."""

import dataclasses
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 58, 92
# Distinct for most colour-blind readers, in both settings; the dashes tell them apart without colour.
COLOURS = [("#0b62c4", "#6cb2ff"), ("#c2410c", "#ff9d5c"), ("#0f7b4f", "#58d39b"), ("#8a2aa5", "#dd9bf2"),
           ("#7a6200", "#e3c34a"), ("#b3164d", "#ff86ab")]
DASHES = ["", "7 4", "2 3", "10 3 2 3"]
MARKS = 40


@dataclasses.dataclass
class Axis:
    """What an axis is of, in which unit, and whether its steps are powers of ten."""

    label: str
    log: bool = False
    # Begin at nought; of no meaning for powers of ten.
    zero: bool = True
    # How a tick is written.
    write: object = None


@dataclasses.dataclass
class Line:
    name: str
    points: list
    # Lines of one colour belong together; the style tells them apart.
    colour: int = 0
    dash: int = 0


def plain(value):
    """1,000 as 1k, and no noughts behind the point."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.4g}"


def steps(low, high):
    """Round numbers, four to eight of them, around all values."""
    span = (high - low) or 1
    size = 10 ** math.floor(math.log10(span / 4))
    size = next(size * many for many in (1, 2, 5, 10) if span / (size * many) <= 6)
    first, last = math.floor(low / size), math.ceil(high / size)
    return [round(number * size, 10) for number in range(first, last + 1)]


class Scale:
    """From values to places on the page."""

    def __init__(self, axis, values, start, end):
        self.axis, self.start, self.end = axis, start, end
        low, high = min(values), max(values)
        if axis.log:
            low, high = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
            high = max(high, low + 1)
            self.ticks = [10.0 ** power for power in range(low, high + 1)]
            # One decade or two would have few lines to read from.
            self.minor = [10.0 ** power * many for power in range(low, high) for many in range(2, 10)]
            self.low, self.high = low, high
        else:
            self.ticks = steps(0 if axis.zero else low, high)
            self.minor = []
            self.low, self.high = self.ticks[0], self.ticks[-1]

    def place(self, value):
        value = math.log10(value) if self.axis.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def text(self, value):
        return (self.axis.write or plain)(value)


def usable(point, x, y):
    """A logarithm has no nought, and a report may lack a figure."""
    return all(value is not None and math.isfinite(value) and (value > 0 or not axis.log) for value, axis in zip(point, (x, y)))


def style():
    light = "".join(f".c{at}{{stroke:{one}}}.f{at}{{fill:{one}}}" for at, (one, _) in enumerate(COLOURS))
    dark = "".join(f".c{at}{{stroke:{other}}}.f{at}{{fill:{other}}}" for at, (_, other) in enumerate(COLOURS))
    return ("<style>text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}.title{font-size:16px;font-weight:600}"
            ".note{fill:#59636e}.page{fill:#ffffff}.grid{stroke:#d1d9e0}.minor{stroke:#eef1f4}.frame{stroke:#818b98;fill:none}"
            f".line{{fill:none;stroke-width:2.2;stroke-linejoin:round}}{light}"
            "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.page{fill:#0d1117}.grid{stroke:#30363d}"
            f".minor{{stroke:#1b2027}}.frame{{stroke:#6e7681}}{dark}}}</style>")


def grid(scale, upright):
    top, bottom, left, right = TOP, HEIGHT - BOTTOM, LEFT, WIDTH - RIGHT
    out = []
    for kind, values in (("minor", scale.minor), ("grid", scale.ticks)):
        for value in values:
            at = round(scale.place(value), 1)
            ends = f'x1="{at}" y1="{top}" x2="{at}" y2="{bottom}"' if upright else f'x1="{left}" y1="{at}" x2="{right}" y2="{at}"'
            out.append(f'<line class="{kind}" {ends}/>')
    for value in scale.ticks:
        at, text = round(scale.place(value), 1), escape(scale.text(value))
        out.append(f'<text x="{at}" y="{bottom + 19}" text-anchor="middle">{text}</text>' if upright else
                   f'<text x="{left - 8}" y="{at + 4.5:.1f}" text-anchor="end">{text}</text>')
    return out


def strokes(line, x, y, points):
    dash = DASHES[line.dash % len(DASHES)]
    colour = line.colour % len(COLOURS)
    path = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in points)
    out = [f'<polyline class="line c{colour}" points="{path}"' + (f' stroke-dasharray="{dash}"' if dash else "") + "/>"]
    # Many points are a curve already.
    if len(points) <= MARKS:
        out += [f'<circle class="f{colour}" cx="{x.place(a):.1f}" cy="{y.place(b):.1f}" r="3.2"/>' for a, b in points]
    return out


def legend(lines):
    """Below the diagram, in two columns."""
    out = []
    for at, line in enumerate(lines):
        left, top = LEFT + (at % 2) * 330, HEIGHT - 36 + (at // 2) * 19
        colour, dash = line.colour % len(COLOURS), DASHES[line.dash % len(DASHES)]
        out.append(f'<line class="line c{colour}" x1="{left}" y1="{top}" x2="{left + 34}" y2="{top}"'
                   + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
        out.append(f'<text x="{left + 42}" y="{top + 4.5}">{escape(line.name)}</text>')
    return out


def draw(title, note, x, y, lines):
    """The SVG of these lines; None when there is nothing to draw."""
    kept = [(line, [point for point in line.points if usable(point, x, y)]) for line in lines]
    kept = [(line, points) for line, points in kept if points]
    if not kept:
        return None
    across = Scale(x, [a for _, points in kept for a, _ in points], LEFT, WIDTH - RIGHT)
    up = Scale(y, [b for _, points in kept for _, b in points], HEIGHT - BOTTOM, TOP)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    rows = (len(kept) + 1) // 2
    height = HEIGHT + max(0, rows - 2) * 19
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
           f"<title>{escape(title)}</title>", style(), f'<rect class="page" width="{WIDTH}" height="{height}"/>',
           f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>', f'<text class="note" x="{LEFT}" y="44">{escape(note)}</text>',
           *grid(across, True), *grid(up, False),
           f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"/>',
           f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - BOTTOM + 38}" text-anchor="middle">{escape(x.label)}</text>',
           f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>']
    for line, points in kept:
        out += strokes(line, across, up, points)
    out += legend([line for line, _ in kept])
    return "\n".join([*out, "</svg>", ""])
