"""Recommenders of others on one split of a table of ratings, tuned inside what they are shown.

Run by ``table_ratings.py`` with an interpreter that has scikit-surprise and cmfrec, so that the
library's own environment need not: reads an archive with arrays ``shown`` and ``hidden`` of shape
(k, 3), user, item and rating, and prints a JSON object a peer.  A tenth of what is shown chooses
among the settings; the best is fitted to all of it.

Usage: python benchmarks/table_peers.py SPLIT.npz
"""

import json
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

#: Factors, epochs, learning rate and penalty of gradient descent.
SURPRISE = ((100, 50, 0.01, 0.1), (100, 100, 0.005, 0.1), (50, 100, 0.005, 0.1),
            (200, 100, 0.005, 0.1), (100, 50, 0.005, 0.05), (100, 150, 0.003, 0.1))  # fmt: skip
#: Factors and penalty of alternating least squares.
CMFREC = ((20, 5.0), (20, 10.0), (20, 20.0), (50, 10.0), (50, 20.0), (50, 40.0))

Guess = Callable[[np.ndarray], np.ndarray]


def surprise(shown: np.ndarray, setting: tuple) -> Guess:
    """Biased matrix factorisation by stochastic gradient descent."""
    import pandas
    from surprise import SVD, Dataset, Reader

    frame = pandas.DataFrame(shown, columns=["user", "item", "rating"])
    reader = Reader(rating_scale=(shown[:, 2].min(), shown[:, 2].max()))
    data = Dataset.load_from_df(frame, reader).build_full_trainset()
    factors, epochs, rate, penalty = setting
    model = SVD(n_factors=factors, n_epochs=epochs, lr_all=rate, reg_all=penalty, random_state=0)
    model.fit(data)
    return lambda pairs: np.array([model.predict(u, i).est for u, i in pairs])


def cmfrec(shown: np.ndarray, setting: tuple) -> Guess:
    """Biased matrix factorisation by alternating least squares."""
    import pandas
    from cmfrec import CMF

    frame = pandas.DataFrame(shown, columns=["UserId", "ItemId", "Rating"])
    factors, penalty = setting
    model = CMF(k=factors, lambda_=penalty, nthreads=1, verbose=False).fit(frame)
    low, high = shown[:, 2].min(), shown[:, 2].max()
    return lambda pairs: np.clip(model.predict(*pairs.T), low, high)


def judged(fit: Callable, settings: Iterable, shown: np.ndarray, hidden: np.ndarray) -> dict:
    """Tune, fit and predict; errors and seconds of processor."""
    inner = np.random.default_rng(0).permutation(len(shown)) % 10 == 0
    began, least, best, alone = time.process_time(), np.inf, (), 0.0
    for setting in settings:
        guess = fit(shown[~inner], setting)(shown[inner, :2])
        error = float(np.sqrt(np.mean((guess - shown[inner, 2]) ** 2)))
        if error < least:
            least, best = error, setting
    tuned = time.process_time()
    guess = fit(shown, best)
    alone = time.process_time()
    off = guess(hidden[:, :2]) - hidden[:, 2]
    return {
        "setting": best,
        "error": float(np.sqrt(np.mean(off**2))),
        "tuning": tuned - began,
        "fit": alone - tuned,
        "prediction": time.process_time() - alone,
    }


def main() -> None:
    with np.load(sys.argv[1]) as given:
        shown, hidden = given["shown"], given["hidden"]
    peers = (("Surprise", surprise, SURPRISE), ("cmfrec", cmfrec, CMFREC))
    print(json.dumps({name: judged(fit, grid, shown, hidden) for name, fit, grid in peers}))


if __name__ == "__main__":
    main()
