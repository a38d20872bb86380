"""What a worker does: it gets model and settings once, then parts of the micrographs to score."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io.files import is_file
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.prune.events import BatchScored, MicrographScored
from napari_pickeroptimizer.prune.score_groups import score_groups, without_features
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.settings import PruneSettings
    from napari_pickeroptimizer.reading import MicrographFailed, MicrographRows

# Micrographs of a part, so that the next one is read while one is scored, and least parts a worker.
MOST_MICROGRAPHS, LEAST_PARTS = 4, 8
# What changes the digits of a score.
COMPARED = ("napari-pickeroptimizer", "torch")


@dataclass(frozen=True, eq=False)
class Job:
    """What all parts of a scoring have in common; a worker gets it once.

    Parameters
    ----------
    key : str
        Tells the jobs of one worker apart.
    model : bytes
        The pickled classifier: it never leaves the processes of one user.
    settings : PruneSettings
        ``device``, ``batch_size`` and ``n_views`` are used.
    versions : dict
        Of the software of the process that hands out the parts.
    n_threads : int or None
        Of a worker's processor; None leaves that to its environment.
    """

    key: str
    model: bytes
    settings: PruneSettings
    versions: dict[str, str]
    n_threads: int | None = None

    @classmethod
    def of(cls, key: str, classifier: Classifier, settings: PruneSettings) -> Job:
        """Return the job of a classifier, whose network is moved to the CPU."""
        sent = replace(classifier.to(torch.device("cpu")), known_false=None)
        return cls(key, pickle.dumps(sent), settings, software_versions())


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive micrographs of a scoring.

    Parameters
    ----------
    key : str
        Of the `Job`.
    first : int
        Position of the first one among all.
    groups : tuple of MicrographRows
        The micrographs; rows are those of `coords_yx_px`, paths absolute.
    coords_yx_px : (n, 2) float64
        Centres of the picks on these, (row, column).
    """

    key: str
    first: int
    groups: tuple[MicrographRows, ...]
    coords_yx_px: NDArray[np.float64]

    def single(self) -> Iterator[Part]:
        """Yield a part for each of the micrographs."""
        for i, group in enumerate(self.groups):
            yield Part(
                self.key,
                self.first + i,
                (replace(group, rows=np.arange(len(group.rows))),),
                self.coords_yx_px[group.rows],
            )


@dataclass(frozen=True, eq=False)
class PartScored:
    """What a worker sends back.

    Parameters
    ----------
    events : list of MicrographScored or MicrographFailed
        One a micrograph, in their order, without features.
    not_seen : list of str
        Images that are not there, as seen by the worker.
    """

    events: list[MicrographScored | MicrographFailed]
    not_seen: list[str]


def parts_of(
    key: str,
    groups: Sequence[MicrographRows],
    coords_yx_px: NDArray[np.float64],
    n_workers: int,
) -> Iterator[Part]:
    """Yield the parts of a scoring: small enough that all workers are busy to the end.

    Parameters
    ----------
    key : str
        Of the `Job`.
    groups : sequence of MicrographRows
        All micrographs.
    coords_yx_px : (n, 2) float64
        Centres of all picks, (row, column).
    n_workers : int
        As they are expected.
    """
    size = min(MOST_MICROGRAPHS, max(1, len(groups) // (LEAST_PARTS * n_workers)))
    for first in range(0, len(groups), size):
        sent, coords, start = [], [], 0
        for group in groups[first : first + size]:
            rows = np.arange(start, start + len(group.rows))
            start += len(rows)
            coords.append(coords_yx_px[group.rows])
            micrograph = group.micrograph
            if micrograph is not None:  # a worker has another working directory
                micrograph = replace(micrograph, path=absolute(micrograph.path))
            sent.append(replace(group, micrograph=micrograph, rows=rows))
        yield Part(key, first, tuple(sent), np.concatenate(coords))


_JOBS: dict[str, Job] = {}
_MODELS: dict[str, Classifier] = {}
_LOADING = threading.Lock()


def prepare(job: Job) -> None:
    """Keep a job in this process, a worker, for the parts to come."""
    _JOBS[job.key] = job


def release(key: str) -> None:
    """Forget a job."""
    _JOBS.pop(key, None)
    _MODELS.pop(key, None)


def score_part(part: Part) -> PartScored:
    """Score a part, in a worker that was told its job by `prepare`.

    Raises
    ------
    SettingsError
        This worker has other versions of the software, or no such device.
    """
    job, classifier = _JOBS[part.key], _loaded(part.key)
    files = [group.micrograph.path for group in part.groups if group.micrograph is not None]
    not_seen = [str(path) for path in files if not is_file(path)]
    scored = score_groups(
        part.groups, part.coords_yx_px, classifier, job.settings.batch_size,
        job.settings.n_views,
    )  # fmt: skip
    events = [without_features(e) for e in scored if not isinstance(e, BatchScored)]
    return PartScored(events, not_seen)


def _loaded(key: str) -> Classifier:
    """Return the classifier of a job on its device, loaded at the first part."""
    with _LOADING:  # a worker of Dask may score several parts at a time
        if key not in _MODELS:
            job = _JOBS[key]
            _check_versions(job.versions)
            if job.n_threads is not None:
                torch.set_num_threads(job.n_threads)
            device = choose_device(job.settings.device)
            classifier: Classifier = pickle.loads(job.model)  # noqa: S301 (from our own process)
            _MODELS[key] = classifier.for_inference(device)
        return _MODELS[key]


def _check_versions(expected: dict[str, str]) -> None:
    own = software_versions()
    other = [f"{p} {own[p]} (not {expected[p]})" for p in COMPARED if own[p] != expected[p]]
    if other:
        raise SettingsError(
            f"a worker has {', '.join(other)}, so its scores could differ: start the workers in "
            "the environment of this command."
        )
