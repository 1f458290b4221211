"""Tests of what scripts/bench does with figures: python3 -m unittest discover -s scripts/benching -t scripts"""

import os
import pathlib
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benching import areas, claims, commands, noise, plots, report, tables  # noqa: E402
from plot import Axis, Line, draw  # noqa: E402

PRINTED = """bench: something
| what | measured | asked | met |
|---|---|---|---|
| speed, {} calls offered | {} calls/s, 0.4 ms | >= 1,000 | {} |
| errors | 0 | 0 | yes |

| no | table
"""


def printed(offered, speed, met="yes"):
    return tables.parse(PRINTED.format(offered, speed, met))


def area(found, **more):
    return {"name": "jobs", "title": "Under load", "command": "x", "seconds": 1.0, "tables": found, "wrong": [], "noise": [], **more}


CLAIM = {"part": "p", "says": "s", "area": "jobs", "row": "speed, *", "column": "measured", "at_least": 1000, "unit": "calls/s"}


class Tables(unittest.TestCase):
    def test_only_tables_are_read(self):
        [table] = printed(10, "1,200")
        self.assertEqual(table["columns"], ["what", "measured", "asked", "met"])
        self.assertEqual(len(table["rows"]), 2)

    def test_numbers_as_people_write_them(self):
        for cell, expected in [("1,200/s, 0.4 ms", 1200), ("P95 47 ms", 47), ("+1.2%", 1.2), ("5.96 / 0.61", 5.96), ("-", None),
                               ("53 µs", 53), ("−3", -3), ("none", None)]:
            self.assertEqual(tables.number(cell), expected, cell)

    def test_a_row_is_that_of_the_round_in_the_middle(self):
        [merged] = tables.merge([printed(9, "1,500"), printed(8, "900", "**no**"), printed(7, "1,100")], 1, "measured")
        self.assertEqual(merged["rows"][0][1:4], ["1,100 calls/s, 0.4 ms", ">= 1,000", "yes"])
        self.assertEqual(merged["rows"][0][-1], "900 to 1,500")

    def test_a_round_that_broke_off_is_not_mixed_in(self):
        short = printed(1, "1")
        short[0]["rows"].pop()
        [merged] = tables.merge([short, printed(2, "20"), printed(3, "30")], 1, "measured")
        self.assertEqual(len(merged["rows"]), 2)
        self.assertTrue(merged["columns"][-1].endswith("2 rounds"))

    def test_targets_without_a_verdict_get_one(self):
        text = "| measure | result | target |\n|---|---|---|\n| a | 31 ms | <= 30 |\n| b | 31/s | >= 30 |\n| c | none | none |\n"
        [table] = areas.with_verdicts(text)
        self.assertEqual([row[-1] for row in table["rows"]], ["**no**", "yes", "-"])

    def test_fields_of_check_truth_are_summed_up(self):
        [table] = areas.truth("elf.a   10   11   1  1.0000  1.00 \nelf.b: c  3   5  0  0.6000  1.00 BELOW\n    elf.d: expected 1, got 2\n")
        self.assertEqual(table["rows"][-1], ["all", "13 of 16", "1", "1 fields below what is asked", "0", "**no**"])


class Claims(unittest.TestCase):
    def test_the_file_can_be_checked(self):
        self.assertGreater(len(claims.read()), 20)

    def test_a_claim_holds_or_does_not(self):
        for speed, expected in [("1,200", claims.HOLDS), ("999", claims.BROKEN)]:
            [checked] = claims.check([CLAIM], [area(printed(1, speed))])
            self.assertEqual(checked["holds"], expected)

    def test_without_a_column_the_row_decides(self):
        claim = {key: value for key, value in CLAIM.items() if key not in ("column", "at_least", "unit")}
        for met, expected in [("yes", claims.HOLDS), ("**no**", claims.BROKEN)]:
            self.assertEqual(claims.check([claim], [area(printed(1, "1", met))])[0]["holds"], expected)

    def test_a_row_that_is_gone_breaks_the_claim(self):
        self.assertEqual(claims.check([CLAIM | {"row": "velocity"}], [area(printed(1, "9999"))])[0]["holds"], claims.BROKEN)

    def test_what_was_left_out_is_said_to_be_unknown(self):
        for known in [[], [area([], left_out="no time")]]:
            self.assertEqual(claims.check([CLAIM], known)[0]["holds"], claims.UNKNOWN)

    def test_names_in_two_columns(self):
        found = tables.parse("| in flight | contender | of bare |\n|---|---|---|\n| 1 | engine | 0.9 |\n| 10 | engine | 0.7 |\n")
        claim = {**CLAIM, "row": "10 / engine", "column": "of bare", "at_least": 0.8}
        self.assertEqual(claims.check([claim], [area(found)])[0]["holds"], claims.BROKEN)

    def test_figures_of_the_readme_lead_to_their_tables(self):
        block = claims.readme_block(claims.check([CLAIM], [area(printed(1, "1,200"))]))
        self.assertIn("[1,200 calls/s, 0.4 ms](docs/benchmarks.md#jobs)", block)


class Reports(unittest.TestCase):
    def found(self):
        measured = [area(printed(1, "900", "**no**"), noise=["others used 50% of the processors"])]
        about = {"date": "2030-01-02 03:04 UTC", "processor": "p", "cores": 2, "memory_gib": 1.0, "kernel": "6", "system": "s",
                 "reversecore": "1", "commit": None, "versions": {"file": "5"}}
        return {"machine": about, "quick": True, "noise": {"before": {"loop_ms": 1, "loop_spread": 0, "others": 0, "steal": 0}},
                "claims": claims.check([CLAIM], measured), "areas": measured,
                "memory": [{"t": 0, "rss_mib": 10, "part": "idle"}, {"t": 1, "rss_mib": 20, "part": "load"}]}

    def test_it_says_what_is_missed_and_what_was_noisy(self):
        text = report.markdown(self.found(), {})
        for each in ['<a id="jobs"></a>', "**Noisy**", "Targets that are missed", "| speed, 1 calls offered | [900 calls/s", "**no**"]:
            self.assertIn(each, text)

    def test_what_is_written_is_read_again(self):
        with tempfile.TemporaryDirectory() as name:
            place = pathlib.Path(name)
            report.write(self.found(), place)
            self.assertEqual(report.read(place), self.found())
            self.assertTrue((place / "plots/memory.svg").exists())


class Noise(unittest.TestCase):
    QUIET = {"loop_ms": 50, "loop_spread": 0.01, "others": 0.0, "steal": 0.0}

    def test_each_kind_is_seen(self):
        self.assertEqual(noise.faults([self.QUIET], [self.QUIET], 50), [])
        for worse in [{"loop_ms": 70}, {"loop_spread": 0.5}, {"others": 0.3}, {"steal": 0.2}]:
            self.assertEqual(len(noise.faults([self.QUIET, self.QUIET | worse], [], 50)), 1, worse)

    def test_memory_is_touched(self):
        self.assertEqual(noise.touch_memory(2 << 26), ("2\n", 0))

    def test_own_work_is_no_noise(self):
        watch, began, real = noise.Watch(), os.times(), noise.tree
        while sum(os.times()[:2]) - sum(began[:2]) < 0.3:
            noise.loop()
        without = watch.others()
        try:
            # As if this process were another's.
            watch.mine, noise.tree = set(), lambda _: []
            with_it = watch.others()
        finally:
            noise.tree = real
        # Others may be busy too: what this process did is what the two differ by.
        self.assertGreaterEqual((with_it - without) / noise.TICK, 0.25)


class Commands(unittest.TestCase):
    def test_nothing_stays_behind(self):
        ended = commands.run(["sh", "-c", "sleep 300 & echo $!; wait"], 0.5)
        self.assertTrue(ended.timed_out)
        state = pathlib.Path(f"/proc/{int(ended.out)}/stat")
        # Whoever adopts it may not have reaped it yet.
        self.assertTrue(not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] in "ZX")

    def test_how_it_ended(self):
        ended = commands.run(["sh", "-c", "echo out; echo err >&2; exit 3"], 10)
        self.assertEqual((ended.out, ended.err, ended.code), ("out\n", "err\n", 3))


class Plots(unittest.TestCase):
    def test_places_on_a_logarithmic_axis(self):
        svg = draw("t & u", "n", Axis("x", log=True), Axis("y", log=True), [Line("a<b", [(1, 1), (10, 10), (100, 100), (0, 5), (5, None)])])
        page = xml.fromstring(svg)
        [line] = page.iter("{http://www.w3.org/2000/svg}polyline")
        places = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
        self.assertEqual(len(places), 3)
        (x0, y0), (x1, y1), (x2, y2) = places
        self.assertAlmostEqual(x1 - x0, x2 - x1, delta=0.2)
        self.assertAlmostEqual(y0 - y1, y1 - y2, delta=0.2)
        self.assertIn("a&lt;b", svg)

    def test_nothing_to_draw(self):
        self.assertIsNone(draw("t", "", Axis("x"), Axis("y", log=True), [Line("a", [(1, 0)])]))

    def test_a_constant_can_be_drawn(self):
        self.assertIn("polyline", draw("t", "", Axis("x"), Axis("y"), [Line("a", [(1, 5), (2, 5)])]))

    def test_sizes(self):
        self.assertEqual([plots.size(10**power) for power in (3, 7, 9)], ["1 KB", "10 MB", "1 GB"])


if __name__ == "__main__":
    unittest.main()
