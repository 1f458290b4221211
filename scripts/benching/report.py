"""The report: docs/benchmarks.json holds all that was found, docs/benchmarks.md shows it, and
docs/plots has the diagrams."""

import json

from benching import plots
from benching.claims import BROKEN, UNKNOWN
from benching.tables import render

SCHEMA = 1
PLOTS = {"load": ["throughput.svg", "latency.svg"], "cost": ["cost.svg"], "memory": ["memory.svg", "soak.svg"]}
ALT = {"throughput.svg": "calls a second by calls in flight", "latency.svg": "P95 by calls in flight", "cost.svg": "cost of a call by the size of the file",
       "memory.svg": "memory against time", "soak.svg": "memory against time, a long load"}


def machine(about):
    programs = ", ".join(f"{name} {version.removeprefix(name + ' ')}" for name, version in about["versions"].items())
    rows = [["date", about["date"]], ["processor", f"{about['processor']}, {about['cores']} cores"], ["memory", f"{about['memory_gib']} GiB"],
            ["system", f"{about['system'] or 'unknown'}, Linux {about['kernel']}"],
            ["reversecore", f"{about['reversecore']}" + (f", commit {about['commit']}" if about["commit"] else "")],
            ["compared with", programs]]
    return render({"columns": ["", ""], "rows": rows})


def noise(found):
    noisy = [area["name"] for area in found["areas"] if area.get("noise")]
    probe = found["noise"]["before"]
    quiet = (f"Before the first benchmark, others used {probe['others']:.1%} of the processors, the host took {probe['steal']:.1%}, and a fixed "
             f"loop took {probe['loop_ms']} ms with a spread of {probe['loop_spread']:.0%}.")
    if not noisy:
        return quiet + " No part was noisy."
    links = ", ".join(f"[{name}](#{name})" for name in noisy)
    return quiet + f" **Noisy, so not to be quoted: {links}.**"


def claims_table(checked):
    rows = [[claim["says"], f"[{claim['measured']}](#{claim['area']})", claim["bound"], claim["holds"]] for claim in checked]
    return render({"columns": ["what the README says", "measured", "promised", "holds"], "rows": rows})


def missed(areas):
    """Rows that ask for more than was measured: targets, of which the README says nothing."""
    rows = []
    for area in areas:
        for table in area["tables"]:
            for row in table["rows"]:
                named = dict(zip(table["columns"], row))
                if named.get("met") == "**no**":
                    value = next((named[name] for name in ("measured", "result", "ratio") if named.get(name, "-") != "-"), named.get("ours", "-"))
                    rows.append([row[0], f"[{value}](#{area['name']})", named.get("asked", named.get("target", "-"))])
    return rows


def section(area, drawn):
    out = [f'<a id="{area["name"]}"></a>', "", f"## {area['title']}", ""]
    if area.get("left_out"):
        return [*out, f"Left out: {area['left_out']}.", ""]
    out += [f"`{area['command']}`, {area['seconds']:,.0f} s.", ""]
    if area.get("noise"):
        out += [f"**Noisy**: {'; '.join(area['noise'])}.", ""]
    if area.get("wrong"):
        out += [f"**Went wrong**: {'; '.join(area['wrong'])}.", ""]
    for table in area["tables"]:
        out += [render(table), ""]
    for name in PLOTS.get(area["name"], []):
        if name in drawn:
            out += [f"![{ALT[name]}](plots/{name})", ""]
    return out


def markdown(found, drawn):
    how = "a quick one, with fewer rounds and smaller sizes" if found["quick"] else "a thorough one"
    out = ["# Benchmarks", "",
           f"Written by `scripts/bench{' --quick' if found['quick'] else ''}`; the run was {how}. The same facts for programs: "
           "[benchmarks.json](benchmarks.json). A command in each part prints its tables on your machine.", "",
           "Where a part was run several times, a row is that of the round in the middle, and `spread` says what the other rounds had. "
           "Ratios are taken within a round, in which the contenders take turns.", "", machine(found["machine"]), "", noise(found), "",
           '<a id="claims"></a>', "", "## What the README says", "", claims_table(found["claims"]), ""]
    rows = missed(found["areas"])
    if rows:
        out += ['<a id="missed"></a>', "", "## Targets that are missed", "", render({"columns": ["what", "measured", "asked"], "rows": rows}), ""]
    for area in found["areas"]:
        out += section(area, drawn)
    return "\n".join(out).rstrip() + "\n"


def write(found, place):
    drawn = plots.every(found)
    (place / "plots").mkdir(parents=True, exist_ok=True)
    for name in ALT:
        (place / "plots" / name).unlink(missing_ok=True)
    for name, svg in drawn.items():
        (place / "plots" / name).write_text(svg)
    (place / "benchmarks.json").write_text(json.dumps({"schema": SCHEMA, **found}, indent=1, ensure_ascii=False) + "\n")
    (place / "benchmarks.md").write_text(markdown(found, drawn))


def read(place):
    found = json.loads((place / "benchmarks.json").read_text())
    if found.pop("schema") != SCHEMA:
        raise SystemExit("bench: docs/benchmarks.json is of another version of scripts/bench")
    return found


def verdict(found):
    """Lines for the terminal: what does not hold, what was not measured, what went wrong."""
    lines = [f"does not hold: {claim['says']}: {claim['measured']} ({claim['bound']})" for claim in found["claims"] if claim["holds"] == BROKEN]
    lines += [f"{area['name']}: {each}" for area in found["areas"] for each in area.get("wrong", [])]
    lines += [f"noisy: {area['name']}: {'; '.join(area['noise'])}" for area in found["areas"] if area.get("noise")]
    unknown = sorted({claim["area"] for claim in found["claims"] if claim["holds"] == UNKNOWN})
    return lines + ([f"not measured: claims of {', '.join(unknown)}"] if unknown else [])
