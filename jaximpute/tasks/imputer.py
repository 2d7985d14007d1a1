"""`Imputer`: methods that complete rows to come, as a scikit-learn transformer."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, no_type_check

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from jaximpute import registry
from jaximpute._errors import DataError, ImputationWarning, OptionError
from jaximpute.data import possible
from jaximpute.data.circles import quantiles
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame, read
from jaximpute.data.recode import holds_levels, recode
from jaximpute.engine.draws import no_draws
from jaximpute.engine.execution import Execution
from jaximpute.engine.hooks import CheckpointPolicy
from jaximpute.tasks import fitted, mixed, saving
from jaximpute.tasks.choose import inductive
from jaximpute.types import Hook, State


class Imputer(TransformerMixin, BaseEstimator):
    r"""Fill in tables inside scikit-learn pipelines.

    `fit` learns from the rows it is given; `transform` completes any rows, each on its own:
    :math:`\hat x_n = f(x_n^\mathrm{obs}; \theta)`. So a row gets the same answer alone, later,
    or in another order. Random methods draw from a key made of the row's own cells. Series and
    transductive methods have `impute`.

    Frames of pandas, polars and pyarrow may hold texts, categories and booleans beside numbers, and
    come back as frames. A level that `fit` has not seen stays as it is, and tells nothing of the
    other cells of its row. Dates and identifiers are not learned, and stay as they are.

    Args:
        method: a name of `registry.names("table")` that is inductive, or a method of your own (see
            `registry.named`), which cannot be saved; `auto` picks one.
        preset: `fast`, `balanced`, `best` or `paper`.
        random_state: int, `RandomState` or None, as everywhere in scikit-learn.
        missing_values: what marks a missing cell: NaN (which NA and None become), or a number.
        add_indicator: append the columns of a `MissingIndicator`.
        bounds: by a column's name (`x0` or its position without names) the least and greatest value
            that a missing cell may get, None for none; without it a column says so itself, see
            `data.possible.natural_bounds`.
        circular: columns of directions: names, or by name what they come back after (360).
        keep_empty_features: columns with nothing observed in `fit` cannot be learned. False drops
            them, with a warning that names them; True returns them as they are.
        options: of the method, by name.

    Attributes:
        fitted_: what was learned: `method_`, `codec_`, `seed_` and `state_` are parts of it.
        columns_: what each column of a frame with levels holds; None of numbers alone.
        indicator_: the fitted `MissingIndicator`, or None.
        n_features_in_: number of columns in `fit`.
        feature_names_in_: their names, if they are texts.

    Example:
        >>> import numpy as np
        >>> imputer = Imputer("mean").fit(np.array([[1.0, 4.0], [3.0, 8.0]]))
        >>> imputer.transform(np.array([[np.nan, 5.0]])).tolist()
        [[2.0, 5.0]]
        >>> import pandas as pd
        >>> pets = pd.DataFrame({"legs": [4, 2, 4, 2], "kind": ["cat", "hen", "cat", None]})
        >>> Imputer("mode").fit(pets).transform(pets)["kind"].tolist()
        ['cat', 'hen', 'cat', 'cat']
    """

    method: Any
    preset: str
    random_state: Any
    missing_values: Any
    add_indicator: bool
    keep_empty_features: bool
    options: Mapping[str, Any] | None
    bounds: Mapping[Any, Any] | None
    circular: Any

    @no_type_check  # scikit-learn's rule: the constructor stores whatever it is given
    def __init__(
        self,
        method: Any = "auto",
        *,
        preset: str = "balanced",
        random_state: Any = None,
        missing_values: Any = np.nan,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        options: Mapping[str, Any] | None = None,
        bounds: Mapping[Any, Any] | None = None,
        circular: Any = None,
    ):
        self.method = method
        self.preset = preset
        self.random_state = random_state
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.options = options
        self.bounds = bounds
        self.circular = circular

    def fit(self, X: Any, y: Any = None) -> "Imputer":
        """Learn from rows.

        Args:
            X: `(rows, columns)` numbers, or a frame.
            y: ignored.

        Returns:
            self.

        Raises:
            OptionError: unknown method, preset or option, or a method that cannot complete new
                rows.
            ValueError: an array of anything but numbers, or infinite values.
            DataError: a column of a frame mixes kinds of values.
        """
        self._fit(X)
        for text in self._notes:
            warnings.warn(text, ImputationWarning, stacklevel=2)
        return self

    def _fit(
        self,
        X: Any,
        whole: Sequence[str] = (),
        hooks_of: Callable[[registry.Plan], Sequence[Hook]] = lambda plan: plan.hooks,
        checkpoints: CheckpointPolicy | None = None,
        how: Execution | None = None,
    ) -> "Imputer":
        """`fit`, with columns named that hold whole numbers, hooks, checkpoints, and devices."""
        if levelled := holds_levels(X):
            validate_data(self, X, reset=True, skip_check_array=True)
            frame = mixed.read(X, self.missing_values)
        else:
            frame = read(self._validate(X, reset=True))
        name = inductive(self.method, "table", "use impute()")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        frame = self._described(frame, whole)
        self.columns_ = frame.columns if levelled else None
        self._notes = possible.notes(frame.columns, frame.values, hint=self.circular is None)
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False).fit(frame.values)
        self.fitted_ = fitted.fit(
            frame, name, self.preset, self.options, seed, hooks_of, checkpoints, how
        )
        self._notes += [
            f"column '{frame.columns[i].name}': {reason}; transform returns it as it is"
            for i, reason in self.codec_.unlearned.items()
            if frame.mask[:, i].any()
        ]
        self._drop_empty(frame)
        return self

    @property
    def method_(self) -> str:
        """Name of the method that was fitted."""
        return self.fitted_.name

    @property
    def codec_(self) -> Codec:
        """How the columns are standardised."""
        return self.fitted_.codec

    @property
    def state_(self) -> State:
        """What the method learned; None if there was nothing to learn."""
        return self.fitted_.state

    @property
    def seed_(self) -> int:
        """Drawn from `random_state`."""
        return self.fitted_.seed

    def transform(self, X: Any) -> Any:
        """Complete rows.

        Args:
            X: `(rows, columns)` numbers or a frame, the columns of `fit`.

        Returns:
            `(rows, columns kept)` in the float type of `X`; observed cells are bit-identical. With
            `set_output`, a pandas or polars frame. Of columns with levels, a frame like `X`.

        Raises:
            DataError: a column holds levels where numbers were learned, or the other way round.
        """
        check_is_fitted(self)
        if self.columns_ is not None:
            return self._complete_levels(X, flag=True)
        X = self._validate(X, reset=False)
        result = self._complete(X).values[:, self._kept]
        if self.indicator_ is None:
            return result
        return np.hstack([result, self.indicator_.transform(X).astype(X.dtype)])

    def sample(self, X: Any, n: int = 5) -> Any:
        """Complete rows at random, several times.

        Args:
            X: see `transform`.
            n: number of completions, at least 1.

        Returns:
            `(n, rows, columns kept)`; observed cells are bit-identical in each. No indicator. Of
            columns with levels, a list of `n` frames.

        Raises:
            OptionError: the method fitted does not draw, or `n` out of range.
        """
        check_is_fitted(self)
        if n < 1:
            raise OptionError(f"n is {n}; expected at least 1")
        if not registry.entry(self.method_).draws:
            raise OptionError(no_draws("table"))
        if self.columns_ is not None:
            return [self._complete_levels(X, number) for number in range(1, n + 1)]
        X = self._validate(X, reset=False)
        draws = [self._complete(X, number).values for number in range(1, n + 1)]
        return np.stack(draws)[..., self._kept]

    def quantiles(self, X: Any, levels: Any = (0.05, 0.5, 0.95), n: int = 100) -> np.ndarray:
        """Quantiles of `n` random completions, cell by cell.

        Args:
            X: see `transform`.
            levels: of the quantiles, in [0, 1].
            n: number of completions.

        Returns:
            `(levels, rows, columns kept)`.

        Raises:
            OptionError: see `sample`; or some columns have levels.
        """
        check_is_fitted(self)
        if self.columns_ is not None:
            raise OptionError("levels have no quantiles; sample() gives whole completions")
        draws = self.sample(X, n)
        found = np.quantile(draws, levels, axis=0)
        for circle in self.codec_.circles:
            j = int(self._kept[: circle.column].sum())
            found[..., j] = quantiles(circle, draws[..., j], levels)
        return found.astype(draws.dtype)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that `transform` returns.

        Args:
            input_features: names of the columns of `fit`; by default those it saw, or `x0`, `x1`.

        Returns:
            Names of the columns kept, then of the indicator's.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.indicator_ is None:
            return names[self._kept]
        return np.concatenate([names[self._kept], self.indicator_.get_feature_names_out(names)])

    def save(self, path: Any, *, force: bool = False) -> None:
        """Write the fitted imputer to a folder, whole or not at all.

        Args:
            path: the folder; its parent exists.
            force: replace an imputer saved there before.

        Raises:
            OutputError: it exists or cannot be written.
            OptionError: a setting that JSON cannot hold.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        saved = saving.Saved(
            settings={name: getattr(self, name) for name in saving.SETTINGS},
            columns=self.n_features_in_,
            names=None if names is None else names.tolist(),
            kept=self._kept,
            flagged=None if self.indicator_ is None else self.indicator_.features_,
            fitted=self.fitted_,
            described=self.columns_,
        )
        saving.save(saved, path, force=force)

    @staticmethod
    def load(path: Any) -> "Imputer":
        """Read what `save` wrote; its answers are bit-identical.

        Args:
            path: the folder.

        Returns:
            A fitted imputer.

        Raises:
            DataError: nothing is saved there, or by a newer version, or it is damaged.
        """
        saved = saving.load(path)
        imputer = Imputer(**saved.settings)
        imputer.n_features_in_ = saved.columns
        if saved.names is not None:
            imputer.feature_names_in_ = np.array(saved.names, object)
        imputer.fitted_, imputer._kept = saved.fitted, saved.kept
        imputer.columns_ = saved.described
        imputer.indicator_ = None
        if saved.flagged is not None:
            rows = np.zeros((1, saved.columns))
            rows[:, saved.flagged] = np.nan
            imputer.indicator_ = MissingIndicator(error_on_new=False).fit(rows)
        return imputer

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = pd.isna(self.missing_values)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "fitted_" in state:
            # a method is closures, which do not pickle
            leaves = fitted.leaves(self.fitted_)
            state["fitted_"] = self.fitted_._replace(plan=None, state=leaves)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "fitted_" in state:
            leaves = self.fitted_.state
            self.fitted_ = fitted.rebuild(self.fitted_, leaves, "the pickle", "fit again")

    def _validate(self, X: Any, reset: bool) -> np.ndarray:
        marked_by_nan = pd.isna(self.missing_values)
        X = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if marked_by_nan else True,
        )
        return X if marked_by_nan else np.where(self.missing_values == X, np.nan, X)

    def _described(self, frame: Frame, whole: Sequence[str]) -> Frame:
        """The rows given to `fit`, under the names of their columns and with what these hold."""
        names = _check_feature_names_in(self)
        columns = tuple(
            column._replace(name=str(name), kind="integer" if name in whole else column.kind)
            for column, name in zip(frame.columns, names, strict=True)
        )

        def known(name: Any) -> Any:  # a position, where columns have no names
            named = hasattr(self, "feature_names_in_") or name in names
            return name if named else f"x{name}"

        bounds, circular = self.bounds, self.circular
        if isinstance(bounds, Mapping):
            bounds = {known(name): pair for name, pair in bounds.items()}
        if isinstance(circular, Mapping):
            circular = {known(name): period for name, period in circular.items()}
        elif isinstance(circular, Sequence) and not isinstance(circular, str):
            circular = [known(name) for name in circular]
        return frame._replace(columns=possible.tell(columns, bounds, circular))

    def _complete(self, X: np.ndarray, number: int = 0) -> fitted.Completed:
        """One completion; random methods give another for each number."""
        filled = fitted.complete(self.fitted_, X.astype(np.float64), number)
        return filled._replace(values=np.where(np.isnan(X), filled.values.astype(X.dtype), X))

    def _complete_levels(self, X: Any, number: int = 0, flag: bool = False) -> Any:
        """One completion of a frame with levels, with the indicator's columns if asked for."""
        if not hasattr(X, "columns") and not hasattr(X, "column_names"):
            raise DataError(f"this is {type(X).__name__}; expected a frame with the columns of fit")
        validate_data(self, X, reset=False, skip_check_array=True)
        frame, cells = recode(mixed.read(X, self.missing_values), self.columns_ or ())
        flags = {}
        if flag and self.indicator_ is not None:
            names = self.indicator_.get_feature_names_out(_check_feature_names_in(self))
            flags = dict(zip(names, self.indicator_.transform(frame.values).T, strict=True))
        values = fitted.complete(self.fitted_, cells, number).values
        return mixed.write(X, frame, values, self._kept, flags)

    def _drop_empty(self, frame: Frame) -> None:
        self._kept = np.asarray(self.keep_empty_features | frame.mask.any(axis=0))
        if self._kept.all():
            return
        names = ", ".join(f"'{name}'" for name in _check_feature_names_in(self)[~self._kept])
        warnings.warn(
            f"columns {names} are entirely missing in the rows given to fit and cannot be learned; "
            "transform drops them. keep_empty_features=True returns them as they are",
            ImputationWarning,
            stacklevel=4,  # over `_fit` and `fit`
        )
