"""The slope of a figure over time, and how sure it is.

The slope is that of least squares. Samples that follow each other are alike (a worker that has
grown is still large a second later), so the usual interval would be far too narrow: this one
comes from a moving-block bootstrap. Blocks of residuals, each as long as what happens again and
again in a load, are laid end to end in any order on the fitted line, which is fitted anew each time.
"""

import random
from dataclasses import dataclass

DRAWS = 2000
SEED = 8
HOUR = 3600


@dataclass(frozen=True)
class Trend:
    # Per hour, with the bounds that 95 of 100 draws are between.
    slope: float
    low: float
    high: float
    first: float
    last: float
    hours: float

    def grows(self, tolerance):
        """Growth that is no accident, and more than is tolerated in an hour. In less than an hour as much
        is: what fills up to a bound and what grows for ever look alike at first."""
        return self.low > 0 and self.slope * self.hours > tolerance * max(1.0, self.hours)


def line(times, values):
    """Slope, and value at the mean of the times."""
    count = len(times)
    middle, level = sum(times) / count, sum(values) / count
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (value - level) for time, value in zip(times, values)) / spread if spread else 0.0
    return slope, level, middle


def trend(times, values, block_seconds=60.0):
    if len(times) < 10:
        raise ValueError(f"{len(times)} samples are too few for a trend")
    slope, level, middle = line(times, values)
    fitted = [level + slope * (time - middle) for time in times]
    rest = [value - fit for value, fit in zip(values, fitted)]
    step = (times[-1] - times[0]) / (len(times) - 1)
    # Enough blocks to be put in another order.
    block = max(1, min(round(block_seconds / step), len(times) // 4))
    dice, slopes = random.Random(SEED), []
    for _ in range(DRAWS):
        drawn = []
        while len(drawn) < len(rest):
            at = dice.randrange(len(rest) - block + 1)
            drawn += rest[at:at + block]
        slopes.append(line(times, [fit + each for fit, each in zip(fitted, drawn)])[0])
    slopes.sort()
    low, high = slopes[int(0.025 * DRAWS)], slopes[int(0.975 * DRAWS) - 1]
    ends = [level + slope * (time - middle) for time in (times[0], times[-1])]
    return Trend(slope * HOUR, low * HOUR, high * HOUR, *ends, (times[-1] - times[0]) / HOUR)
