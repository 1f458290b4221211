"""Reads what a benchmark prints: Markdown tables. And makes one table of those of several
rounds: of each row the round whose value is the median, and the spread beside it."""

import re
from collections import Counter

NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
SPREAD = "spread"


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def is_rule(line):
    return bool(re.fullmatch(r"\|?(\s*:?-{3,}:?\s*\|)+\s*(:?-{3,}:?)?\s*", line.strip()))


def parse(text):
    """All tables of a text: columns, and rows of as many cells."""
    found, lines = [], text.splitlines()
    for at, line in enumerate(lines):
        if not is_rule(line) or at == 0 or not lines[at - 1].lstrip().startswith("|"):
            continue
        columns, rows = cells(lines[at - 1]), []
        for row in lines[at + 1:]:
            if not row.lstrip().startswith("|") or len(cells(row)) != len(columns):
                break
            rows.append(cells(row))
        found.append({"columns": columns, "rows": rows})
    return found


def number(cell):
    """The first number of a cell, as it stands there; None when there is none."""
    found = NUMBER.search(cell.replace("−", "-"))
    return float(found.group().replace(",", "")) if found else None


def value_at(table, row, keys, wanted):
    """Where a row's value stands: in the wanted column, or the first behind the names."""
    places = [table["columns"].index(wanted)] if wanted in table["columns"] else []
    places += range(keys, len(row))
    return next((place for place in places if number(row[place]) is not None), None)


def shape(tables):
    """What must be alike in two rounds for their rows to be the same ones: figures in names may differ."""
    return tuple((tuple(table["columns"]), tuple(re.sub(r"[\d.,]+", "#", row[0]) for row in table["rows"]))
                 for table in tables)


def short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def middle(table, rounds, keys, wanted):
    """The row of the round in the middle, and the least and most of all rounds."""
    place = value_at(table, rounds[0], keys, wanted)
    valued = [row for row in rounds if place is not None and number(row[place]) is not None]
    if not valued:
        return rounds[0] + ["-"]
    ordered = sorted(valued, key=lambda row: number(row[place]))
    low, high = number(ordered[0][place]), number(ordered[-1][place])
    return ordered[(len(ordered) - 1) // 2] + [f"{short(low)} to {short(high)}" if low != high else short(low)]


def merge(rounds, keys=1, wanted=None):
    """One list of tables of those of several rounds."""
    if not rounds:
        return []
    likely = Counter(map(shape, rounds)).most_common(1)[0][0]
    alike = [tables for tables in rounds if shape(tables) == likely]
    if len(alike) == 1:
        return alike[0]
    merged = []
    for at, table in enumerate(alike[0]):
        rows = [middle(table, [tables[at]["rows"][line] for tables in alike], keys, wanted)
                for line in range(len(table["rows"]))]
        merged.append({"columns": [*table["columns"], f"{SPREAD}, {len(alike)} rounds"], "rows": rows})
    return merged


def render(table):
    lines = ["| " + " | ".join(table["columns"]) + " |", "|" + "---|" * len(table["columns"])]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in table["rows"]])
