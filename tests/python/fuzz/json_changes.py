"""Changes to JSON values, after which they are still JSON."""

import copy

SPECIAL = [
    -1,
    0,
    1,
    2**31,
    2**62,
    2**80,
    1e308,
    None,
    "",
    "../../etc/passwd",
    "\ud83d",
    [],
    {},
    True,
    "int8",
    "int4",
    "<f8",
    [1] * 9,
]


def change_somewhere(value, rng):
    """Change one value somewhere in an object or a list to something that it is not."""
    place = value
    while place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[rng.integers(len(keys))]
        if isinstance(place[key], (dict, list)) and rng.random() < 0.9:
            place = place[key]
            continue
        old = place[key]
        choices = list(SPECIAL)
        if isinstance(old, int):
            choices += [old + 1, old - 1, old * 2, old + 64, old - 64] * 3
        place[key] = copy.deepcopy(choices[rng.integers(len(choices))])  # or a list could come to hold itself
        if isinstance(place, dict) and rng.random() < 0.1:
            del place[key]
        return
