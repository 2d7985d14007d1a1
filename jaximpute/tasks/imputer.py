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
from jaximpute.tasks import fitted, mixed, ordered, saving
from jaximpute.tasks.choose import inductive
from jaximpute.types import Hook, State


class Imputer(TransformerMixin, BaseEstimator):
    r"""Fill in tables, and series below one another, inside scikit-learn pipelines.

    `fit` learns from the rows it is given; `transform` completes any rows, each on its own:
    :math:`\hat x_n = f(x_n^\mathrm{obs}; \theta)`. So a row gets the same answer alone, later,
    or in another order. Random methods draw from a key made of the row's own cells. Transductive
    methods have `impute`.

    With `time`, or `group`, frames hold series below one another, and what is completed on its own
    is a series: learned from all that `fit` is given, whatever their lengths, and filled alike
    among others or alone. One that `fit` has not seen is completed by what the others taught.

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
        time: of frames of series: the column of time stamps, or the level of an index; the index,
            which is then of dates, if there is only a `group`.
        group: the column or columns, or levels, that tell series below one another apart.
        max_gap: leave gaps of a series that are longer empty; see `impute`.

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
        >>> old = pd.DataFrame({"id": [*"aaabb"], "t": [0, 1, 2, 0, 1], "x": [1.0, 2, 3, 5, 6]})
        >>> new = pd.DataFrame({"id": [*"ccc"], "t": [0, 1, 2], "x": [7.0, None, 9.0]})
        >>> Imputer("linear", time="t", group="id").fit(old).transform(new)["x"].tolist()
        [7.0, 8.0, 9.0]
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
    time: Any
    group: Any
    max_gap: Any

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
        time: Any = None,
        group: Any = None,
        max_gap: Any = None,
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
        self.time = time
        self.group = group
        self.max_gap = max_gap

    def fit(self, X: Any, y: Any = None) -> "Imputer":
        """Learn from rows.

        Args:
            X: `(rows, columns)` numbers, or a frame; a frame of series with `time` or `group`.
            y: ignored.

        Returns:
            self.

        Raises:
            OptionError: unknown method, preset or option, or a method that cannot complete new
                rows.
            ValueError: an array of anything but numbers, or infinite values.
            DataError: a column of a frame mixes kinds of values, or what tells series apart is
                missing in a row.
            TimeError: the time is no column, or its steps are irregular.
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
        if levelled := self._along or holds_levels(X):
            frame = self._read(X, reset=True)
        else:
            frame = read(self._validate(X, reset=True))
        if self.max_gap is not None and frame.kind != "series":
            raise OptionError(
                f"max_gap is {self.max_gap!r}, and a table has no gaps in time; pass time="
            )
        name = inductive(self.method, frame.kind, "use impute()")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        frame = mixed.described(frame, _check_feature_names_in(self).tolist(), whole, self)
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
            `set_output`, a pandas or polars frame. Of columns with levels, and of series, a frame
            like `X`.

        Raises:
            DataError: a column holds levels where numbers were learned, or the other way round; or
                what tells series apart is missing in a row.
            TimeError: stamps of another kind than were learned, or between the steps.
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
            columns with levels, and of series, a list of `n` frames.

        Raises:
            OptionError: the method fitted does not draw, or `n` out of range.
        """
        check_is_fitted(self)
        if n < 1:
            raise OptionError(f"n is {n}; expected at least 1")
        if not registry.entry(self.method_, self.fitted_.kind).draws:
            raise OptionError(no_draws(self.fitted_.kind))
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
            OptionError: see `sample`; or some columns have levels, or these are series.
        """
        check_is_fitted(self)
        if self.columns_ is not None:
            raise OptionError(
                "levels have no quantiles, and series none here; sample() gives whole completions"
            )
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
        saving.save(saving.parts_of(self), path, force=force)

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
        return saving.put_into(Imputer(**saved.settings), saved)

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

    def _complete(self, X: np.ndarray, number: int = 0) -> fitted.Completed:
        """One completion; random methods give another for each number."""
        filled = fitted.complete(self.fitted_, X.astype(np.float64), number)
        return filled._replace(values=np.where(np.isnan(X), filled.values.astype(X.dtype), X))

    def _complete_levels(self, X: Any, number: int = 0, flag: bool = False) -> Any:
        """One completion of a frame, with the indicator's columns if asked for."""
        frame, cells = recode(self._read(X, reset=False), self.columns_ or ())
        flags = {}
        if flag and self.indicator_ is not None:
            names = self.indicator_.get_feature_names_out(_check_feature_names_in(self))
            flags = dict(zip(names, self.indicator_.transform(frame.values).T, strict=True))
        if self.fitted_.along is None:
            values = fitted.complete(self.fitted_, cells, number).values
        else:
            values = ordered.complete(self.fitted_, frame, cells, number, self.max_gap).values
        return mixed.write(X, frame, values, self._kept, flags)

    @property
    def _along(self) -> bool:
        return self.time is not None or self.group is not None

    def _read(self, X: Any, reset: bool) -> Frame:
        if not hasattr(X, "columns") and not hasattr(X, "column_names"):
            raise DataError(f"this is {type(X).__name__}; expected a frame with the columns of fit")
        validate_data(self, X, reset=reset, skip_check_array=True)
        return mixed.read(X, self.missing_values, self.time, self.group)

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
