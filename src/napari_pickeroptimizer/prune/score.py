"""Scoring: streams over micrographs, each read once, memory flat in their number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import (
    cut_windows,
    outside,
    render,
    window_side,
    working_image,
)
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import (
    CheckpointError,
    MicrographNotFoundError,
    MicrographReadError,
)
from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS
from napari_pickeroptimizer.picks import PROBABILITY_PREFIX, Picks
from napari_pickeroptimizer.trust.reference import MicrographFigures, grey_figures, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier


@dataclass(frozen=True)
class MicrographScored:
    """The picks of one micrograph have their probabilities.

    Parameters
    ----------
    micrograph : str
        Name as the picks spell it, as the first of them does where they spell it in two ways.
    rows : (n,) int
        Positions in the table of picks.
    probabilities : (n, n_classes) float32
        P(class); NaN for picks outside the micrograph.
    n_outside : int
        How many lie outside.
    n_done, n_total : int
        Micrographs so far, and in all.
    features : (n, d) float32
        The network's features, what it sees in a box before it decides; NaN as above.
    """

    micrograph: str
    rows: NDArray[np.intp]
    probabilities: NDArray[np.float32]
    n_outside: int
    n_done: int
    n_total: int
    features: NDArray[np.float32] = field(repr=False)

    @property
    def progress(self) -> float:
        """Part of the micrographs that is done, 0..1."""
        return self.n_done / self.n_total


@dataclass(frozen=True)
class BatchScored:
    """Some picks of a micrograph went through the network, others of it wait.

    It tells nothing new; it is where a generator can be closed before the micrograph is done.

    Parameters
    ----------
    micrograph : str
        As in `MicrographScored`.
    n_scored, n_picks : int
        Picks of this micrograph so far, and in all.
    n_done, n_total : int
        Micrographs before this one, and in all.
    """

    micrograph: str
    n_scored: int
    n_picks: int
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Part of the micrographs that is done, 0..1, this one as far as it is."""
        return (self.n_done + self.n_scored / self.n_picks) / self.n_total


@dataclass(frozen=True)
class MicrographFailed:
    """A micrograph is missing or unreadable: its picks stay unscored."""

    micrograph: str
    rows: NDArray[np.intp]
    reason: str
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Part of the micrographs that is done, 0..1."""
        return self.n_done / self.n_total


@dataclass(frozen=True)
class PicksScored:
    """The last event.

    Parameters
    ----------
    picks : Picks
        The picks with a column ``probability_<id>`` for each class.
    failures : dict
        Reason by micrograph that could not be read.
    outside : dict
        Number of picks outside by micrograph, where there are any.
    figures : dict
        What the picks look like by micrograph, for models that can compare it with what they
        learned from.
    """

    picks: Picks
    failures: dict[str, str]
    outside: dict[str, int]
    figures: dict[str, MicrographFigures] = field(default_factory=dict, repr=False)
    progress: float = 1.0


ScoreEvent = BatchScored | MicrographScored | MicrographFailed | PicksScored


def checked_for_picks(classifier: Classifier) -> Classifier:
    """Return the classifier if its outputs are classes of picks.

    Raises
    ------
    CheckpointError
        It is a pretrained one, whose outputs are categories of many data sets.
    """
    card = classifier.card
    if card.is_pretrained:
        raise CheckpointError(
            f"this model is a pretrained one: it tells {len(card.class_names)} categories of "
            "boxes apart and cannot score picks. It is a base to start from: fine-tune it on "
            "labelled picks (`pickeroptimizer finetune --base FILE`) and use what that writes."
        )
    return classifier


def score(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    *,
    device: str = "auto",
    batch_size: int = 256,
    n_views: int = DEFAULT_VIEWS,
    first: Sequence[str] = (),
) -> Iterator[ScoreEvent]:
    """Give every pick its class probabilities; closing the generator cancels.

    Between the batches of a micrograph there is a `BatchScored`, so that it can be closed then.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        Picks of any number of micrographs.
    classifier : Classifier
        The trained model.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes a forward pass; changes memory and speed, not the result.
    n_views : int
        Looks at each box, turned and mirrored, that are averaged: 1 to 8. One is as many
        times faster, and a little less accurate.
    first : sequence of str
        Micrographs, as the picks spell them, to be scored before the others, in this order;
        names that no pick has are passed over. The results do not depend on it.

    Raises
    ------
    AmbiguousMicrographError
        A pick's micrograph name fits several micrographs.
    CheckpointError
        The model is a pretrained one.
    SettingsError
        The model's diameter is in Å and the pixel size is unknown.
    MicrographNotFoundError
        None of the picks' micrographs is among the given ones.
    """
    classifier = checked_for_picks(classifier).to(choose_device(device))
    work, missing = _work(micrographs, picks, first)
    coords_yx_px = picks.coords_yx_px()
    n_features = classifier.network.linear.in_features
    probabilities = np.full((len(picks), len(classifier.card.class_ids)), np.nan, np.float32)
    failures: dict[str, str] = {}
    n_outside_by_name: dict[str, int] = {}
    figures: dict[str, MicrographFigures] = {}
    # costs a little, and is for nothing where the model has nothing to compare with
    compares = bool(classifier.card.training.get("reference"))
    compares &= PARTICLE in classifier.card.class_ids

    def read(i: int) -> NDArray[np.float32]:
        name, _, micrograph = work[i]
        if micrograph is None:
            raise MicrographNotFoundError(missing[name])
        return micrograph.read()

    with ThreadPoolExecutor(max_workers=1) as reader:
        # the next micrograph is read while this one is classified
        ahead = reader.submit(read, 0) if work else None
        for i, (name, rows, micrograph) in enumerate(work):
            done = (i + 1, len(work))
            current = ahead
            ahead = reader.submit(read, i + 1) if i + 1 < len(work) else None
            assert current is not None
            try:
                image = current.result()
            except (MicrographReadError, MicrographNotFoundError) as error:
                failures[name] = str(error)
                yield MicrographFailed(name, rows, str(error), *done)
                continue
            assert micrograph is not None  # read
            boxes = classifier.card.boxes
            working = working_image(image, boxes, micrograph.pixel_size_ang)
            beyond = outside(coords_yx_px[rows], working.shape_px)
            inside = rows[~beyond]
            seen: list[MicrographFigures] = []
            of_inside = [np.zeros((0, n_features), np.float32)]
            for start in range(0, len(inside), batch_size):
                if start:
                    yield BatchScored(name, start, len(inside), i, len(work))
                part = inside[start : start + batch_size]
                windows = cut_windows(working, coords_yx_px[part], window_side(boxes))
                cut = render(windows, boxes.box_px)
                found, features = classifier.predict_with_features(cut, batch_size, n_views)
                probabilities[part] = found
                of_inside.append(features)
                if compares:
                    p_particle = found[:, classifier.card.class_ids.index(PARTICLE)]
                    seen.append(
                        MicrographFigures.of(grey_figures(cut.numpy()), features, p_particle)
                    )
            if seen:
                figures[name] = joined(seen)
            if beyond.any():
                n_outside_by_name[name] = int(beyond.sum())
            of_all = np.full((len(rows), n_features), np.nan, np.float32)
            of_all[~beyond] = np.concatenate(of_inside)
            yield MicrographScored(
                name, rows, probabilities[rows], int(beyond.sum()), *done, of_all
            )
    columns = {
        f"{PROBABILITY_PREFIX}{class_id}": probabilities[:, i].astype(np.float64)
        for i, class_id in enumerate(classifier.card.class_ids)
    }
    yield PicksScored(picks.with_columns(**columns), failures, n_outside_by_name, figures)


_Work = list[tuple[str, "NDArray[np.intp]", "Micrograph | None"]]


def _work(
    micrographs: Micrographs, picks: Picks, first: Sequence[str]
) -> tuple[_Work, dict[str, str]]:
    """Return name, rows and image of each micrograph with picks, and why some have no image.

    They come in the order of the picks, a micrograph of two spellings by the first of them;
    those of `first` before the others.
    """
    rows_of, missing = micrographs.rows_of(picks)
    if missing and not rows_of:
        raise MicrographNotFoundError(next(iter(missing.values())))
    by_name = picks.rows_by_micrograph()
    names = picks.table["micrograph"]
    work: _Work = [
        *((str(names.iloc[rows[0]]), rows, m) for m, rows in rows_of.items()),
        *((name, by_name[name], None) for name in missing),
    ]
    turn = {int(by_name[n][0]): i for i, n in reversed([*enumerate(first)]) if n in by_name}
    asked = np.fromiter(turn, dtype=np.intp)

    def place(rows: NDArray[np.intp]) -> tuple[int, int]:
        own = np.intersect1d(rows, asked) if len(asked) else ()
        return min((turn[int(row)] for row in own), default=len(first)), int(rows[0])

    work.sort(key=lambda item: place(item[1]))
    return work, missing
