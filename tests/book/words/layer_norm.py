"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

import numpy as np

TRAINING, PLACES, STEPS = "layer_norm_training", "layer_norm_placements", "layer_norm_batch_steps"
PUBLISHED, MEMORY = "layer_norm_published", "layer_norm_memory"
RATES = ("0.001", "0.01", "0.03", "0.1")


def by_step(runs) -> list[float]:
    """Of runs by seed and step, the mean of the seeds at every step."""
    return np.mean(runs, axis=0).tolist()


def ratio(one, other) -> float:
    return float(np.mean(one)) / float(np.mean(other))


def within_spread(one, other) -> bool:
    """Two means, of seeds that are not all alike, differ by less than either range."""
    return abs(np.mean(one) - np.mean(other)) < min(np.ptp(one), np.ptp(other))


def falls(curve) -> bool:
    return curve[-1] < curve[0] and all(later < 1.1 * earlier for earlier, later in zip(curve, curve[1:]))


def shared_over_each(r) -> np.ndarray:
    """The error with one set of statistics for all steps, in those with a set for each."""
    equal = r(STEPS)["equal_batch"]
    return np.array([ratio(*errors) for errors in zip(by_step(equal["shared"]), by_step(equal["step"]))])


def usual_spread_after_ten(r) -> bool:
    deviation = np.array(r(STEPS)["equal_batch"]["deviation"])
    off, usual = abs(deviation - deviation[-1]), deviation[-1]
    return (off[2] > 0.1 * usual).mean() > 0.5 and bool((off[11:] < 0.25 * usual).all())


def own_and_each_coincide(r) -> bool:
    equal = r(STEPS)["equal_batch"]
    return all(0.9 < ratio(own, each) < 1.1 for own, each in zip(by_step(equal["own"]), by_step(equal["step"])))


def company_at_the_end(r) -> bool:
    different, equal = (np.array(r(STEPS)[f"{kind}_batch"]["company"]) for kind in ("different", "equal"))
    return different[:, -1].min() > 0.5 and equal[:, -1].max() < 0.1


def company_rises(r) -> bool:
    part = by_step(r(STEPS)["different_batch"]["company"])
    half, last = part[34] - part[24], part[49] - part[39]
    return max(part[:20]) < 0.07 < part[24] and 0 < half < last and 0.85 < part[49] < 0.9


def means(r, window: str) -> dict[str, float]:
    return {place: float(np.mean(runs)) for place, runs in r(PLACES)[window].items()}


def sum_is_lowest(r) -> bool:
    return all(min(means(r, window), key=means(r, window).get) == "sum" for window in ("1", "8"))


def two_places_harm(r) -> bool:
    """With one value every seed of the two is far above every seed without a norm; with eight neither is."""
    one, eight = r(PLACES)["1"], r(PLACES)["8"]
    return all(
        min(one[place]) > 1.3 * max(one["none"]) and np.mean(eight[place]) < 1.1 * np.mean(eight["none"])
        for place in ("apart", "inputs")
    )


def rows_overlap(r) -> bool:
    eight = r(PLACES)["8"]
    return max(map(min, eight.values())) < min(map(max, eight.values())) and ratio(eight["inputs"], eight["sum"]) < 1.1


def after_is_worse(r) -> bool:
    return all(ratio(r(PLACES)[window]["after"], r(PLACES)[window]["sum"]) > 1.1 for window in ("1", "8"))


def passes_least_squares(r, name: str) -> int:
    """After how many updates the mean is below least squares for the first time."""
    training = r(TRAINING)
    errors = np.mean(training["curves"][name], axis=1)
    below = [u for u, error in zip(training["updates"], errors) if error < training["baselines"]["linear"]]
    return below[0]


def layer_norm_is_faster(r) -> bool:
    plain, layer = (np.mean(r(TRAINING)["curves"][name], axis=1) for name in ("plain", "layer"))
    earlier = passes_least_squares(r, "plain") - passes_least_squares(r, "layer")
    return bool((layer[1:] < plain[1:]).all()) and 100 <= earlier <= 300


def lower_within_the_spread(r) -> bool:
    test = r(TRAINING)["test"]
    return np.mean(test["layer"]) < np.mean(test["plain"]) and within_spread(test["layer"], test["plain"])


def bought_nothing(r) -> bool:
    in_plain = r(TRAINING)["cost"]["layer"] * passes_least_squares(r, "layer")
    no_time = in_plain > 0.95 * passes_least_squares(r, "plain")
    return no_time and within_spread(r(TRAINING)["test"]["layer"], r(TRAINING)["test"]["plain"])


def counted_is_as_good(r) -> bool:
    test = r(TRAINING)["test"]
    return np.mean(test["counted"]) < 1.05 * min(np.mean(test["plain"]), np.mean(test["layer"]))


def averages_do_harm(r) -> bool:
    """In every seed, and to twice the error in the mean."""
    test = r(TRAINING)["test"]
    return all(a > b for a, b in zip(test["between"], test["counted"])) and ratio(test["between"], test["counted"]) > 2


def averages_jump(r) -> bool:
    between, counted = (np.mean(r(TRAINING)["curves"][name], axis=1) for name in ("between", "counted"))
    return falls(counted) and not falls(between) and 0.009 < counted[-1] < 0.012


def at(r, name: str, rate: str) -> float:
    return float(np.mean(r(TRAINING)["short"][name][rate]))


def doubles(r, name: str) -> bool:
    return 1.8 < at(r, name, "0.1") / at(r, name, "0.01") < 2.2


def lowest_at_all_rates(r) -> bool:
    return all(at(r, "layer", rate) < at(r, name, rate) for rate in RATES for name in ("plain", "between", "counted"))


def batch_norm_suffers_most(r) -> bool:
    grown = {name: at(r, name, "0.1") / min(at(r, name, rate) for rate in RATES) for name in r(TRAINING)["short"]}
    without = max(grown["plain"], grown["layer"])
    return min(grown.values()) > 1.5 and min(grown["between"], grown["counted"]) > 1.1 * without


def minimum_at_or_below(r) -> bool:
    lowest = [min(RATES, key=lambda rate: at(r, name, rate)) for name in r(TRAINING)["short"]]
    return "0.03" in lowest and "0.1" not in lowest


def helped_early(r) -> bool:
    """Batch norm, counted: below the plain network in the mean at every look up to 500 updates."""
    plain, counted = (np.mean(r(TRAINING)["curves"][name], axis=1) for name in ("plain", "counted"))
    return bool((counted[:5] < plain[:5]).all()) and at(r, "counted", "0.01") < 0.95 * at(r, "plain", "0.01")


def equal_at_both(r) -> bool:
    errors = r(PUBLISHED)["errors"]
    return all(
        within_spread(errors["layer"][rate], errors["plain"][rate])
        and 0.9 < ratio(errors["layer"][rate], errors["plain"][rate]) < 1.1
        for rate in ("0.001", "0.01")
    )


def it_is_the_rate(r) -> bool:
    """At the larger rate every seed of either is below every seed of either at the smaller."""
    errors = [r(PUBLISHED)["errors"][name] for name in ("plain", "layer")]
    return max(max(e["0.01"]) for e in errors) < min(min(e["0.001"]) for e in errors)


def batch_norm_behind(r, name: str, least: float, most: float) -> bool:
    errors = r(PUBLISHED)["errors"]
    return all(least < ratio(errors[name][rate], errors["plain"][rate]) < most for rate in ("0.001", "0.01"))


def held(r, name: str, T: int) -> np.ndarray:
    return np.array(r(MEMORY)["first"][name][r(MEMORY)["lengths"].index(T)])


def added(r, place: str, T: int) -> np.ndarray:
    return np.array(r(MEMORY)["adding"][place][r(MEMORY)["sums"].index(T)])


def holds_twenty(r) -> bool:
    return held(r, "none_keras", 20).min() > 0.9 and 1 <= (held(r, "none_keras", 40) > 2 / np.pi).sum() <= 2


def further_by_luck(r) -> bool:
    normed, plain = held(r, "sum_torch", 80), held(r, "none_keras", 80)
    return (normed > 0.8).sum() >= 3 and (normed < 0.1).sum() >= 2 and plain.max() < 0.05


def both_learn_ten(r) -> bool:
    return min(added(r, "none", 10).min(), added(r, "sum", 10).min()) > 0.85


def norm_did_harm(r) -> bool:
    return added(r, "sum", 40).max() < 0.05 and (added(r, "none", 40) > added(r, "sum", 40)).sum() >= 7


def worse_at_adding(r) -> bool:
    return added(r, "none", 20).mean() > added(r, "sum", 20).mean() and added(r, "none", 40).mean() > 0.2


def just_below_the_sign(r) -> bool:
    return all(0.55 < held(r, "sum_torch", T).mean() < 0.63 and held(r, "sum_torch", T).max() > 0.9 for T in (40, 80))


SAID = {
    # batch norm between steps
    "takes some ten steps to reach its usual spread": usual_spread_after_ten,
    "for all steps the first half suffers": lambda r: (
        shared_over_each(r)[:25].min() > 1.2 and shared_over_each(r)[30:].max() < 1.15
    ),
    "With statistics for each step everything is in order": own_and_each_coincide,
    "Here that is enough: at step 100 the error is": lambda r: (
        abs(ratio(r(STEPS)["equal_batch"]["further"], by_step(r(STEPS)["equal_batch"]["step"])[-1]) - 1) < 0.05
    ),
    "There the forecast says more about the company than about its own sequence": company_at_the_end,
    "rises from about step 25 on, ever more steeply, to almost nine tenths": company_rises,
    "no difference worth the name": lambda r: within_spread(
        *(np.array(r(STEPS)[f"different_{place}"][key])[:, -1] for place, key in (("batch", "step"), ("sum", "own")))
    ),
    "lies far above them in the first twenty-five steps and a little above them to the end": lambda r: (
        shared_over_each(r)[:25].mean() > 1.5 and 1 < shared_over_each(r)[30:].min() < 1.15
    ),
    # places
    "In one of the two tasks two of the places do great harm": two_places_harm,
    "The norm of the sum has the lowest mean in both columns": sum_is_lowest,
    "is lost is their common size, and no harm is to be seen": lambda r: (
        all(ratio(r(PLACES)["8"][place], r(PLACES)["8"]["none"]) < 1.05 for place in ("apart", "inputs"))
        and within_spread(r(PLACES)["8"]["apart"], r(PLACES)["8"]["none"])
    ),
    "all rows overlap; the sum has the smallest mean, just below inputs alone": rows_overlap,
    "with the norm after tanh on average worse": after_is_worse,
    # training
    "Counted in updates, layer norm learns faster": layer_norm_is_faster,
    "crosses the dashed line of least squares some 200 updates earlier": lambda r: (
        passes_least_squares(r, "plain") - passes_least_squares(r, "layer") == 200
    ),
    "At the end its mean is lower by less than the spread over seeds": lower_within_the_spread,
    "a layer norm bought neither accuracy nor time": bought_nothing,
    "Its weights are as good as any": counted_is_as_good,
    "running averages the same weights make": averages_do_harm,
    "jumps up and down in a wide band, while the same network with counted statistics falls smoothly": averages_jump,
    "At a rate of 0.1 the error is twice what it is at a rate of 0.01": lambda r: (
        doubles(r, "layer") and doubles(r, "plain")
    ),
    "lowest mean at all four rates, but it is not immune": lowest_at_all_rates,
    "All suffer from too large a rate, and those with batch norm most": batch_norm_suffers_most,
    "All have their minimum at or below 0.03": minimum_at_or_below,
    # published
    "It is the rate": it_is_the_rate,
    "the plain network and the one with layer norm are equal at either rate": equal_at_both,
    "Batch norm is a little behind at both": lambda r: batch_norm_behind(r, "counted", 1.05, 1.3),
    "and clearly so with its averages": lambda r: batch_norm_behind(r, "between", 1.3, 2.5),
    "once there is time enough: its lead at 400 updates has gone": lambda r: (
        at(r, "layer", "0.01") < 0.9 * at(r, "plain", "0.01") and equal_at_both(r)
    ),
    "It helped early on, and not in the end": lambda r: helped_early(r) and batch_norm_behind(r, "counted", 1.0, 2.0),
    "Here it saved early updates, and neither time nor error": lambda r: (
        layer_norm_is_faster(r) and bought_nothing(r) and equal_at_both(r)
    ),
    # memory
    "holds the number over twenty steps, and over forty hardly ever": holds_twenty,
    "At twenty steps the normalised layer is behind": lambda r: (
        held(r, "sum_torch", 20).mean() < 0.9 * held(r, "none_keras", 20).mean()
    ),
    "just below the dashed line, near 0.6, at 40 and 80 steps": just_below_the_sign,
    "by luck for eighty steps, and it was worse at adding two": lambda r: further_by_luck(r) and worse_at_adding(r),
    "Over ten steps both layers learn it": both_learn_ten,
    "not even the second number, which alone would explain a half": lambda r: (
        -0.2 < added(r, "sum", 40).min() < added(r, "sum", 40).max() < 0.1 and added(r, "none", 40).max() > 0.5
    ),
    "the norm did harm": norm_did_harm,
}
