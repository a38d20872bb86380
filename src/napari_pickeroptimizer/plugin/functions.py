"""Fine-tuning and pruning as two functions of layers, for scripts and for the menu.

`panels.function_forms` makes a form of each, for *Layers ▸ Classify*. They do in one call
what the Learn and Decide panels do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Points
from napari.utils import progress

from napari_pickeroptimizer.errors import MicrographNotFoundError
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.model.bases import BUNDLED_NAME
from napari_pickeroptimizer.plugin import jobs, outputs
from napari_pickeroptimizer.plugin.before_labels import bundled_model
from napari_pickeroptimizer.plugin.images.stack import stack_of
from napari_pickeroptimizer.plugin.session import Session, session_with
from napari_pickeroptimizer.prune.settings import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier

DEFAULTS = FineTuneSettings(diameter_px=1)
N_TICKS = 1000


def fine_tune(
    micrographs: Image,
    picks: Points,
    diameter_ang: float | None = None,
    *,
    diameter_px: float | None = None,
    n_steps: int = DEFAULTS.n_steps,
    n_folds: int = DEFAULTS.n_folds,
    seed: int = DEFAULTS.seed,
    device: str = DEFAULTS.device,
    label_layers: Sequence[Points] = (),
) -> "Classifier":
    """Fine-tune a network on the labels of a points layer; it becomes the viewer's model.

    Parameters
    ----------
    micrographs : napari.layers.Image
        A stack of micrographs that this plugin opened.
    picks : napari.layers.Points
        Picks on it, some of them labelled: picks that this plugin opened, or any points
        (micrograph, y, x) where they are shown, with a feature ``label`` of class names or
        ids, or in a layer named after a class. Points without scale and unit are in pixels.
    diameter_ang, diameter_px : float, optional
        Particle diameter in Å, or in pixels of the micrographs; one of them is needed.
    n_steps, n_folds, seed, device : optional
        As in `FineTuneSettings`; `finetune_layer` takes all of its settings.
    label_layers : sequence of napari.layers.Points, optional
        Further layers whose labels are used, such as your own "particles" and "junk". A point
        on one of `picks` labels that pick; places of two classes are left out.

    Returns
    -------
    Classifier
        The model; ``model.save("model.safetensors")`` writes it.

    Raises
    ------
    LabelError, MicrographNotFoundError, SettingsError
        Labels, micrographs or the diameter are missing.
    """
    session = session_on(micrographs, picks)
    settings = FineTuneSettings(
        diameter_px=diameter_px or None,
        diameter_ang=diameter_ang or None,
        n_steps=n_steps,
        n_folds=n_folds,
        seed=seed,
        device=device,
    )
    with _progress_bar("Fine-tuning") as show:
        return jobs.finetune_layer(
            session.viewer,
            picks,
            settings,
            stack_layer=micrographs,
            label_layers=label_layers,
            on_event=show,
        ).model


def apply_model(
    micrographs: Image,
    picks: Points,
    model: "Classifier | str | Path | None" = None,
    threshold: float = DEFAULT_THRESHOLD,
    *,
    device: str = "auto",
) -> tuple[Points, Points]:
    """Score the picks of a points layer, and show the kept and the rejected ones as layers.

    Parameters
    ----------
    micrographs : napari.layers.Image
        A stack of micrographs that this plugin opened.
    picks : napari.layers.Points
        Picks on it, as in `fine_tune`. Their labels take precedence over the scores.
    model : Classifier, str or Path, optional
        A model or its file, by default the viewer's. It becomes the viewer's. Before any label
        ``"bundled"``, the bundled network at the diameter of the rings: its scores have an
        order, but are not calibrated, and the viewer's model stays.
    threshold : float
        Least P(particle) of a kept pick.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns
    -------
    kept, rejected : napari.layers.Points
        Layers in the same viewer. They follow labels and threshold from now on; a second
        call updates them.

    Raises
    ------
    CheckpointError, LabelError, MicrographNotFoundError, SettingsError
        The file is no model, or picks, micrographs or a model are missing.
    """
    session = session_on(micrographs, picks)
    if model == BUNDLED_NAME:
        model = bundled_model(picks)
    elif isinstance(model, str | Path):
        model = jobs.load_model(session.viewer, model)
    with _progress_bar("Scoring picks") as show:
        jobs.score_layer(
            session.viewer,
            picks,
            model=model,
            threshold=threshold,
            device=device,
            stack_layer=micrographs,
            on_event=show,
        )
    return show_kept(session, picks)


def show_kept(session: Session, picks: Points) -> tuple[Points, Points]:
    """Show the kept picks of a scored layer, and return the layers of kept and rejected."""
    layers = outputs.refresh(session.viewer, picks).layers
    outputs.choose_shown(session.viewer, picks, "kept")
    return layers["kept"], layers["rejected"]


def session_on(micrographs: Image | None, picks: Points | None) -> Session:
    """Return the session of two layers, after making them its current layers.

    Raises
    ------
    LabelError, MicrographNotFoundError, SettingsError
        A layer is missing, of another kind, or in no viewer.
    """
    if micrographs is None or stack_of(micrographs.metadata) is None:
        name = "" if micrographs is None else f"layer {micrographs.name!r} is no such stack: "
        raise MicrographNotFoundError(
            f"{name}open the micrographs with this plugin, and choose their layer."
        )
    if picks is None:
        raise MicrographNotFoundError("there are no picks: open some, or add points.")
    session = session_with(picks)
    session.choose(picks_layer=picks, stack_layer=micrographs)
    return session


@contextmanager
def _progress_bar(title: str) -> Iterator[Callable[[Any], None]]:
    """Show progress as napari does: in its activity dock, or in the terminal."""
    with progress(total=N_TICKS, desc=title) as bar:
        yield lambda event: bar.update(round(N_TICKS * event.progress) - bar.n)
