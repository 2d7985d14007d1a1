"""Context-query diffusion for given data: its partition, network, feeds and presets."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from jaximpute import registry
from jaximpute._errors import OptionError, check_chosen
from jaximpute.maths import hole_boxes
from jaximpute.methods.papers.context_query import (
    contexts,
    partitions,
    recipe_based,
    recipe_nets,
)
from jaximpute.methods.papers.context_query.algorithm import context_query as make_context_query
from jaximpute.types import Answer, Observed, Split, View
from jaximpute.views import identity, tile_length, tiles

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"sgd_total": 150, "hidings": 1, "steps": 25},
    "balanced": {},
    "best": {"sgd_total": 10000, "width_factor": 1.5, "steps": 200},
    # pixels, and the released network and optimiser
    "paper": {
        "partition": "pixel",
        "ratio": 0.7,
        "query": 0.7,
        "shared": False,
        "net": "spacetime",
        "feed": "drawn",
        "at_delta": 0.0,
        "batch": 8,
        "sgd_total": 130000,
        "warmup": 0,
        "decay": 0.0,
        "tile": None,
        "base": "none",
        "surface": "none",
        "places": False,
        "steps": 200,
    },
}

# an MLP sees every place from every other, and costs their product; it learns each place by itself,
# and so nothing of a place that few samples show
_SMALL, _MANY = 2048, 64
TILE = (8, 32, 32)  # frames, rows and columns that a network sees at once
_DENSE = ("mlp", "eof")  # networks without convolutions
_SHARED = ("mixed", "pixel", "rows", "columns", "ambient")  # partitions with a ratio
_USUAL = {"mlp": (2e-3, 64), "unet": (1e-3, 32), "eof": (1e-2, 16)}  # rates, and samples in a batch
_CHOOSING = ("auto", "shares")  # feeds
_USUAL_STEPS, _FEW_STEPS = 3000, 200  # of the optimiser
# optimiser steps in one compiled loop, where loops are fast
_TOGETHER = 50


def context_query(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    answer: Answer = "estimate",
    base: Any = "auto",
    hidings: int | None = None,
    alone: bool | None = None,
    partition: str = "auto",
    ratio: Any = (0.3, 1.0),
    query: Any = None,
    grid: Any = (3, 3),
    shared: bool = True,
    feed: str = "auto",
    contexts_drawn: int = 10,
    net: str = "auto",
    width: int | None = None,
    width_factor: float = 1.0,
    sgd_total: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    warmup: int | None = None,
    at_delta: float = 0.75,
    decay: float = 0.995,
    steps: int = 50,
    tile: Any = TILE,
    shifts: int = 0,
    surface: str = "auto",
    axes: str = "yx",
    sweeps: int = 8,
    places: bool = True,
    **options: Any,
) -> registry.Plan:
    """Context-query diffusion for given data.

    Args:
        data: what it will run on; only its shape matters.
        kind: `field` or `image`.
        times: unused.
        answer: what will be asked, `estimate` (a single step) or `draw`: of a base, or without one
            by Algorithm 4, which shows the network its own answers, so that it must learn to answer
            there, and at later times.
        base: what the network corrects (`based.on_base`): names of inductive methods that learn in
            `init`, of which the best on held-out places is taken; `auto` for `kriging`, `eof` from
            24 frames on, `biharmonic` and `mean`; `none` for the network alone, as in the paper.
            `auto` is `none` where options are given that only that form has: `feed`, `surface`,
            `axes`, `sweeps`, `net="eof"`, `partition="missdiff"`, and those of its factory. On a
            base `contexts_drawn`, `at_delta` and `steps` are not used.
        hidings: times that places are hidden again for a network on a base; None = by the size of
            the data, 1 to 4.
        alone: whether the network answers without the base, and is mixed with it; None = where
            the base leaves more than a quarter of the variance.
        partition: `mixed` (blocks, holes as the data have them, and pixels), `block`, `pixel`,
            `rows`, `columns`, `swath`, `time_block`, `own`, `hole_shaped`, `missdiff` or `ambient`.
            The holes of `mixed` are those of another sample where they leave half of what is
            observed, and `hole_shaped` elsewhere. `auto` is `hole_shaped` on a base, and `mixed`
            without one.
        ratio: share of the observed places that a context keeps, for partitions that have one; a
            pair `(low, high)` draws it for each sample.
        query: what is asked for; None = the `rest` of what is observed for an estimate, `all` for
            draws.
        grid: blocks along y and x.
        shared: whether pixels are shown in all frames or in none; see `partitions.pixel`.
        feed: `drawn` contexts, `every` block left out in turn, `observed` (all of it), `matched`
            (as dense as in training), or the one with the least error on entries hidden once more,
            about a tenth, or more in holes that another sample has:
            `auto` of `observed`, the partition's own contexts, and the surface without a network;
            `shares` of these and of contexts that keep a quarter, a half and three quarters, for
            partitions that have a ratio.
        contexts_drawn: number of contexts that are averaged.
        net: `mlp`, `unet`, `fno`, `spacetime`, `eof` (learned modes, linear in what is shown: see
            `nets.field_eof`), or `auto`: an MLP for 64 fields or more of up to 2048 entries, a
            U-Net for others.
        width: of the network, or how many modes; None = by its kind.
        width_factor: multiplies that default.
        sgd_total: optimiser steps in all; None = 3000, but 200 for networks with convolutions that
            correct a base on a CPU.
        batch: samples in a batch; None = by the network.
        lr: largest learning rate; None = by the network.
        warmup: optimiser steps in which it grows; None = for networks with convolutions 100, but at
            most a tenth of all, and for others 0.
        at_delta: see the factory.
        decay: see the factory.
        steps: steps of Algorithm 4, of a draw.
        tile: the largest `(time, y, x)` that the network sees at once, or up to a quarter more
            where that spares a second tile. A larger field is cut into tiles that overlap, each a
            sample to learn from, whose answers are blended. What lies further off than a tile is
            not seen. None or 0 = never cut.
        shifts: for domains that are periodic and everywhere alike: train on random circular shifts
            along y and x by multiples of this, and average the answers to 3 x 3 of them; see
            `nets.shifted`. 0 = none, as befits any other data.
        surface: what the network corrects: a `biharmonic` or `harmonic` surface through what it is
            shown (see `nets.interpolated`), or `none`; `auto` is `biharmonic`, but `none` for
            `eof`, whose modes fit the context by themselves, and for the objective `noise`.
        axes: along which the surface has neighbours, letters of `tyx`. With `tyx` it also goes
            through the frames before and after: for holes that move between frames that are close.
        sweeps: relaxations of the surface at each resolution; more for wide holes.
        places: whether the network is told where each entry lies in the field, by its y, x and
            time. An MLP of whole fields, `eof` and networks that are `shifts`ed are not: the first
            two know places apart, and the last is for domains that are alike everywhere.
        options: of the factory.

    Returns:
        The method and its number of steps. On CPU a network with convolutions takes one optimiser
        step at a time, since XLA runs convolutions in loops an order of magnitude slower there.

    Raises:
        OptionError: no such partition, feed or network, or a tile of no such size; shifts of
            fields that are cut into tiles, whose edges do not meet; `eof` that is to match noise;
            a surface for what takes none; shares for a partition that has none.
    """
    del times
    shape = data.values.shape
    view, event, samples = _seen(shape, tile, shifts)
    if net == "auto":
        net = "mlp" if math.prod(event) <= _SMALL and samples >= _MANY else "unet"
    looped = net in _DENSE or jax.default_backend() != "cpu"
    plain = feed != "auto" or (surface, axes, sweeps) != ("auto", "yx", 8)
    plain = plain or net == "eof" or partition == "missdiff"
    base = recipe_based.resolved(base, plain, options)
    if base != "none":  # the rest are defaults of the other form
        options = {name: options[name] for name in recipe_based.OWN & options.keys()}
    if sgd_total is None:
        sgd_total = _USUAL_STEPS if base == "none" or looped else _FEW_STEPS
    together = min(_TOGETHER, sgd_total) if looped else 1
    if partition == "auto":
        partition = "mixed" if base == "none" else "hole_shaped"
    draws = answer == "draw" and base == "none"
    asked = query if query is not None else ("all" if draws else "rest")
    split = make_split(partition, ratio, asked, tuple(grid), shared)
    places = places and not shifts and net != "eof" and (net != "mlp" or view is not identity)
    usual_lr, usual_batch = _USUAL.get(net, (1e-3, 8))
    given: dict[str, Any] = {
        "lr": usual_lr if lr is None else lr,
        "batch": batch or usual_batch,
        "total": sgd_total,
        "warmup": _warmup(net, sgd_total) if warmup is None else warmup,
        "sgd_steps": together,
        "scan": looped,
        "decay": decay,
        "view": view,
        "places": places,
        **options,
    }
    under = None if base != "none" else recipe_nets.surface_for(surface, net, axes, sweeps, options)
    beside = 0 if base == "none" else event[-1]
    make = partial(recipe_nets.network, net, event, width, width_factor, shifts, places)
    made = make(under, options, beside)
    again = make(under, options, beside, loops=True) if net == "unet" else None
    rounds = -(-sgd_total // together)
    if base != "none":
        given |= {"net": made, "looped": again, "split": split, "alone": alone}
        names = recipe_based.names(base, data)
        given |= {"kind": kind, "answer": answer, "steps": rounds, "hidings": hidings}
        return recipe_based.based(data, names, **given)
    if feed in _CHOOSING:
        given.setdefault("hide", _as_missing("rest"))
        if under is not None:
            given.setdefault("baseline", under(None))
    given["at_delta"] = min(at_delta, 0.25) if draws else at_delta
    feeds = _feeds(feed, partition, split, tuple(grid), contexts_drawn, shared)
    method = make_context_query(made, split, feeds=feeds, steps=steps, sampler_net=again, **given)
    return registry.Plan(method, rounds)


def _seen(
    shape: tuple[int, ...], tile: Any, shifts: int
) -> tuple[Callable[[tuple[int, ...]], View], tuple[int, ...], int]:
    """The view of fields, the shape of its rows, and how many there are."""
    view = cut(shape, tile)
    if view is identity:
        return view, shape[1:], shape[0]
    if shifts:
        raise OptionError(
            f"shifts is {shifts}, but fields of {shape[1:-1]} are cut into tiles of {tile}, whose "
            "edges do not meet; expected shifts=0, or tile=None"
        )
    return view, (*_sizes(shape, tile), shape[-1]), view(shape).size


def _warmup(net: str, total: int) -> int:
    return 0 if net in _DENSE else min(100, total // 10)


def cut(shape: tuple[int, ...], tile: Any) -> Callable[[tuple[int, ...]], View]:
    """The view of fields of a shape: tiles with a quarter in common, or the fields as they are."""
    if not tile:
        return identity
    sizes = _asked(shape, tile)
    if _sizes(shape, tile) == shape[1:-1]:
        return identity
    return partial(tiles, size=sizes, overlap=tuple(_shared(size) for size in sizes))


def _sizes(shape: tuple[int, ...], tile: Any) -> tuple[int, ...]:
    """The lengths of the tiles that fields of a shape are cut into."""
    pairs = zip(shape[1:-1], _asked(shape, tile), strict=True)
    return tuple(tile_length(whole, size, _shared(size)) for whole, size in pairs)


def _shared(size: int) -> int:
    return size // 4


def _asked(shape: tuple[int, ...], tile: Any) -> tuple[int, ...]:
    good = isinstance(tile, list | tuple) and len(tile) == 3
    if not good or not all(isinstance(size, int) and size >= 1 for size in tile):
        raise OptionError(
            f"tile is {tile!r}; expected the largest numbers of frames, rows and columns, such as "
            f"{list(TILE)}, or None for whole fields"
        )
    axes = shape[1:-1]
    return tuple(min(pair) for pair in zip(tile[-len(axes) :], axes, strict=True))


def make_split(
    partition: str,
    ratio: Any = (0.3, 1.0),
    query: Any = "rest",
    grid: tuple[int, int] = (3, 3),
    shared: bool = True,
) -> Split:
    """A partition by its name; see `context_query` for the arguments.

    Raises:
        OptionError: no such partition.
    """
    ratio = tuple(ratio) if isinstance(ratio, list | tuple) else ratio
    # an all-or-one rule has no share of its own
    whole = query if isinstance(query, str) else "all"
    makers: dict[str, Callable[[], Split]] = {
        "mixed": lambda: partitions.mixed(
            partitions.block(grid, query=whole),
            _as_missing(whole),
            partitions.pixel(ratio, whole, shared=shared),
        ),
        "block": lambda: partitions.block(grid, query=query),
        "pixel": lambda: partitions.pixel(ratio, query, shared=shared),
        "rows": lambda: partitions.rows(ratio, query),
        "columns": lambda: partitions.columns(ratio, query),
        "time_block": lambda: partitions.time_block(query=query),
        "swath": lambda: partitions.swath(query=whole),
        "own": lambda: partitions.own(query=whole),
        "hole_shaped": lambda: hole_boxes.hole_shaped(query=whole),
        "missdiff": lambda: partitions.missdiff,
        "ambient": lambda: partitions.ambient(ratio, shared=shared),
    }
    check_chosen(partition=(partition, makers))
    return makers[partition]()


def _as_missing(query: str) -> Split:
    """Holes as the data have them, of contexts that are not much thinner than the masks."""
    borrowed = partitions.own(query=query, least=0.5)
    return partitions.first_of(borrowed, hole_boxes.hole_shaped(query=query))


def _feeds(
    feed: str, partition: str, split: Split, grid: tuple[int, int], members: int, shared: bool
) -> tuple[contexts.Feed, ...]:
    drawn, every = contexts.drawn(split, members), contexts.every_block(grid)
    own = every if partition == "block" else drawn
    feeds: dict[str, tuple[contexts.Feed, ...]] = {
        "drawn": (drawn,),
        "every": (every,),
        "observed": (contexts.observed,),
        "matched": (contexts.matched(members, grid if partition == "block" else None),),
        "auto": (contexts.observed, own),
        "shares": (contexts.observed, own),
    }
    check_chosen(feed=(feed, feeds))
    if feed == "shares":
        if partition not in _SHARED:
            raise OptionError(
                f"feed is 'shares', and partition '{partition}' has no ratio to choose; expected "
                f"one of {', '.join(_SHARED)}"
            )
        pattern = "pixel" if partition == "mixed" else partition
        splits = [make_split(pattern, share, "rest", grid, shared) for share in (0.25, 0.5, 0.75)]
        return (*feeds["shares"], *(contexts.drawn(split, members) for split in splits))
    # no second feed where the context is all that is observed
    return (contexts.observed,) if partition == "missdiff" else feeds[feed]
