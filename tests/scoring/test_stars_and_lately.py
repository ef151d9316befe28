"""How somebody rated and what is rated lately order a list: against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from marquee.errors import BundleError
from scoring.recommender.baselines import recent_lists
from scoring.recommender.bundle import TIMED, RecommenderBundle, read_bundle, write_bundle
from scoring.recommender.holdout import HoldoutSplit
from scoring.recommender.holdout_people import turn_stars
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import DAY, History, liking_of
from scoring.recommender.timed_titles import HOUR, TimedTitles, last_times
from scoring.recommender.top_n import top_unseen
from tests.scoring.made_up import FACTS, FOLD_IN, make_ratings
from tests.scoring.test_rankers import FAMILIES, PEOPLE, TITLES, bundle_of

LATELY = {"half_life": 3.0, "share": 1.0, "damping": 2.0}
NOW = 500 * DAY


def timed_bundle(family: str = "ease with stars", **lately: float) -> RecommenderBundle:
    """The made-up bundle; person i rated last i days before the newest rating."""
    plain = bundle_of(family)
    users = np.repeat(np.arange(PEOPLE), np.diff(plain.ratings.indptr))
    times = NOW - users * DAY - np.arange(len(users)) % 7 * HOUR
    timed = TimedTitles.build(plain.ratings.indices, times, last_times(users, times, PEOPLE))
    fold_in = FOLD_IN | {"ranker": FAMILIES[family], "lately": LATELY | lately}
    return bundle_of(family, facts=FACTS | {"fold_in": fold_in}, timed=timed)


def test_a_star_means_the_same_on_both_common_scales() -> None:
    assert liking_of(np.array([1.0, 5.0]), (0.5, 5.0)).tolist() == [0.2, 1.0]
    assert liking_of(np.array([1.0, 5.0]), (1.0, 5.0)).tolist() == [0.2, 1.0]
    assert liking_of(np.array([-10.0, 10.0]), (-10.0, 10.0)).tolist() == [0.0, 1.0]
    assert liking_of(np.array([3.0]), (3.0, 3.0)).tolist() == [0.0]


def test_counts_are_those_of_plain_sums_from_any_earlier_hour() -> None:
    rng = np.random.default_rng(2)
    items, times = rng.integers(0, 9, 400), rng.integers(0, 90 * DAY, 400)
    timed = TimedTitles.build(items, times, last_times(np.zeros(400, int), times, 1))
    earlier = None
    for at in (10 * DAY, 40 * DAY + 1800, 40 * DAY + 1900, 95 * DAY):
        ages = at // HOUR - times // HOUR
        weights = np.where(ages > 0, 0.5 ** (ages / (24 * 7.0)), 0.0)
        earlier = timed.counts(at, 7.0, 9, earlier)
        assert earlier.lately == pytest.approx(np.bincount(items, weights, 9), abs=1e-3)
        assert earlier.ever.tolist() == np.bincount(items[ages > 0], minlength=9).tolist()
        assert timed.counts(at, 7.0, 9, None).lately == pytest.approx(earlier.lately, abs=1e-3)
    assert earlier is not None and earlier.ever.sum() == 400 and timed.last[0] == times.max()


def test_who_comes_back_gets_the_trend_and_who_stays_does_not() -> None:
    bundle = timed_bundle()
    model, known = Recommender(bundle), Recommender(bundle).ranker.known
    history = bundle.history(3)
    assert history.away == pytest.approx(
        (history.at - history.last) / (DAY + history.at - history.last)
    )
    plain = model.ranker.personal(3, history)
    counts = bundle.timed.counts(history.at, 3.0, TITLES, None)
    ratings = known[history.rows].sum()
    expected = counts.ever / counts.ever.sum() * counts.lately.sum()
    lift = np.log(0.2 + counts.lately) - ratings / (ratings + 2.0) * np.log(0.2 + expected)
    z = [s / s[known].std() for s in (plain, lift)]
    wanted = z[0] + history.away * z[1]
    assert model.scores(40)[known] == pytest.approx(wanted[known])
    given = model.recommend_for(model.ratings_of(40), 5)
    still = Recommender(timed_bundle(share=0.0)).recommend_for(model.ratings_of(40), 5)
    assert given == still and len(given) == 5


@pytest.mark.parametrize("family", [name for name in FAMILIES if "with stars" in name])
def test_who_disliked_everything_gets_what_is_popular_less_its_like(family: str) -> None:
    model = Recommender(timed_bundle(family))
    rated = [int(m) for m in model.movie_ids[[1, 4, 6]]]
    disliked, liked = (dict.fromkeys(rated, stars) for stars in (0.5, 5.0))
    found, best = model.recommend_for(disliked, 5), model.recommend_for(liked, 5)
    assert [r.movie_id for r in found] != [r.movie_id for r in best]
    assert not any(r.because for r in found) and any(r.because for r in best)
    known, popular = model.ranker.known, model.fallback.popularity.popular(None)
    history = History.of(np.array([1, 4, 6]), np.full(3, 0.5), (0.5, 5.0))
    plain = model.ranker.fold_in(history)
    spread = plain[known].std() or 1.0
    by_hand = np.minimum(plain / spread, 0.0) + np.log1p(popular) / np.log1p(popular)[known].std()
    found_scores = model.scores_for(disliked)["fold-in"]
    assert found_scores[known] == pytest.approx(by_hand[known])


def test_no_disliked_title_is_a_reason_in_any_family_that_reads_stars() -> None:
    stars = [0.5, 5.0, 1.0, 4.0, 2.0]
    for family in (name for name in FAMILIES if "with stars" in name):
        model = Recommender(bundle_of(family))
        ratings = dict(zip(model.movie_ids[[0, 2, 3, 5, 7]].tolist(), stars))
        reasons = {m for r in model.recommend_for(ratings, 6) for m in r.because}
        assert reasons and all(ratings[m] > 2.0 for m in reasons)


def test_a_stranger_gets_what_is_rated_lately() -> None:
    bundle = timed_bundle()
    model = Recommender(bundle)
    counts = bundle.timed.counts(bundle.timed.newest, 3.0, TITLES, None).lately
    order = np.argsort(-(counts + bundle.popularity / bundle.popularity.max()), kind="stable")
    found = [r.movie_id for r in model.recommend(999, 4)]
    assert found == bundle.movie_ids[order][:4].tolist()
    early = [r.movie_id for r in model.recommend(999, 4, at=0)]
    assert early == bundle.movie_ids[np.argsort(-bundle.popularity, kind="stable")][:4].tolist()


def test_everybody_asked_at_once_is_each_asked_alone() -> None:
    model = Recommender(timed_bundle())
    moments = NOW - np.array([0, 3, 1, 9, 2, 400]) * DAY
    top = top_unseen(model, model.user_ids, 6, moments)
    for place, user in enumerate(model.user_ids.tolist()):
        alone = Recommender(model.bundle).recommend(user, 6, at=int(moments[place]))
        assert top[place].tolist() == [r.movie_id for r in alone]


@pytest.mark.parametrize("name", list(TIMED))
@pytest.mark.parametrize("harm", ["missing", "shorter"])
def test_a_broken_array_of_times_is_refused_and_a_whole_one_read(tmp_path, name, harm) -> None:
    bundle = timed_bundle()
    write_bundle(tmp_path, bundle)
    again = Recommender(read_bundle(tmp_path))
    assert again.recommend(30, 6) == Recommender(bundle).recommend(30, 6)
    file = tmp_path / f"timed_{name}.npy"
    if harm == "missing":
        file.unlink()
    else:
        np.save(file, np.load(file)[:-1])
    with pytest.raises(BundleError):
        Recommender.load(tmp_path)


@pytest.mark.parametrize(("family", "changed"), [("ease with stars", True), ("ease", False)])
def test_turned_stars_change_lists_where_they_are_read(monkeypatch, family, changed) -> None:
    monkeypatch.setattr("scoring.recommender.holdout_people.LIST_LENGTH", 3)  # of twelve titles
    model = Recommender(timed_bundle(family))
    rows = make_ratings(PEOPLE, TITLES)
    rows.user_ids[:] *= 10
    rows.movie_ids[:] = rows.movie_ids * 2 - 1
    found = turn_stars(model, HoldoutSplit.of(rows, rows), seed=1)
    assert found["people"] > 3
    assert (found["overlap"] < 1.0) is changed
    assert (found["disliked_reasons"] == 0) is changed


def test_recent_lists_are_of_the_four_weeks_before_each_person_asks() -> None:
    rows = make_ratings(40, 60)
    rows.times[:] = 1_000_000_000 + np.random.default_rng(6).integers(0, 100 * DAY, len(rows))
    held = np.arange(len(rows)) % 5 == 0
    split = HoldoutSplit.of(rows.take(~held), rows.take(held))
    catalogue = np.unique(rows.movie_ids)
    lists = recent_lists(split, catalogue, None)
    train, asked = split.train, split.moments
    assert asked is not None
    for place, user in enumerate(split.people.tolist()):
        hours = train.times // HOUR - int(asked[place]) // HOUR
        recent = train.movie_ids[(hours < 0) & (hours >= -28 * 24)]
        counts = {m: int((recent == m).sum()) for m in catalogue.tolist()}
        seen = set(train.movie_ids[train.user_ids == user].tolist())
        most = sorted((n for m, n in counts.items() if m not in seen), reverse=True)[:10]
        assert [counts[m] for m in lists[place].tolist()] == most
        assert not seen & set(lists[place].tolist())
