"""The front door for images: what it finds, what it says, what it refuses."""

import numpy as np
import pytest
from cli_tools import contents, run, strict_json

import liftless as ll
from liftless.phase.data import read
from liftless.phase.descent import error_of, problem_of
from liftless.phase.likelihood import counts_problem
from liftless.phase.result import fixed_phase, image_distance
from liftless.phase.scan import read_scan

RNG = np.random.default_rng(4)
SHAPE, L = (6, 4), 4
MASKS = np.exp(2j * np.pi * RNG.random((L, *SHAPE)))
IMAGE = RNG.standard_normal(SHAPE) + 1j * RNG.standard_normal(SHAPE)


def intensities(masks, image, norm="ortho"):
    axes = tuple(range(1, masks.ndim))
    return np.abs(np.fft.fftn(masks * image, axes=axes, norm=norm)) ** 2


B = intensities(MASKS, IMAGE)
SIGNS = RNG.choice([-1.0, 1.0], (L, *SHAPE))


def test_an_image_is_found_exactly_and_the_command_says_so(tmp_path):
    """By the command, of numpy.fft's own norm, with readings that are missing."""
    path, out, plot = tmp_path / "p.npz", tmp_path / "r.npz", tmp_path / "r.png"
    known = np.ones(B.shape, bool)
    known[0, 1, 2] = False
    b = np.where(known, intensities(MASKS, IMAGE, "backward"), np.nan)
    np.savez(path, intensities=b, masks=MASKS, known=known, norm="backward", truth=IMAGE)
    found = run("phase", path, "--json", "--quiet", "--out", out, "--plot", plot)
    assert found.code == 0, found.err
    fields = strict_json(found.out)
    assert fields["kind"] == "exact"
    assert fields["distance"] < 1e-8
    # To first order what is left of the misfit is what is wrong with the image.
    assert fields["error_estimate"] == pytest.approx(fields["distance"], rel=0.2)
    assert (fields["readings"], fields["unknowns"]) == (B.size - 1, 2 * IMAGE.size - 1)
    with np.load(out) as stored:
        assert image_distance(stored["image"], IMAGE) < 1e-8
    assert plot.stat().st_size > 1000


def test_mixed_precision_finds_the_same_image():
    """Searched in float32, found in float64; of readings of any size."""
    plain = ll.phase.retrieve(B, masks=MASKS)
    for size in (1.0, 1e30):
        mixed = ll.phase.retrieve(size * B, masks=MASKS, precision="mixed")
        assert mixed.kind == "exact"
        assert mixed.distance(np.sqrt(size) * plain.image) < 1e-9
        assert 0.3 * mixed.ffts < mixed.ffts_single < mixed.ffts
        assert mixed.summary()["precision"] == "mixed"
    assert plain.ffts_single == 0


@pytest.mark.slow
def test_reweighted_counts_reach_the_bound():
    """Many photons of a real image: error near that of the Fisher information, chi² near one."""
    x = RNG.random(SHAPE) + 0.5
    mean = intensities(SIGNS, x)
    scale = 2000 / mean.mean()
    counts = RNG.poisson(scale * mean).astype(float)
    result = ll.phase.retrieve(counts, masks=SIGNS, real=True, noise="poisson")
    assert result.kind == "fitted"
    assert 0.4 < result.chi2 < 1.8
    # The Jacobian of the scaled intensities over the roots of their variances, pixel by pixel.
    F = np.fft.fft2(SIGNS * np.eye(x.size).reshape(-1, 1, *SHAPE), norm="ortho")
    p = np.fft.fft2(SIGNS * x, norm="ortho")
    J = 2 * np.real(np.conj(p) * F).reshape(x.size, -1) * np.sqrt(scale / mean.ravel())
    bound = np.sqrt(np.trace(np.linalg.inv(J @ J.T))) / np.linalg.norm(x)
    assert result.distance(np.sqrt(scale) * x) < 2 * bound
    assert result.error_estimate == pytest.approx(bound, rel=0.5)
    assert result.ffts <= 700


def test_error_is_the_response_of_least_squares():
    """Against the normal equations of the whole Jacobian; the constant phase is left out."""
    data = read(B, MASKS, None, None, None, "ortho", real=False)
    problem = problem_of(data, 1 + data.b)
    X = problem.space.pack(IMAGE.reshape(-1, 1))
    s = np.random.default_rng(0).standard_normal(problem.m)
    J = np.asarray(problem.weights)[:, None] * np.asarray(problem.operator.jacobian(X))[:, :, 0]
    change = np.linalg.lstsq(J, s, rcond=1e-10)[0]
    error, applications = error_of(data, problem, X, s)
    assert error == pytest.approx(np.linalg.norm(change) / np.linalg.norm(X), rel=0.05)
    assert applications <= 122


def test_counts_are_fitted_by_their_likelihood():
    """Over the whole grid, readings missing, of an image that is read by half the frequencies."""
    x = RNG.random(SHAPE) + 0.5
    counts = RNG.poisson(intensities(SIGNS, x)).astype(float)
    known = RNG.random(counts.shape) < 0.8
    data = read(counts, SIGNS, None, known, "poisson", "ortho", real=True)
    problem = counts_problem(data)
    levels = []
    for image in (x, x + RNG.random(SHAPE)):
        y = intensities(SIGNS, image) + 1e-12
        exact = np.sum((y - counts * np.log(y))[known])
        levels.append(problem.objective(image.reshape(-1, 1)) - exact)
    # Up to a constant: the mean of a pair has another entropy.
    assert levels[0] == pytest.approx(levels[1], rel=1e-9)


@pytest.mark.slow
def test_few_photons_end_at_maximum_likelihood():
    """Its gradient over the image vanishes, by numpy.fft alone."""
    counts = RNG.poisson(2 * B / B.mean()).astype(float)
    found = ll.phase.retrieve(counts, masks=MASKS, noise="poisson", budget=4000)
    P = np.fft.fftn(MASKS * found.image, axes=(1, 2), norm="ortho")
    terms = 2 * MASKS.conj() * np.fft.ifftn((1 - counts / np.abs(P) ** 2) * P, axes=(1, 2),
                                            norm="ortho")  # fmt: skip
    # Beside the gradient of the mean counts alone, which the others balance.
    assert np.linalg.norm(terms.sum(0)) < 0.02 * 2 * L * np.linalg.norm(found.image)
    assert found.history[-1]["event"] == "likelihood"


@pytest.mark.slow
def test_one_transform_and_a_tight_support():
    x = RNG.random((8, 6)) + 0.1
    b = np.abs(np.fft.fft2(x, (16, 12), norm="ortho")) ** 2
    result = ll.phase.retrieve(b, support=x.shape, real=True, seed=1)
    assert result.kind == "exact"
    found = result.image[:8, :6]
    assert min(image_distance(y, x) for y in (found, found[::-1, ::-1])) < 1e-6
    assert "turned by 180°" in result.message


PROBE = np.exp(-(np.hypot(*(np.indices((8, 8)) - 3.5)) ** 2) / 10) * (
    np.exp(0.4j * np.hypot(*(np.indices((8, 8)) - 3.5)) ** 2)
)
CORNERS = np.array([(i, j) for i in (0, 2, 4) for j in (0, 2, 4, 6)])


def scan(image, probe=PROBE, corners=CORNERS):
    h, w = probe.shape
    return np.stack([intensities((probe * image[i : i + h, j : j + w])[None], 1)[0]
                     for i, j in corners])  # fmt: skip


@pytest.mark.slow
def test_a_scanned_probe_by_the_command(tmp_path):
    x = (RNG.random((12, 14)) + 0.5) * np.exp(1j * RNG.random((12, 14)))
    path, plot = tmp_path / "s.npz", tmp_path / "s.png"
    np.savez(path, intensities=scan(x), probe=PROBE, positions=CORNERS, truth=x)
    found = run("phase", path, "--json", "--quiet", "--plot", plot)
    assert found.code == 0, found.err
    fields = strict_json(found.out)
    assert fields["kind"] == "exact"
    assert fields["distance"] < 1e-6
    assert "little light" in fields["message"]
    assert plot.stat().st_size > 1000


def test_windows_that_share_no_pixel_are_told():
    x = RNG.random((4, 8))
    corners, probe = np.array([(0, 0), (0, 4)]), np.exp(1j * np.arange(16.0)).reshape(4, 4)
    b = scan(x, probe, corners)
    with pytest.warns(ll.InputWarning) as told:
        read_scan(b, probe, corners, None, None, None, "ortho", real=False)
    assert any("fall into 2 parts" in str(one.message) for one in told)


@pytest.mark.parametrize("real", [True, False])
def test_the_first_readings_are_those_that_were_given(real):
    """Of the half that real images are read by too."""
    x = IMAGE.real if real else IMAGE
    b = intensities(SIGNS if real else MASKS, x)
    data = read(b, SIGNS if real else MASKS, None, None, None, "ortho", real=real)
    np.testing.assert_allclose(data.pattern, b[0], rtol=1e-12)


@pytest.mark.slow
def test_a_budget_ends_a_search_and_more_readings_are_asked_for():
    with pytest.warns(ll.InputWarning, match="24 different readings are fewer than the 47"):
        result = ll.phase.retrieve(B[:1], masks=MASKS[:1], budget=40)
    assert result.ffts <= 44
    assert result.kind == "unfinished"
    assert "budget" in result.message


def test_phases_and_distances():
    image, c = fixed_phase(IMAGE * 1j)
    top = image.ravel()[np.argmax(np.abs(image))]
    assert (top.imag, abs(c)) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
    assert image_distance(1j * IMAGE, IMAGE) == pytest.approx(0, abs=1e-7)
    assert image_distance(-IMAGE.real, IMAGE.real) == 0
    assert image_distance(2 * IMAGE, IMAGE) == pytest.approx(1)


REAL_B = intensities(SIGNS, IMAGE.real)
NAN = np.where(np.arange(B.size).reshape(B.shape) == 5, np.nan, B)
BAD = {
    "masks of another number": ({"intensities": B[:2], "masks": MASKS}, "intensities was of shape"),
    "masks of one dimension": ({"intensities": B, "masks": MASKS[0, 0]}, "masks was"),
    "no masks": ({"intensities": B}, "masks was left out"),
    "negative": ({"intensities": B - 1, "masks": MASKS}, "intensities was negative"),
    "zero": ({"intensities": 0 * B, "masks": MASKS}, "intensities was all zero"),
    "NaN": ({"intensities": NAN, "masks": MASKS}, "intensities was not finite at index (0, 1, 1)"),
    "complex": ({"intensities": B * 1j, "masks": MASKS}, "Intensities are squared moduli"),
    "real called complex": ({"intensities": REAL_B, "masks": SIGNS}, "real was False, but"),
    "complex called real": (
        {"intensities": intensities(SIGNS, IMAGE), "masks": SIGNS, "real": 1},
        "not the same at frequency k",
    ),
    "known": ({"intensities": B, "masks": MASKS, "known": np.ones(3, bool)}, "known was"),
    "nothing known": ({"intensities": B, "masks": MASKS, "known": 0 * B > 1}, "known was false"),
    "support": ({"intensities": B[0], "support": np.ones((2, 2), bool)}, "support was"),
    "box": ({"intensities": B[0], "support": np.array([9, 1])}, "support was (9, 1)"),
    "noise": ({"intensities": B, "masks": MASKS, "noise": "loud"}, "noise was 'loud'"),
    "sigma": ({"intensities": B, "masks": MASKS, "noise": -1.0}, "noise was not positive"),
    "norm": ({"intensities": B, "masks": MASKS, "norm": "unit"}, "norm was"),
    "real word": ({"intensities": B, "masks": MASKS, "real": 2}, "real was in the file"),
    "probe alone": ({"intensities": B, "probe": MASKS[0]}, "positions was left out"),
    "probe beside masks": (
        {"intensities": B, "masks": MASKS, "probe": MASKS[0]},
        "masks was given",
    ),
    "positions": ({"intensities": B, "probe": MASKS[0], "positions": [0.5]}, "positions was"),
    "outside": (
        {"intensities": B, "probe": MASKS[0], "positions": [[0, 0], [1, -1], [0, 1], [1, 1]]},
        "positions was (1, -1) at index 1",
    ),
    "windows": ({"intensities": B, "probe": MASKS[0], "positions": [[0, 0]]}, "intensities was of"),
    "image too small": (
        {"intensities": B[:1], "probe": MASKS[0], "positions": [[0, 0]], "shape": [3, 3]},
        "shape was",
    ),
    "no intensities": ({"masks": MASKS}, "intensities was missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_is_written(case, tmp_path):
    arrays, culprit = BAD[case]
    path = tmp_path / "p.npz"
    np.savez(path, **arrays)
    before = contents(tmp_path)
    found = run("phase", path, "--quiet", "--out", tmp_path / "r.npz")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: ")
    assert found.err.count("\n") == 1
    assert culprit in found.err
    assert contents(tmp_path) == before


def test_an_unknown_precision_is_refused(tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, intensities=B, masks=MASKS)
    found = run("phase", path, "--quiet", "--precision", "half")
    assert (found.code, found.out) == (2, "")
    assert found.err == (
        "error: precision was 'half'; it must be 'float64', or 'mixed' for a search in float32 "
        "that ends in float64.\n"
    )
