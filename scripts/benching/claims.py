"""What the README says, held against what was measured; and the README's own tables."""

import re
import tomllib

from benching.tables import number
from measuring import ROOT

FILE = ROOT / "scripts/claims.toml"
README = ROOT / "README.md"
BEGIN, END = "<!-- written by scripts/bench: begin -->\n", "<!-- written by scripts/bench: end -->\n"
KEYS = {"part", "says", "area", "row", "column", "at_least", "at_most", "unit", "after"}
HOLDS, BROKEN, UNKNOWN = "yes", "**no**", "not measured"


class Mistake(Exception):
    """A claim that nobody can check."""


def read():
    claims = tomllib.loads(FILE.read_text())["claim"]
    for claim in claims:
        bounds = {"at_least", "at_most"} & set(claim)
        if set(claim) - KEYS or not {"part", "says", "area", "row"} <= set(claim):
            raise Mistake(f"a claim has keys that it should not have, or lacks some: {claim}")
        if ("column" in claim) != bool(bounds):
            raise Mistake(f"a claim with a column has a bound, and only such a one: {claim}")
    return claims


def fits(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def find(claim, area):
    """The cell that the claim is about, or why there is none."""
    for table in area["tables"]:
        columns = table["columns"]
        for row in table["rows"]:
            # Names may take several columns: that is how the patterns write them.
            if not any(fits(claim["row"], " / ".join(row[:keys])) for keys in (1, 2)):
                continue
            wanted = claim.get("column", "met")
            if wanted in columns:
                return dict(zip(columns, row))
    raise Mistake(f"no row `{claim['row']}` with a column `{claim.get('column', 'met')}`")


def judge(claim, area):
    """The cell, and whether the claim holds."""
    row = find(claim, area)
    if "column" not in claim:
        shown = row.get("measured", "")
        return shown, row["met"] == "yes"
    cell = row[claim["column"]]
    value = number(cell.split(claim.get("after", ""), 1)[-1] if claim.get("after") else cell)
    if value is None:
        raise Mistake(f"`{cell}` of `{claim['row']}` is no figure")
    return cell, value <= claim.get("at_most", value) and value >= claim.get("at_least", value)


def bound(claim):
    unit = f" {claim['unit']}" if "unit" in claim else ""
    if "at_most" in claim:
        return "none" if claim["at_most"] == 0 else f"at most {claim['at_most']:,}{unit}"
    return f"at least {claim['at_least']:,}{unit}" if "at_least" in claim else "always"


def shown_with_unit(claim, cell):
    """A bare figure has the claim's unit beside it."""
    bare = re.fullmatch(r"[-+\d.,]+", cell)
    return f"{cell} {claim['unit']}" if bare and "unit" in claim else cell


def check(claims, areas):
    """Each claim with the figure, and `holds`."""
    known = {area["name"]: area for area in areas}
    checked = []
    for claim in claims:
        area = known.get(claim["area"])
        verdict = {**claim, "bound": bound(claim), "measured": "-", "holds": UNKNOWN}
        if area and not area.get("left_out"):
            try:
                cell, held = judge(claim, area)
                verdict |= {"measured": shown_with_unit(claim, cell), "holds": HOLDS if held else BROKEN}
            except Mistake as mistake:
                verdict |= {"measured": str(mistake), "holds": BROKEN}
        checked.append(verdict)
    return checked


def readme_block(checked):
    """The README's tables: each figure leads to the table that it is from."""
    lines, part = [], None
    for claim in checked:
        if claim["holds"] == UNKNOWN:
            continue
        if claim["part"] != part:
            part = claim["part"]
            lines += ["", f"{part}:", "", "| what | measured | promised |", "|---|---|---|"]
        lines.append(f"| {claim['says']} | [{claim['measured']}](docs/benchmarks.md#{claim['area']}) | {claim['bound']} |")
    return "\n".join([*lines, ""])


def split_readme():
    before, rest = README.read_text().split(BEGIN, 1)
    block, after = rest.split(END, 1)
    return before, block, after


def write_readme(found):
    before, _, after = split_readme()
    README.write_text(before + BEGIN + readme_block(found["claims"]) + "\n" + END + after)


def stale(found):
    """Why the README, the claims and the last report disagree; empty when they don't."""
    _, block, _ = split_readme()
    wrong = []
    if block.strip() != readme_block(found["claims"]).strip():
        wrong.append("the README's figures are not those of docs/benchmarks.json (run scripts/bench --redraw --readme)")
    ours = [{key: value for key, value in claim.items() if key in KEYS} for claim in found["claims"]]
    if ours != read():
        wrong.append("docs/benchmarks.json was checked against other claims (run scripts/bench --redraw)")
    wrong += [f"it does not hold: {claim['says']}: {claim['measured']}, {claim['bound']}"
              for claim in found["claims"] if claim["holds"] == BROKEN]
    return wrong
