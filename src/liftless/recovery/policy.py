"""The constants of a recovery, each with the measurement that chose it; another set can be passed.

Chosen on instances just above the sampling limit, apart from those that are reported
(``docs/global-recovery.md``).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """How a recovery decides.

    Attributes
    ----------
    stuck : float
        ‖∇h‖ ‖X‖ / h at which a local solve counts as stuck.
    polished : float
        The same of the point that is reported.
    lower : float
        A level of h counts as lower only if it is by this fraction: hysteresis against round-off.
    near : float
        Share of h(0) below which Levenberg–Marquardt is as good from a poor start as from a good.
    promising : float
        A hopeless point is descended from all the same if its h is below this multiple of the least
        so far: under noise the optimum's h is not zero, and only converged levels can be compared.
    most_waiting, same : int, float
        Without a noise level that can wait, since an exact fit needs none of it: so many of the
        lowest points at most are converged at the end of a cycle, and of those nearer to each other
        than this, relatively, only one.
    converge : int
        Most work of that: some minima are degenerate, and descent in them takes for ever.
    polish, polish_left : float
        Share of the budget that the last polish may take beyond it, and work of what is left of it
        that it may take, or a third of that where this is more.
    agree : int
        Rounds that must end at the lowest level before it counts as agreed upon.
    agree_rare, chance : int, float
        The same where a misfit as small would be met by chance with that probability at most.
    agree_near : float
        Relative distance within which two rounds' matrices are the same.
    agree_rows, settled_rows : float
        Measurements a degree of freedom from which agreement says something, and from which it ends
        a search.  Of eight exact Gaussian problems with 1.05, three had a wrong level that three of
        the first four rounds ended at.
    settled_excess : int
        The same as a number of measurements beyond the degrees of freedom: tiny problems have few
        wrong levels, and several starts end at one of them by chance (2 of 75 exact Gaussian ones
        with 5 to 8).
    probes : int
        Most cheap starts by which agreement is looked for after the first round.
    candidate : int
        Applications charged for a candidate of an escape: one eigenproblem, a line, a value.
    noisy_rounds : int
        Rounds without improvement after which a noisy problem is given up.
    shared_width : int
        Below this n·width all local solves share one compiled width, padded with zero columns.
    """

    stuck: float = 1e-4
    polished: float = 1e-10
    lower: float = 1e-6
    near: float = 1e-2
    promising: float = 1.1
    most_waiting: int = 3
    same: float = 0.1
    converge: int = 400
    polish: float = 0.05
    polish_left: float = 2000.0
    agree: int = 3
    agree_rare: int = 2
    chance: float = 1e-12
    agree_near: float = 0.03
    agree_rows: float = 1.2
    settled_rows: float = 2.0
    settled_excess: int = 12
    probes: int = 4
    candidate: int = 5
    noisy_rounds: int = 2
    shared_width: int = 512
