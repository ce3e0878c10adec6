"""Generated series for fitting breach probabilities: how disks, heaps, queues, pools and traffic go over a limit, or just don't.

Each kind is a function of a random generator, a number of steps and the steps of a day; it returns values and a threshold. Nothing here is
a copy of a real series; the point is variety, so that the fitted constants are about ways of growing and not about one data set."""
import numpy as np


def _ar(r, n, rho, sigma):
    e = r.normal(0, sigma, n); out = np.empty(n); x = 0.0
    for i in range(n): x = rho * x + e[i]; out[i] = x
    return out


def _day(r, n, day, sharp=1.0):
    t = (np.arange(n) / day + r.uniform()) * 2 * np.pi
    s = np.sin(t) + r.uniform(0, .5) * np.sin(2 * t + r.uniform(0, 6))
    return np.sign(s) * np.abs(s) ** sharp


def leak_then_fix(r, n, day):
    """Grows towards the limit for days, is fixed before or after it, and starts again some day."""
    x = np.empty(n); level = r.uniform(.3, .5); base = level; slope = 0.0; left = r.integers(day, 6 * day); th = r.choice([.8, .85, .9, .95])
    for i in range(n):
        if left == 0:
            if slope == 0: slope = (th - base) / day / r.uniform(1.5, 8); left = int(r.uniform(1, 9) * day)
            else: slope = 0.0; level = base if r.uniform() < .7 else level; left = int(r.uniform(1, 6) * day)
        left -= 1; level = min(level + slope, 1.0); x[i] = level
    return np.clip(x + _ar(r, n, .7, r.uniform(.002, .01)), 0, 1), th


def daily_cleanup(r, n, day):
    """Fills by day, is cleaned at night by less than it grew: the peaks climb."""
    th = r.choice([.8, .85, .9, .95]); fill = r.uniform(.05, .3); x = np.empty(n); level = r.uniform(.3, .6); at = r.integers(day)
    net = r.choice([-.1, 1, 1, 1]) * max(th - level - fill, .05) * day / n * 10 ** r.uniform(-.1, .6); wild = r.choice([.01, .1])
    for i in range(n):
        if i % day == at: level -= fill * r.normal(1, wild)
        else: level += (fill + net) / day
        level = np.clip(level, .02, 1); x[i] = level
    return np.clip(x + r.normal(0, r.uniform(.001, .006), n), 0, 1), th


def random_restart(r, n, day):
    """A leak with restarts at random times: by chance, or now and then because somebody deploys."""
    th = r.choice([.8, .85, .9, .95]); base = r.uniform(.3, .55); slope = (th - base) / day / r.uniform(1, 8); rate = 1 / (day * r.uniform(1, 8)); x = np.empty(n); level = base
    for i in range(n):
        if r.uniform() < rate: level = base + r.normal(0, .02)
        level = min(level + slope * r.uniform(.5, 1.5), 1.0); x[i] = level
    return np.clip(x + _ar(r, n, .6, r.uniform(.002, .015)), 0, 1), th


def working_hours(r, n, day):
    """Traffic of a week: five days of work, two of rest; the limit lies near the busiest hours."""
    s = np.maximum(0, np.sin((np.arange(n) / day % 1 - .25) * 2 * np.pi)) ** r.uniform(.5, 1.5)
    d = (np.arange(n) // day + r.integers(7)) % 7; w = np.where(d < 5, 1.0, r.uniform(.3, .8)); per = r.normal(1, .06, n // day + 2)[np.arange(n) // day]
    x = 50 + 100 * s * w * per * (1 + r.uniform(-.005, .02) * np.arange(n) / day) + _ar(r, n, .8, r.uniform(1, 5))
    return x, float(np.quantile(x, r.choice([.9, .96, .98, .99, .995])))


def walk(r, n, day):
    """No memory but its level."""
    x = np.cumsum(r.normal(0, 1, n)); return x, float(np.quantile(x, r.uniform(.8, .98)))


def reverting(r, n, day):
    x = _ar(r, n, np.exp(-1 / (day * 10 ** r.uniform(-1.5, .3))), 1.0); return x, float(np.quantile(x, r.choice([.9, .96, .98, .99, .995])))


def noise_crest(r, n, day):
    """Nothing but noise, heavy or light, and a limit at its crest."""
    x = r.standard_t(r.choice([3, 5, 30]), n) * (1 + .5 * r.uniform() * _day(r, n, day)); x = np.convolve(x, np.ones(3) / 3, "same") if r.uniform() < .5 else x
    return x, float(np.quantile(x, r.choice([.9, .96, .98, .99, .995])))


def nightly_job(r, n, day):
    """A job at about the same time of most days; some nights it runs long."""
    x = r.uniform(.1, .3) + np.abs(_ar(r, n, .9, .02)); at = r.integers(day); skip = r.uniform(0, .5); jitter = r.uniform(0, .06) * day
    for d in range(n // day + 1):
        if r.uniform() < skip: continue
        a = int(d * day + at + r.normal(0, jitter)); x[max(a, 0):max(a + int(day * r.uniform(.01, .12)), 0)] += r.uniform(.3, .6)
    return x, r.uniform(.45, .8)


def bursts(r, n, day):
    """Bursts without precursor, clustered or not."""
    x = r.uniform(.2, .5) + _ar(r, n, .9, .02) + .05 * _day(r, n, day); hot = False
    for i in range(n):
        if r.uniform() < 1 / (2 * day): hot = not hot
        if r.uniform() < (4 if hot else .2) / day: x[i:i + int(r.exponential(day / 40)) + 1] += r.uniform(.2, .6)
    return x, r.uniform(.6, .9)


def steps(r, n, day):
    """Deployments move the level."""
    x = np.zeros(n); level = r.uniform(.3, .6)
    for i in range(n):
        if r.uniform() < 1 / (day * 3): level = np.clip(level + r.normal(0, .1), .1, .95)
        x[i] = level
    x += _ar(r, n, .7, r.uniform(.005, .03)) + r.uniform(0, .1) * _day(r, n, day); return x, float(np.quantile(x, r.choice([.9, .95, .98, .99])))


def growth(r, n, day):
    """Exponential, power or logarithmic growth, with or without a rhythm."""
    t = np.arange(n) / n; kind = r.integers(4)
    g = [np.expm1(r.uniform(1, 4) * t), t ** r.uniform(.5, 3), np.log1p(r.uniform(2, 30) * t), 1 - np.exp(-r.uniform(1, 8) * t)][kind]
    g = g / max(g[-1], 1e-9); lo, hi = r.uniform(.1, .5), r.uniform(.75, 1.1)
    x = lo + (hi - lo) * g + r.choice([0, .02, .06]) * _day(r, n, day) + _ar(r, n, .8, r.uniform(.001, .01))
    return np.clip(x, 0, 1), r.choice([.7, .8, .85, .9, .95])


def saw(r, n, day):
    """Teeth of any length that climb, or don't: garbage collection, log rotation, compaction."""
    th = r.choice([.7, .8, .85, .9, .95]); length = day * 10 ** r.uniform(-1.2, .5); amp = r.uniform(.03, .25); base = r.uniform(.3, .6); net = r.choice([0, r.uniform(.002, .02)]) / day
    x = np.empty(n); level = base; floor = base; left = length
    for i in range(n):
        floor += net; level += net + amp / length; left -= 1
        if left <= 0: level = floor; left = length * r.normal(1, r.choice([.02, .2]))
        x[i] = level
    return np.clip(x + r.normal(0, r.uniform(.001, .01), n), 0, 1), th


def queue(r, n, day):
    """Work arrives by day faster than it is done."""
    load = 1 + r.uniform(.1, .6) * _day(r, n, day); cap = r.uniform(1.05, 1.5); x = np.empty(n); q = 0.0; k = 10 ** r.uniform(-.5, .5); e = np.exp(_ar(r, n, .97, .06))
    for i in range(n): q = max(0.0, q + (load[i] * e[i] - cap) * k); x[i] = q
    x += r.uniform(0, 1, n); return x, float(np.quantile(x, r.choice([.9, .96, .98, .99])))


def draining(r, n, day):
    """Free space or budget that goes the other way, seen as what is used: falls, jumps up, falls."""
    x, _ = saw(r, n, day); x = x[0] if isinstance(x, tuple) else x; x = 1 - x; return x, float(np.quantile(x, r.choice([.8, .9, .97])))


def slow_wave(r, n, day):
    """A rhythm that is no day: batch cycles, weekly tides."""
    p = day * 10 ** r.uniform(-.8, .9); x = np.sin(2 * np.pi * np.arange(n) / p + r.uniform(0, 6)) * (1 + .1 * _ar(r, n, .999, .03)) + _ar(r, n, .8, .05); return x, float(np.quantile(x, r.choice([.85, .93, .97, .99])))


def flat(r, n, day):
    """Noise and a limit far above it."""
    x = r.uniform(.2, .6) + r.uniform(.01, .06) * _day(r, n, day) + _ar(r, n, .6, .02); return x, r.choice([.8, .9, .95])


KINDS = [leak_then_fix, daily_cleanup, random_restart, working_hours, walk, reverting, noise_crest, nightly_job, bursts, steps, growth, saw, queue, draining, slow_wave, flat]


def series(each, seed=7):
    """(kind, step in seconds, values, threshold): `each` of every kind, 28 days long."""
    for k, kind in enumerate(KINDS):
        for i in range(each):
            r = np.random.default_rng([seed, k, i]); step = [300, 900, 900, 3600][i % 4]; day = 86400 // step
            x, th = kind(r, 28 * day, day); yield kind.__name__, step, np.asarray(x, float), float(th)
