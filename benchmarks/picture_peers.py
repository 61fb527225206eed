"""Pictures that come with scikit-learn and scikit-image, and scikit-learn's imputer.

Run by ``table_pictures.py`` with an interpreter that has both.

Usage: python benchmarks/picture_peers.py dump OUT.npz | impute TABLE.npy OUT.npy [NEAREST]
"""

import sys
import time

import numpy as np


def main() -> None:
    if sys.argv[1] == "dump":
        from skimage import data
        from sklearn.datasets import load_digits

        np.savez(sys.argv[2], digits=load_digits().data, camera=data.camera().astype(float))
        return
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    nearest = int(sys.argv[4]) if len(sys.argv) > 4 else None
    began = time.process_time()
    imputer = IterativeImputer(n_nearest_features=nearest, keep_empty_features=True, random_state=0)
    np.save(sys.argv[3], imputer.fit_transform(np.load(sys.argv[2])))
    print(time.process_time() - began)


if __name__ == "__main__":
    main()
