"""Complete a table with holes: what it is, how much of it is noise, which rank, what is missing."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless._show import printing
from liftless._threads import few_threads
from liftless.tables.choose import FOLDS, MOST, Asked, check_folds, chosen, largest_rank
from liftless.tables.completed import COVER, CompletedTable, normal_quantile
from liftless.tables.exact import Shown, shown_by
from liftless.tables.fit import Fits
from liftless.tables.table import Table, as_table

#: Different values of a table up to which it is one of grades: predictions keep to their range.
GRADES = 12


@double
def complete(
    data: Any,
    rank: int | str = "auto",
    *,
    row: Any = None,
    col: Any = None,
    value: Any = None,
    weights: Any = None,
    symmetric: bool | None = None,
    additive: bool | None = None,
    clip: Any = "auto",
    folds: int = FOLDS,
    max_rank: int = MOST,
    robust: bool = False,
    seed: int = 0,
    callback: Callable[[dict], None] | None = None,
    verbose: bool = False,
) -> CompletedTable:
    """Complete a table with holes.

    Parameters
    ----------
    data : array with NaN, masked array, sparse matrix, DataFrame, or (rows, cols, values)
        See :func:`liftless.tables.as_table`; identifiers may be of any type.
    rank : int or "auto"
        Of the matrix beside the mean and effects.  By default that of exact data, else the one at
        which a gap of the learned spectrum shows where noise begins, else by holding out.
    row, col, value : str, optional
        Columns of a long DataFrame.
    weights : array or str, optional
        Reciprocal standard deviations of the noise.
    symmetric : bool, optional
        Whether (i, j) and (j, i) are one entry; by default told from the data.
    additive : bool, optional
        Whether rows and columns have effects of their own; by default by holding out.
    clip : (low, high), None or "auto"
        Range of the predictions; by default that of the data where they are grades (at most a dozen
        different values), and none else.
    folds : int
        Parts of which each is held out once, at least 2; 0 to hold nothing out.
    max_rank : int
        Largest rank that is tried.
    robust : bool
        Whether gross errors are expected: an entry that is more than three predicted deviations
        off, for the noise that is learned, loses weight, so that a few wrong ones do no harm.
    seed : int
        Of first messages and folds; the only randomness.
    callback : callable, optional
        Called with a dictionary after every sweep and every model that was tried.
    verbose : bool
        Whether to print a line for each model that was tried on standard error.

    Returns
    -------
    CompletedTable
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        For data or arguments that cannot be used.

    Notes
    -----
    Noisy tables are completed by cavity belief propagation (``docs/completion.md``) beside effects
    with learned variances: no penalty is to be chosen.
    """
    table = as_table(data, row=row, col=col, value=value, weights=weights, symmetric=symmetric)
    seed = positive_int("seed", seed, least=0)
    folds = positive_int("folds", folds, least=0)
    if folds == 1:
        raise InvalidInput("folds", 1, "at least 2, or 0 to hold nothing out")
    check_folds(table, folds)
    most = largest_rank(table, positive_int("max_rank", max_rank))
    if rank != "auto":
        most = positive_int("rank", rank, least=0, most=min(table.shape))
    fixed = None if rank == "auto" else most
    callback = printing(callback, verbose)
    asked = Asked(fixed, most, additive, folds, seed, bool(robust), callback)
    with few_threads(sum(table.shape)):
        return _completed(table, asked, _range(table, clip))


def _completed(table: Table, asked: Asked, clip: tuple[float, float] | None) -> CompletedTable:
    # Beside effects up to two ranks more are tried without them.
    room = asked.most + (2 if asked.additive is None else 0)
    fits = Fits(table, room, asked.seed, robust=asked.robust, progress=asked.callback)
    shown = Shown(None, None)
    if not asked.additive and asked.most > 0:
        shown = shown_by(fits, False, asked.most)
        model = shown.exact
        if model is not None:
            return CompletedTable(
                table, model, "exact", model.rank, False, 0.0, math.nan, 1.0, (), clip, asked.seed
            )
    best, search = chosen(fits, asked, shown)
    near = None if search is None else search.nearest(best)
    model = fits.model(fits.fit(best.rank, best.additive, after=near))
    scale = 1.0
    if best.scores.size:
        scale = float(np.quantile(best.scores, COVER)) / normal_quantile(COVER)
    return CompletedTable(
        table,
        model,
        # A matrix that was learned with noise is no exact fit, even where the noise came out as 0.
        "exact" if model.sigma == 0 and model.low is None and not asked.robust else "noise",
        model.rank,
        best.additive,
        model.sigma,
        best.error,
        scale,
        () if search is None else tuple(search.tried),
        clip,
        asked.seed,
    )


def _range(table: Table, clip: Any) -> tuple[float, float] | None:
    if clip is None:
        return None
    if isinstance(clip, str) and clip == "auto":
        few = np.unique(table.y).size <= GRADES and table.y.size > 10 * GRADES
        return (float(table.y.min()), float(table.y.max())) if few else None
    try:
        low, high = (float(end) for end in clip)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not low < high:
        raise InvalidInput("clip", describe(clip), "(low, high), None or 'auto'")
    return low, high
