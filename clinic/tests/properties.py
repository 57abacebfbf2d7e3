"""Hypothesis profiles: `usual`, and `thorough` with ten times the examples.

`make properties` runs `pytest --hypothesis-profile thorough -m hypothesis`.
"""

import hypothesis

USUAL = 100

hypothesis.settings.register_profile("usual", max_examples=USUAL, deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", max_examples=10 * USUAL, deadline=None, derandomize=True)
hypothesis.settings.load_profile("usual")


def examples(usual, **settings):
    """Return settings for a property test that tries this many examples, or ten times as many if thorough."""
    factor = hypothesis.settings().max_examples // USUAL
    return hypothesis.settings(max_examples=usual * factor, **settings)
