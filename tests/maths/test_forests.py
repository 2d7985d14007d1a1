"""Trees as arrays against the models of scikit-learn that they were taken from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)

import jaximpute as ji
from jaximpute.engine.threads import alone
from jaximpute.maths import forests
from jaximpute.maths.grown import Size, forest

LEVELS = (3, 40)  # of the last two columns; the second needs two words
predict = jax.jit(forests.predict)


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads that share a busy processor wait for one another, in every tree."""
    with alone():
        yield


def _rows(seed, n=300):
    """Numbers, some of them tied, and two categories with levels left out; a tenth is missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    x[:, 2] = x[:, 2].round(1)
    x[:, 3] = rng.integers(0, LEVELS[0], n)
    x[:, 4] = 2 * rng.integers(0, LEVELS[1] // 2, n)  # never an odd level
    y = x[:, 0] + 2 * (x[:, 3] == 1) * x[:, 1] + np.sin(x[:, 4])
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, np.nan_to_num(y) + 0.1 * rng.normal(size=n)


def _boosted(kind, **options):
    return kind(max_iter=20, min_samples_leaf=5, random_state=0, **options)


REGRESSORS = {
    "squares": _boosted(HistGradientBoostingRegressor),
    "absolute": _boosted(HistGradientBoostingRegressor, loss="absolute_error"),
    "quantile": _boosted(HistGradientBoostingRegressor, loss="quantile", quantile=0.9),
    "native": _boosted(HistGradientBoostingRegressor, categorical_features=[3, 4]),
    "one_native": _boosted(HistGradientBoostingRegressor, categorical_features=[4]),
    "extra": ExtraTreesRegressor(20, random_state=0),
    "random": RandomForestRegressor(10, min_samples_leaf=3, random_state=0),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_predictions_equal_scikit_learns(name):
    x, y = _rows(0)
    model = REGRESSORS[name].fit(x, y)
    new = _rows(1)[0]
    new[:3, 4] = [1.0, 39.0, 250.0]  # levels that were never seen, one beyond those that count
    found = predict(forest(model), jnp.asarray(new))[:, 0]
    np.testing.assert_allclose(found, model.predict(new), rtol=2e-6, atol=2e-6)


def test_rows_on_a_threshold_end_in_the_same_leaf():
    # thresholds halfway between two neighbouring floats: rounded to nearest, half would go wrong
    x = np.repeat(np.float32(4) + np.arange(64, dtype=np.float32) * np.float32(2**-21), 4)[:, None]
    assert len(np.unique(x)) == 64
    y = np.arange(len(x)) // 4 % 2 * 1.0
    model = RandomForestRegressor(5, random_state=0).fit(x, y)
    assert min(tree.get_n_leaves() for tree in model.estimators_) > 20
    np.testing.assert_array_equal(forests.leaves(forest(model), jnp.asarray(x)), model.apply(x))
    np.testing.assert_allclose(predict(forest(model), jnp.asarray(x))[:, 0], model.predict(x))


def test_doubles_keep_their_digits():
    x, y = (a.astype(float) for a in _rows(0))
    model = REGRESSORS["native"].fit(x, y)
    with jax.enable_x64(True):
        found = predict(forest(model, dtype=np.float64), jnp.asarray(x))[:, 0]
        np.testing.assert_allclose(found, model.predict(x), rtol=1e-13)


@pytest.mark.parametrize("classes", [2, 4])
def test_classes_equal_scikit_learns(classes):
    x, y = _rows(0)
    level = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    model = _boosted(HistGradientBoostingClassifier, categorical_features=[3, 4]).fit(x, level)
    found = np.squeeze(predict(forest(model), jnp.asarray(x)))
    np.testing.assert_allclose(found, model.decision_function(x), rtol=1e-5, atol=1e-5)
    model = ExtraTreesClassifier(10, min_samples_leaf=4, random_state=0).fit(x, level)
    found = predict(forest(model), jnp.asarray(x))
    np.testing.assert_allclose(found, model.predict_proba(x), atol=1e-6)


def test_several_outputs_equal_scikit_learns():
    x, y = _rows(0)
    model = ExtraTreesRegressor(7, random_state=0).fit(x, np.column_stack([y, y**2, -y]))
    np.testing.assert_allclose(
        predict(forest(model), jnp.asarray(x)), model.predict(x), rtol=2e-6, atol=2e-6
    )


def test_padding_changes_nothing_and_rows_do_not_meet():
    x, y = _rows(0)
    model = REGRESSORS["native"].fit(x, y)
    exact, padded = forest(model), forest(model, Size(40, 99, 70, 3))
    assert padded.feature.shape == (40, 99)
    assert padded.sets.shape == (40, 70, 3)
    rows = jnp.asarray(x[:50])
    together = predict(padded, rows)
    np.testing.assert_allclose(together, predict(exact, rows), rtol=1e-6)
    alone = jax.vmap(lambda row: forests.predict(padded, row[None])[0])(rows)
    np.testing.assert_allclose(alone, together, rtol=1e-6)


def test_what_is_no_forest_is_named():
    x, y = _rows(0)
    with pytest.raises(ji.OptionError, match="dict is no fitted"):
        forest({})
    with pytest.raises(ji.OptionError, match="there are 20 trees; expected at most 7"):
        forest(REGRESSORS["extra"].fit(x, y), Size(trees=7))
    x[:, 4] = np.where(np.isnan(x[:, 4]), np.nan, x[:, 4] + 0.5)
    with pytest.raises(ji.OptionError, match="column 4 is a category"):
        forest(REGRESSORS["native"].fit(x, y))
