r"""SPIRIT: score learning and proximal particle updates under semi-proximal transport.

Chen, Wang, Wang, Pan, Li, Teng, Li and Lin, "Analyzing and Improving Diffusion Models for
Time-Series Data Imputation: A Proximal Recursion Perspective" (2026). Missing entries are particles
that climb a learned score: that of the missing entries given the observed ones, or that of whole
rows.
"""

from collections.abc import Callable

import optax

from jaximpute._errors import OptionError, check_chosen, check_positive
from jaximpute.methods.papers.spirit import conditional as on_a_base
from jaximpute.methods.papers.spirit import joint as as_printed
from jaximpute.methods.papers.spirit.particles import Recursion
from jaximpute.types import Method, Net, Scalar, View
from jaximpute.views import identity


def spirit(
    net: Net,
    start: Method,
    *,
    noise_on: str = "missing",
    sigma: Scalar = 3.0,
    eta: Scalar | None = None,
    lr: Scalar = 1e-3,
    score_steps: int = 500,
    moves: int = 2,
    batch: int = 256,
    total: int | None = None,
    window: int = 9,
    hidings: int = 8,
    share: float = 0.1,
    holdout: float = 0.1,
    view: Callable[[tuple[int, ...]], View] = identity,
    centre: bool = False,
    score_on: str = "observed",
    apply_grad: str = "plain",
    weights: bool = False,
    weight_norm: str = "mean",
    temperature: Scalar = 1.0,
    ess_floor: float = 0.0,
    dissipative: str = "none",
) -> Method:
    r"""SPIRIT (Chen et al., 2026): learn a score, let the missing entries climb it.

    The particles are the missing entries, and their weights those of the rows. One `step` trains
    :math:`s_\theta` by denoising score matching, and then moves them, `moves` times,

    .. math::
        \log w_i &\leftarrow \log w_i + \tfrac{\eta}{\tau}\,
            (2\,\mathbb{E}_w\|s_\theta\|^2 - 2\|s_\theta(x_i)\|^2), \quad
            w \leftarrow w / \textstyle\sum_j w_j \qquad (12, 13) \\
        x_i &\leftarrow x_i + \eta\, N w_i\, s_\theta(x_i) \qquad (11)

    with observed entries put back after each move.

    **Noise on missing entries** (`noise_on="missing"`) is equation (15) as it is printed, with
    :math:`x^{\mathrm{imp}}` under the noise, and learns the score that (11) asks for: that of the
    missing entries given the observed ones. What is missing is not known, so some observed entries
    :math:`A` are hidden again, `hidings` times and in the shapes of the data's own holes, and the
    start, learned once, completes them: :math:`b`. With :math:`u = (x - b) / c`, in units of the
    usual error :math:`c` of the start in each column, and :math:`o` what the start has made of the
    surroundings,

    .. math::
        \min_\theta \mathbb{E}\, \sqrt{1 + \sigma^2}\,
            \bigl| \sigma s_\theta(u + \sigma \epsilon; \sigma, o) + \epsilon \bigr|_A, \quad
        s_\theta(y; \sigma, o) = -\frac{y}{1 + \sigma^2}
            + \frac{F_\theta(y / \sqrt{1 + \sigma^2}; \sigma, o)}{\sigma \sqrt{1 + \sigma^2}}

    at noise levels from half of :math:`\sigma` to twice that. A network that answers 0 stands for
    errors of the start that are normal and unforeseeable: nothing moves. A step :math:`\eta =
    \sigma^2` goes to the denoised row. The errors have heavy tails, so that levels above the
    usual error are where the score says most. A pass that was no better on the cells that choose
    is undone, and the next one is slower. Where errors of the start are not foreseen better on
    cells hidden once more, half of which choose the best pass and half the part of the correction
    to believe, the start is the answer, and the infos say so (`share` is 0).

    **Noise on all entries** (`noise_on="all"`) is the printed Algorithm 1, with one score of whole
    rows, as completed so far, blurred by :math:`\sigma`. For Gaussian rows its moves end at
    :math:`\mu_m + C_{mo}(C_{oo} + \sigma^2 I)^{-1}(x_o - \mu_o)`, not at the conditional mean: the
    nearer to each other two columns are, the more is lost, and a perfect score loses it too.

    Departures from the printed paper, and why (the preset `paper` undoes those marked (p)):
        * (p) The score is conditional and is learned where the truth is known; the rows are steps
          of series with their surroundings, moved once each, or rows of a table.
        * (p) The absolute value in place of the square: the errors of a start have heavy tails.
          At a high noise level this learns their median.
        * Line 9 of Algorithm 1 prints the imputed values in both terms; observed entries are put
          back, as section 2.1 asks.
        * The location step is multiplied by :math:`N`: with weights that sum to one it would vanish
          as the number of rows grows. Adam's steps do not depend on it, so with `"adam"` the
          weights hardly act on the moves.
        * (p) Weights are off; :math:`\tau` and `ess_floor`, which keep one row from taking all of
          it, are not the paper's, and do nothing at 1 and 0.
        * (p) The norm in (12) is a mean over missing coordinates (`weight_norm="sum"` is the
          paper's), or rows with more holes would lose weight for that alone.
        * (p) `ApplyGrad` is a plain step (`"adam"` is the paper's "standard optimizer").
        * With noise on all entries: (p) the score is trained on observed entries only
          (`score_on="all"` is the paper's); (p) `centre`: a move is then a step in the centred
          coordinates; (p) `holdout`: the best iterate by the held-out entries is what `fill`
          returns, moved `moves` times more without weights and noise, or the start itself, unless
          the iterate is better by 2.5 standard errors. Adam's moments are kept from pass to pass.
        * `estimate` is an extension: it applies the start and then `moves` moves under the frozen
          score to any rows. The paper completes only the rows it was trained on.

    Args:
        net: a score network for one row; `t` is the noise level. With noise on missing entries a
            row is a step of series or a row of a table, and the network takes one condition, of
            `surroundings.width` numbers; otherwise a row of the view, without conditions.
        start: an inductive method that learns in `init` (the first imputation).
        noise_on: `missing` or `all` entries.
        sigma: noise level of the score that is climbed, positive; in units of the start's error,
            or with noise on all entries in standard deviations of the data (with `centre`, of the
            centred rows).
        eta: step size of the proximal recursion, positive; None = the square of `sigma`.
        lr: learning rate of the score network.
        score_steps: score-learning steps in one pass, at least 1.
        moves: particle moves in one pass, at least 1.
        batch: rows in a score-learning batch.
        total: score-learning steps in all, over which the rate falls to 0; None = constant.
        window: steps of a series that are looked at, the row's own in the middle; fewer where there
            are more than 200 channels.
        hidings: times that entries are hidden again to learn from, at least 1.
        share: of the observed entries hidden each time, in (0, 1).
        holdout: share of observed entries held out of everything, to choose by, in [0, 1). With 0,
            the last iterate is the answer. With noise on missing entries these are `share` of them,
            if it is positive.
        view: with noise on all entries, `shape -> View`, the rows in which the network sees the
            data; whole rows by default.
        centre: take each row's channel means off, and divide by the pooled deviation within rows,
            before the network sees them: for series whose levels do not recur. Needs rows of
            `(time, channels)`.
        score_on: entries whose score-matching error counts, `observed` or `all`.
        apply_grad: Algorithm 1's ApplyGrad, a `plain` gradient step or `adam`.
        weights: whether the rows carry weights (the semi-proximal transport term).
        weight_norm: `mean` over missing coordinates or `sum` over them.
        temperature: divides the weight direction, positive.
        ess_floor: least effective sample size of the weights, as a fraction in [0, 1).
        dissipative: bring back the term the paper removes (Proposition 3.1): `ve` adds
            :math:`\frac12\mathbb{E}[\log q]` as Langevin noise :math:`\sqrt\eta\,\xi`; `vp` also
            :math:`-\frac14\mathbb{E}\|x\|^2` as a drift :math:`x/2`.

    Returns:
        An inductive method. The infos report `loss` (score matching, in units of the noise),
        `error` and `start_error` (mean absolute, entries held out), `best_error` of what is
        returned, `energy_change` (of (10) without its transport term, along the moves of the pass,
        up to quadrature; `weight_norm="mean"` is used there as well) and `ess`.

    Raises:
        OptionError: an option outside its range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (200, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:40, 1].set(jnp.nan))
        >>> method = ji.methods.spirit(
        ...     ji.nets.adaln_mlp((2,), width=16, cond=4), ji.methods.mean(), score_steps=100
        ... )
        >>> state = ji.fit(method, jax.random.key(1), data, 2, chunk=2)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (200, 2)

    Source: Algorithm 1, equations (11)-(13) and (15), Propositions 3.1-3.5; the form of the network
    is that of Karras et al., "Elucidating the design space of diffusion-based generative models"
    (2022), section 5.
    """
    eta = sigma**2 if eta is None else eta
    check_positive(sigma=sigma, eta=eta, lr=lr, temperature=temperature, score_steps=score_steps)
    check_positive(moves=moves, batch=batch, window=window, hidings=hidings)
    for name, value in {"holdout": holdout, "ess_floor": ess_floor}.items():
        if not 0 <= value < 1:
            raise OptionError(f"{name} is {value}; expected a share in [0, 1)")
    if not 0 < share < 1:
        raise OptionError(f"share is {share}; expected 0 < share < 1")
    check_chosen(
        noise_on=(noise_on, ("missing", "all")),
        score_on=(score_on, ("observed", "all")),
        apply_grad=(apply_grad, ("plain", "adam")),
        weight_norm=(weight_norm, ("mean", "sum")),
        dissipative=(dissipative, ("none", "ve", "vp")),
    )
    if start.estimate is None:
        raise OptionError("the start has no `estimate`; expected an inductive one such as mean()")
    apply = {"plain": optax.sgd, "adam": optax.adam}[apply_grad](eta)
    rule = Recursion(eta, apply, weights, weight_norm, temperature, ess_floor, dissipative)
    if noise_on == "all":
        settings = as_printed.Settings(
            view, sigma, lr, score_steps, moves, batch, centre, score_on, holdout
        )
        return as_printed.joint(net, start, rule, settings)
    own = on_a_base.Settings(
        sigma, lr, score_steps, total, moves, batch, window, hidings, share, holdout
    )
    return on_a_base.conditional(net, start, rule, own)
