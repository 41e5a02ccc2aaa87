"""What networks that foretell learn from, and who is told by which."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.scans.visits import Visits
from vesalius.synthesis.progression.choosing import ranked_probability_score
from vesalius.synthesis.progression.forecasting import followed_by, foretell, foretold_of, sides_of
from vesalius.synthesis.progression.reader import AttributeReader
from vesalius.synthesis.progression.recipe import ReaderRecipe


def _visits() -> Visits:
    """Three patients: three visits, two of which one is not measured, and one."""
    subjects = ("a", "a", "a", "b", "b", "c")
    years = np.array([0.0, 2.0, 8.0, 0.0, 4.0, 0.0])
    space = np.array([5.0, 4.0, 1.0, 6.0, np.nan, 3.0])
    return Visits(
        np.random.default_rng(0).random((6, 1, 16, 16)), tuple("uvwxyz"), subjects, years,
        np.zeros(6, bool), {"space_mm": space}, ("",) * 6, subjects,
    )  # fmt: skip


def test_every_visit_that_others_followed_is_learnt_from_with_the_drift_from_then_on() -> None:
    found = followed_by(_visits(), ("space_mm",))
    assert found.names == ("u", "v")  # the last visit, and those without a measured one after
    assert np.allclose(found.attributes["space_mm_a_year"], [-0.5, -0.5])
    assert followed_by(_visits().taken([5]), ("space_mm",)).names == ()


def test_patients_are_told_by_the_network_that_has_not_seen_them() -> None:
    visits = _visits()
    pair = tuple(AttributeReader(1, ("x",), ReaderRecipe(width=4)) for _ in range(2))
    for value, network in enumerate(pair):
        network.spread.zero_()
        network.mean.copy_(torch.tensor([float(value)]))
    told = foretold_of((pair[0], pair[1]), visits)[:, 0]
    assert (told == 1 - sides_of(visits)).all()
    assert set(sides_of(visits)) == {0, 1}
    assert (foretell((pair[0], pair[1]), visits.images) == 0.5).all()


def test_the_score_is_least_where_fates_are_as_likely_as_they_are_many() -> None:
    chance = np.random.default_rng(0)
    truth = (chance.random((2000, 1)) < 0.25).astype(float)
    scores = {
        share: ranked_probability_score(
            np.repeat((np.arange(20) < 20 * share).astype(float)[None, :, None], 2000, axis=0),
            truth,
        )
        for share in (0.0, 0.25, 0.5, 1.0)
    }
    assert min(scores, key=lambda share: scores[share]) == 0.25
