"""Pictures of places: in space from two sides."""

import numpy as np
import pytest

import liftless as ll
from liftless.figures import location_figure


@pytest.mark.parametrize(("dim", "views"), [(1, [(0, 1)]), (2, [(0, 1)]), (3, [(0, 1), (0, 2)])])
def test_every_view_shows_all_places(dim, views):
    X = np.random.default_rng(0).random((9, dim))
    pairs = np.array([(a, b) for a in range(9) for b in range(a) if (a, b) != (8, 7)])
    d = np.linalg.norm(X[pairs[:, 0]] - X[pairs[:, 1]], axis=1)
    found = ll.distances.locate(pairs, d, dim)
    figure = location_figure(found)
    assert len(figure.axes) == len(views) + 1
    at = np.pad(found.points, ((0, 0), (0, max(0, 2 - dim))))
    for axes, view in zip(figure.axes, views, strict=False):
        lines, *marks = axes.collections
        assert len(lines.get_segments()) == len(pairs)
        drawn = np.vstack([np.asarray(one.get_offsets()) for one in marks])
        np.testing.assert_allclose(
            np.sort(drawn, axis=0), np.sort(at[:, view], axis=0), rtol=0, atol=1e-12
        )
        assert [text.get_text() for text in axes.texts] == [str(name) for name in found.names]
    assert figure.axes[0].get_title(loc="left").startswith("exact")
