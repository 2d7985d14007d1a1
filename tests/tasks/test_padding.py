"""Tables padded to few numbers of rows."""

import jax
import numpy as np

import jaximpute as ji
from jaximpute.data.layout import in_few_sizes
from jaximpute.engine import loop


def test_tables_of_nearly_one_length_share_their_programs():
    # 97 to 112 rows are padded to 112
    rng = np.random.default_rng(0)
    x = rng.normal(size=(112, 1)) + 0.3 * rng.normal(size=(112, 3))
    x = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    filled = [ji.impute(x[:101], "gaussian")]
    programs = loop._initialise._cache_size(), loop._complete._cache_size()
    filled += [ji.impute(x[:n], "gaussian") for n in (97, 110)]
    assert programs == (loop._initialise._cache_size(), loop._complete._cache_size())
    assert all(np.isfinite(one).all() for one in filled)


def test_rows_of_padding_change_no_answer():
    rng, method = np.random.default_rng(1), ji.methods.gaussian()
    x = rng.normal(size=(101, 1)) + 0.3 * rng.normal(size=(101, 3))
    data = ji.observe(np.where(rng.random(x.shape) < 0.2, np.nan, x))
    answers = []
    for rows in (data, in_few_sizes(data)):
        state = ji.fit(method, jax.random.key(0), rows, 0)
        answers.append(ji.complete(method, jax.random.key(0), state, rows)[:101])
    assert np.allclose(*answers, atol=1e-5)
