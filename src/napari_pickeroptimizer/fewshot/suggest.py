"""Suggests picks to label next: a generator of events, the suggestions last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED, class_name
from napari_pickeroptimizer.errors import CheckpointError, PickFormatError, SettingsError
from napari_pickeroptimizer.fewshot.doubtful_labels import label_margins
from napari_pickeroptimizer.fewshot.events import Suggested, SuggestEvent
from napari_pickeroptimizer.fewshot.features import pretrained_features, sample_features
from napari_pickeroptimizer.fewshot.query_strategies import (
    disagreements,
    diverse,
    mixed,
    uncertain,
    uncertainty,
)
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.schema import (
    PICKER_SCORE,
    SUGGESTION,
    SUGGESTION_REASON,
    SUGGESTION_SCORE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_pickeroptimizer.fewshot.features import Sample
    from napari_pickeroptimizer.fewshot.settings import SuggestSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier

RANK, REASON, SCORE = SUGGESTION.name, SUGGESTION_REASON.name, SUGGESTION_SCORE.name
# Reasons have no spaces: they are written into STAR and CSV columns.
DIVERSE, UNCERTAIN = "unlike-the-others", "model-unsure"
PICKER_SURE, PICKER_UNSURE = "picker-sure-model-not", "model-sure-picker-not"


def suggest(
    micrographs: Micrographs,
    picks: Picks,
    settings: SuggestSettings,
    *,
    classifier: Classifier | None = None,
    labels: Picks | None = None,
) -> Iterator[SuggestEvent]:
    """Choose the picks that are most informative to label; closing the generator cancels.

    A sample of some thousand picks on a few dozen micrographs is compared, each micrograph read
    once. Picks that are already labelled, in `labels` or in `picks`, are not suggested again.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks to choose from: ideally all picks that will be pruned.
    settings : SuggestSettings
        Number, strategy, seed, device, ...
    classifier : Classifier, optional
        A model fine-tuned on the labels so far.
    labels : Picks, optional
        The labels so far; unlabelled rows are ignored.

    Yields
    ------
    BoxesRead, MicrographSkipped
        As they happen, with the overall progress.
    Suggested
        Last.

    Raises
    ------
    SettingsError
        A model, a diameter or picker scores are needed, and missing.
    PickFormatError
        There are no picks.
    CheckpointError
        The model is a pretrained one, or the base weights are missing.
    MicrographNotFoundError, MicrographReadError
        No micrograph of the picks is found, or none can be read.
    """
    by = _checked(picks, settings, classifier)
    all_labels = _labelled(picks, labels)
    box_settings = settings.boxes if classifier is None else classifier.card.boxes
    first = pretrained_features(settings.base, box_settings, settings.seed)
    network = classifier or first
    sample = yield from sample_features(
        micrographs, picks, all_labels, network, settings, None if network is first else first
    )
    class_ids = network.card.class_ids
    positions, reasons, scores = _chosen(by, picks, sample, class_ids, settings)
    columns: dict[str, NDArray[Any]] = {
        RANK: np.arange(1, len(positions) + 1),
        REASON: np.asarray(reasons, dtype=object),
        SCORE: scores,
    }
    rows = sample.rows[positions]
    suggested = picks.select(rows).with_columns(**columns)
    doubtful = all_labels.select(np.empty(0, dtype=np.intp))
    if classifier is not None:
        probabilities = sample.probabilities[positions]
        suggested = suggested.with_probabilities(probabilities, class_ids)
        doubtful = doubtful_labels(all_labels, sample, class_ids)
    yield Suggested(suggested, rows, by, settings.n, len(sample.rows), doubtful)


def _checked(picks: Picks, settings: SuggestSettings, classifier: Classifier | None) -> str:
    """Return the strategy to use, after checking its requirements."""
    if not len(picks):
        raise PickFormatError("there are no picks to choose from.")
    if classifier is None:
        _ = settings.boxes  # checks the diameter
        if settings.by not in ("auto", "diversity"):
            raise SettingsError(
                f"choosing by {settings.by} needs a model: fine-tune one on a few labels first "
                "(choose those by diversity, which needs none)."
            )
        return "diversity"
    if classifier.card.is_pretrained:
        raise CheckpointError(
            "this model is a pretrained one and cannot tell particles from false picks. Leave "
            "the model out for the first labels, or give one that `pickeroptimizer finetune` "
            "wrote."
        )
    if settings.by != "diversity" and PARTICLE not in classifier.card.class_ids:
        raise CheckpointError(
            f"this model has no class {PARTICLE} ({class_name(PARTICLE)}), so its "
            "uncertainty is undefined: choose by diversity."
        )
    if settings.by == "disagreement" and np.isnan(picks.values(PICKER_SCORE)).all():
        raise SettingsError(
            "choosing by disagreement compares the model with the picker's scores, and these "
            "picks have none: choose by uncertainty."
        )
    return "mixed" if settings.by == "auto" else settings.by


def _labelled(picks: Picks, labels: Picks | None) -> Picks:
    """Return all labels, including those of the picks themselves."""
    parts = [picks] if labels is None else [labels, picks]
    return concatenate(p.select(p.labels != UNLABELLED) for p in parts)


def _chosen(
    by: str,
    picks: Picks,
    sample: Sample,
    class_ids: tuple[int, ...],
    settings: SuggestSettings,
) -> tuple[NDArray[np.intp], list[str], NDArray[np.float64]]:
    """Return positions in the sample, the most useful first, the reasons and the scores."""
    if by == "diversity":
        positions = diverse(
            sample.features,
            settings.n,
            label_features=sample.label_features,
            groups=sample.groups,
            seed=settings.seed,
        )
        return positions, [DIVERSE] * len(positions), np.full(len(positions), np.nan)
    p_particle = sample.probabilities[:, class_ids.index(PARTICLE)]
    if by == "mixed":
        positions, is_uncertain = mixed(
            sample.features,
            p_particle,
            settings.n,
            label_features=sample.label_features,
            groups=sample.groups,
            seed=settings.seed,
        )
        reasons = [UNCERTAIN if flag else DIVERSE for flag in is_uncertain]
        return positions, reasons, uncertainty(p_particle[positions])
    if by == "uncertainty":
        positions, scores = uncertain(
            sample.features, p_particle, settings.n, groups=sample.groups, seed=settings.seed
        )
        return positions, [UNCERTAIN] * len(positions), scores
    picker_score = picks.values(PICKER_SCORE)[sample.rows]
    positions, picker_sure, strength = disagreements(picker_score, p_particle, settings.n)
    reasons = [PICKER_SURE if sure else PICKER_UNSURE for sure in picker_sure]
    return positions, reasons, strength


def doubtful_labels(labels: Picks, sample: Sample, class_ids: tuple[int, ...]) -> Picks:
    """Return labels that the model or the other labels contradict, the clearest first.

    The model was trained on most of them, and may have learned a wrong one by heart; what the
    other labels say of it (`doubtful_labels`) knows nothing of that.
    """
    classes = labels.labels[sample.label_rows]
    # labels of classes that the model does not have cannot contradict it
    in_model = np.isin(classes, class_ids)
    rows, classes = sample.label_rows[in_model], classes[in_model]
    probabilities = sample.label_probabilities[in_model]
    column = np.searchsorted(class_ids, classes)
    of_label = probabilities[np.arange(len(rows)), column]
    excess = probabilities.max(axis=1, initial=0.0) - of_label
    margins = label_margins(sample.label_first_features[in_model], classes.astype(np.intp))
    doubt = np.fmax(excess, -margins)
    order = np.argsort(-doubt, kind="stable")
    order = order[doubt[order] > 0]
    return labels.select(rows[order]).with_probabilities(probabilities[order], class_ids)
