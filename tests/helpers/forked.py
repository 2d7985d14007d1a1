"""Calls in other processes: `python -m tests.helpers.forked fork|spawn|loky`; prints what came."""

import multiprocessing
import sys
import warnings

import numpy as np

X = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 6.0]])


def fill(seed: int) -> float | str:
    import jaximpute as ji

    try:
        return float(ji.impute(X, "mean", seed=seed)[1, 1])
    except ji.JaximputeError as error:
        return str(error)


def main(how: str) -> None:
    warnings.simplefilter("ignore")  # of forks, by Python and JAX
    print(fill(0))  # noqa: T201
    if how == "loky":
        from joblib.externals.loky import get_reusable_executor  # behind joblib.Parallel

        found = list(get_reusable_executor(max_workers=1).map(fill, range(2)))
    else:
        with multiprocessing.get_context(how).Pool(1) as pool:
            found = pool.map(fill, range(2))
    print(*found, sep="\n")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
