"""Completion as an estimator of scikit-learn (extra ``sklearn``).

>>> import numpy as np
>>> from liftless.sklearn import LowRankImputer
>>> X = np.outer([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, -1.0, 2.0, 0.5])
>>> X[1, 2] = np.nan
>>> LowRankImputer(rank=1, standardise=False, folds=0).fit_transform(X)[1].round(6)
array([ 2., -2.,  4.,  1.])
"""

import math
from numbers import Integral
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.tables import complete

try:
    from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:  # pragma: no cover - with the extra there is nothing to say
    if error.name != "sklearn":
        raise
    message = "scikit-learn is missing; install it with: pip install 'liftless[sklearn]'"
    raise ModuleNotFoundError(message, name="sklearn") from None


class LowRankImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fill missing values by a matrix of low rank beside effects of rows and columns.

    Parameters
    ----------
    rank : int or "auto"
        As for :func:`liftless.complete`; chosen by it where "auto".
    additive : bool, optional
        Whether rows and columns have effects of their own; by default by holding out.
    standardise : bool
        Whether columns are brought to mean 0 and deviation 1 before and back afterwards, so that
        their units do not matter.
    folds, max_rank : int
        As for :func:`liftless.complete`.  More folds than entries are not used.
    min_value, max_value : float
        Range of what is filled in.
    random_state : int, RandomState or None
        Of first messages and folds; None stands for 0, so that the same data give the same answer.

    Attributes
    ----------
    completed_ : CompletedTable
        Of the training rows, standardised if they are.
    rank_ : int
    sigma_ : float
        Noise of an entry, in units of a standardised column.
    mean_, scale_ : arrays of shape (n_features,)
    n_features_in_ : int
    feature_names_in_ : array of shape (n_features,)
        Where the columns have names.

    Notes
    -----
    What is given stays as it is.  New rows, and the training rows alike, are filled by one
    regression each on the columns' factors (:meth:`liftless.CompletedTable.fold_in`).  A column
    without an entry in training is filled with what it has in common with the others, a row without
    one with the columns' means.
    """

    def __init__(
        self,
        rank: int | str = "auto",
        *,
        additive: bool | None = None,
        standardise: bool = True,
        folds: int = 5,
        max_rank: int = 12,
        min_value: float = -math.inf,
        max_value: float = math.inf,
        random_state: Any = None,
    ) -> None:
        self.rank = rank
        self.additive = additive
        self.standardise = standardise
        self.folds = folds
        self.max_rank = max_rank
        self.min_value = min_value
        self.max_value = max_value
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "LowRankImputer":
        """Learn the columns' factors.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            With NaN where values are missing.
        y : None
            Not used.

        Raises
        ------
        InvalidInput
            For data or parameters that cannot be used.
        """
        del y
        if not self.min_value < self.max_value:
            raise InvalidInput("min_value", self.min_value, f"below max_value, {self.max_value}")
        X = validate_data(self, X, dtype=(np.float64, np.float32), ensure_all_finite="allow-nan")
        X = X.astype(np.float64)
        self.mean_, self.scale_ = self._units(X)
        Z = (X - self.mean_) / self.scale_
        entries = int(np.count_nonzero(~np.isnan(Z)))
        self.completed_ = complete(
            Z,
            self.rank,
            symmetric=False,
            additive=self.additive,
            clip=None,
            folds=self.folds if self.folds < entries or entries < 2 else entries,
            max_rank=self.max_rank,
            seed=self._seed(),
        )
        self.rank_, self.sigma_ = self.completed_.rank, self.completed_.sigma
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Fill the missing values of rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            dtype=(np.float64, np.float32),
            reset=False,
            copy=True,
            ensure_all_finite="allow-nan",
        )
        missing = np.isnan(X)
        for k in np.flatnonzero(missing.any(axis=1)):
            hole = missing[k]
            at = np.flatnonzero(~hole)
            known = (X[k, at] - self.mean_[at]) / self.scale_[at]
            filled = self.completed_.fold_in(at, known.astype(np.float64))
            filled = filled * self.scale_ + self.mean_
            X[k, hole] = np.clip(filled, self.min_value, self.max_value)[hole]
        return X

    def _units(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of every column; 0 and 1 for one without an entry."""
        if not self.standardise:
            return np.zeros(X.shape[1]), np.ones(X.shape[1])
        seen = ~np.isnan(X)
        count = np.maximum(seen.sum(axis=0), 1)
        mean = np.where(seen, X, 0.0).sum(axis=0) / count
        off = np.where(seen, X - mean, 0.0)
        scale = np.sqrt((off**2).sum(axis=0) / count)
        # What is left of a constant column is round-off.
        flat = scale <= 1e-12 * np.abs(mean)
        return mean, np.where(flat | (scale == 0), 1.0, scale)

    def _seed(self) -> int:
        if self.random_state is None:
            return 0
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def __sklearn_tags__(self) -> Any:
        """Say that NaN is allowed, and that single precision is kept."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
