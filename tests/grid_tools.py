"""A grid of three buses in MATPOWER's text, and its equations by hand."""

import numpy as np

CASE = """function mpc = case3
%% a comment; with [brackets]
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
\t10\t3\t0\t0\t0\t0\t1\t1.02\t0\t230\t1\t1.1\t0.9;
\t20\t1\t60\t20\t0\t5\t1\t0.99\t-3\t230\t1\t1.1\t0.9;  % load
\t40\t1\t30\t10\t1\t0\t1\t0.98\t-4\t230\t1\t1.1\t0.9
];
mpc.gen = [ 10 90 40 100 -100 1.02 100 1 200 0; ];
mpc.branch = [
 10 20 0.02 0.10 0.04 0 0 0 0    0  1 -360 360;
 20 40 0.03 0.12 0.02 0 0 0 0.97 10 1 -360 360;
 10 40 0.01 0.20 0.00 0 0 0 0    0  1 -360 360;
 10 40 0.05 0.20 0.00 0 0 0 0    0  1 -360 360;
 10 20 0.05 0.20 0.00 0 0 0 0    0  0 -360 360;
];
"""
#: from, to, z, total charging, ratio, shift in degrees of the branches in service
LINES = (
    (0, 1, 0.02 + 0.10j, 0.04, 1.0, 0.0),
    (1, 2, 0.03 + 0.12j, 0.02, 0.97, 10.0),
    (0, 2, 0.01 + 0.20j, 0.0, 1.0, 0.0),
    (0, 2, 0.05 + 0.20j, 0.0, 1.0, 0.0),
)
SHUNTS = np.array([0, 0.05j, 0.01])


def powers(v):
    """Injections and flows at both ends from Kirchhoff's and Ohm's laws, branch by branch."""
    current = SHUNTS * v
    sides = [[], []]
    for f, t, z, b, ratio, shift in LINES:
        tap = ratio * np.exp(1j * np.deg2rad(shift))
        inner = v[f] / tap  # behind the ideal transformer
        into = (inner - v[t]) / z
        low = into + 0.5j * b * inner
        high = -into + 0.5j * b * v[t]
        ends = (low / np.conj(tap), high)
        for k, (bus, i) in enumerate(zip((f, t), ends, strict=True)):
            current[bus] += i
            sides[k].append(v[bus] * np.conj(i))
    return v * np.conj(current), np.array(sides[0]), np.array(sides[1])


def ring(n=9, chords=4, seed=0):
    """MATPOWER tables of a meshed ring without shunts and shifts."""
    rng = np.random.default_rng(seed)
    bus = np.zeros((n, 13))
    bus[:, 0], bus[:, 1], bus[:, 7] = np.arange(1, n + 1), 1, 1.0
    bus[0, 1] = 3
    bus[1:, 2:4] = rng.uniform(5, 20, (n - 1, 2))
    ends = [(k, (k + 1) % n) for k in range(n)]
    ends += [(k, (k + n // 2) % n) for k in range(chords)]
    branch = np.zeros((len(ends), 13))
    branch[:, :2] = np.array(ends) + 1
    branch[:, 2] = rng.uniform(0.01, 0.03, len(ends))
    branch[:, 3] = rng.uniform(0.05, 0.15, len(ends))
    branch[:, 4], branch[:, 10] = 0.02, 1
    gen = np.zeros((1, 10))
    gen[0, [0, 7]] = 1
    v = rng.uniform(0.95, 1.05, n) * np.exp(1j * rng.uniform(-0.3, 0.3, n))
    return bus, branch, gen, v * np.exp(-1j * np.angle(v[0]))
