"""The estimator for scikit-learn: its own checks, and what it fills in."""

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from liftless.sklearn import LowRankImputer  # noqa: E402

N1, N2, R = 24, 18, 2  # one rank more, since the means of columns are taken off


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N1, R)) @ rng.standard_normal((R, N2))
    X = (X + 0.01 * rng.standard_normal(X.shape)) * 10.0 ** rng.integers(-2, 3, N2)
    return X, np.where(rng.random(X.shape) < 0.7, X, np.nan)


@pytest.mark.slow
@parametrize_with_checks([LowRankImputer(rank=1, folds=0, additive=False)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_table_of_low_rank_is_filled_in_whatever_the_units(data):
    X, D = data
    imputer = LowRankImputer(rank=R + 1, folds=0, additive=False).set_output(transform="default")
    filled = imputer.fit_transform(D)
    given = ~np.isnan(D)
    np.testing.assert_array_equal(filled[given], D[given])
    error = np.abs(filled - X) / np.abs(X).mean(axis=0)
    assert np.median(error[~given]) < 0.05
    new = X[:2] - X[2:4]
    hole = new.copy()
    hole[:, ::3] = np.nan
    again = imputer.transform(hole)
    np.testing.assert_allclose(again, new, atol=0.15 * np.abs(X).mean(axis=0).max())
    held = LowRankImputer(rank=R + 1, folds=0, additive=False, min_value=0.0).fit(D).transform(hole)
    assert held[:, ::3].min() >= 0


def test_it_works_in_a_pipeline_and_a_grid_with_names(data):
    pandas = pytest.importorskip("pandas")
    X, D = data
    frame = pandas.DataFrame(D, columns=[f"c{k}" for k in range(N2)])
    imputer = LowRankImputer(rank=R + 1, folds=0, additive=False).set_output(transform="pandas")
    out = imputer.fit_transform(frame)
    assert list(out.columns) == list(frame.columns)
    assert not out.isna().any().any()
    steps = make_pipeline(LowRankImputer(folds=0, additive=False), Ridge())
    grid = GridSearchCV(
        steps, {"lowrankimputer__rank": [0, R + 1]}, cv=[(np.arange(N1), np.arange(6))]
    )
    grid.fit(D, X[:, 0])
    assert grid.best_params_["lowrankimputer__rank"] == R + 1
