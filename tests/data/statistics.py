#!/usr/bin/env python3
"""Prints tests/data/statistics.json: what SciPy, or the definition itself written plainly, says of seeded samples.

Needs numpy and scipy: python3 tests/data/statistics.py > tests/data/statistics.json
"""

import json

import numpy as np
from scipy import stats

RNG = np.random.default_rng(42)


def rounded(values):
    """Few digits, so that the file is short and reads back exactly."""
    return [round(float(value), 4) for value in values]


def theil_sen():
    cases = []
    for n, slope, noise in ((5, 1.0, 0.1), (12, 0.5, 1.0), (40, 0.0, 2.0), (60, -0.3, 5.0)):
        x = rounded(np.arange(n) * 5)
        y = rounded(np.arange(n) * slope + RNG.normal(0, noise, n))
        cases.append((x, y))
    # Ties in both, as memory in whole megabytes has them.
    x = rounded([0, 0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8])
    cases.append((x, rounded(np.floor(np.array(x) * 0.7 + 50))))
    found = []
    for x, y in cases:
        result = stats.theilslopes(y, x, 0.95)
        found.append({"x": x, "y": y, "slope": result[0], "low": result[2], "high": result[3]})
    return found


def welch():
    found = []
    for n, m, shift, spread in ((3, 3, 1.0, 1.0), (5, 5, 0.1, 0.5), (5, 12, 2.0, 3.0), (30, 4, 0.0, 0.2)):
        a, b = rounded(RNG.normal(10, 1, n)), rounded(RNG.normal(10 + shift, spread, m))
        test = stats.ttest_ind(b, a, equal_var=False)
        interval = stats.ttest_ind(b, a, equal_var=n == m).confidence_interval(0.95)
        found.append({"a": a, "b": b, "p": test.pvalue, "low": interval.low, "high": interval.high})
    return found


def mser_from(series):
    means = [np.mean(series[5 * i : 5 * i + 5]) for i in range(len(series) // 5)]
    m = len(means)
    errors = [np.sum((np.array(means[d:]) - np.mean(means[d:])) ** 2) / (m - d) ** 2 for d in range(m // 2 + 1)]
    best = int(np.argmin(errors))
    return -1 if best == m // 2 else 5 * best


def mser():
    t = np.arange(120)
    noise = lambda: RNG.normal(0, 1, 120)
    shapes = {
        "steady": 50 + noise(),
        "slow start": 50 * (1 + np.exp(-t / 8)) + noise(),
        "a bad first second": np.where(t == 0, 300, 50) + noise(),
        "grows all the time": 50 + t + noise(),
        "a late step": np.where(t < 70, 50, 90) + noise(),
    }
    return [{"name": name, "series": rounded(y), "from": mser_from(rounded(y))} for name, y in shapes.items()]


def energy(distances, at, end):
    """Q of what is before a place and what is from there to an end."""
    within = lambda block: block.sum() / (len(block) * (len(block) - 1))
    x, y = slice(0, at), slice(at, end)
    m, k = at, end - at
    return m * k / (m + k) * (2 * distances[x, y].mean() - within(distances[x, x]) - within(distances[y, y]))


def split(series):
    series = np.asarray(series)
    distances = np.abs(series[:, None] - series[None, :])
    n = len(series)
    return max((energy(distances, at, end), -at) for at in range(2, n - 1) for end in range(at + 2, n + 1))


def changes(series, chance, offset=0, level=0.01, shuffles=499):
    """Changes that few shuffles of the values show as large."""
    if len(series) < 4:
        return []
    found, at = split(series)
    at = -at
    exceeding = sum(split(chance.permutation(series))[0] >= found * (1 - 1e-9) for _ in range(shuffles))
    if found <= 0 or (exceeding + 1) / (shuffles + 1) > level:
        return []
    return changes(series[:at], chance, offset) + [offset + at] + changes(series[at:], chance, offset + at)


def e_divisive():
    level = lambda *parts: np.concatenate([mean + RNG.normal(0, 1, n) for n, mean in parts])
    shapes = {
        "flat": level((30, 100)),
        "a step": level((20, 100), (15, 110)),
        "up and down": level((15, 100), (10, 120), (15, 100)),
        "a small step": level((30, 100), (30, 101.5)),
        "one outlier": np.where(np.arange(30) == 12, 140, level((30, 100))),
    }
    found = []
    # A stream of its own: how many shuffles there are changes no sample.
    chance = np.random.default_rng(7)
    for name, y in shapes.items():
        y = rounded(y)
        found.append({"name": name, "series": y, "split": -split(y)[1], "changes": changes(y, chance)})
    return found


print(json.dumps({f.__name__: f() for f in (theil_sen, welch, mser, e_divisive)}, indent=1, allow_nan=False))
