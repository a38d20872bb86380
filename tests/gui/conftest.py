"""A small simulated project, and this plugin alone in a real viewer on a virtual screen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.simulate.settings import SimulationSettings

PLUGIN = "napari-pickeroptimizer"
LIMIT_MS = 300_000  # of a wait; ten programs at once make a machine slow
SMALL = SimulationSettings(
    n_micrographs=3,
    n_particles=12,
    shape_px=(480, 512),
    pixel_size_ang=4.0,
    labels_per_class=5,
    carbon_chance=1.0,
    seed=3,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # napari, npe2 and Qt deprecate things of their own, release by release
            for category in (
                "DeprecationWarning",
                "FutureWarning",
                "PendingDeprecationWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))


@pytest.fixture
def fail_at_once(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Return a function that fails the test if a Qt slot or a thread has raised.

    pytest-qt and pytest collect such exceptions and tell them when the test ends: a wait for
    what a broken slot should have done would last until its limit.
    """
    raised: list[threading.ExceptHookArgs] = []
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        raised.append(args)
        before(args)

    def fail() -> None:
        request.node.qt_exception_capture_manager.fail_if_exceptions_occurred("CALL")
        if raised:
            kind, value = raised[0].exc_type.__name__, raised[0].exc_value
            pytest.fail(f"{raised[0].thread} raised {kind}: {value}")

    threading.excepthook = hook
    yield fail
    threading.excepthook = before


@pytest.fixture
def qtbot(request: pytest.FixtureRequest, fail_at_once: Callable[[], None]) -> Any:
    """Return pytest-qt's, whose waits end as soon as a slot or a thread raises.

    Their limit is such that a busy machine meets it: it is there for what hangs.
    """
    from pytestqt.qtbot import QtBot

    class WatchfulBot(QtBot):
        def waitUntil(self, callback: Any, *, timeout: int = LIMIT_MS) -> None:
            def watched() -> Any:
                fail_at_once()
                return callback()

            super().waitUntil(watched, timeout=max(timeout, LIMIT_MS))

        def waitSignal(self, signal: Any, *, timeout: int = LIMIT_MS, **options: Any) -> Any:
            return super().waitSignal(signal, timeout=max(timeout, LIMIT_MS), **options)

    request.getfixturevalue("qapp")
    return WatchfulBot(request)


class Gate:
    """Holds the reading of micrographs in worker threads until the test lets them through.

    So a job is surely at work while a test does what is done meanwhile.
    """

    def __init__(self) -> None:
        self._free = threading.Semaphore(0)
        self._open = False
        self.n_held = 0

    def let(self, n: int) -> None:
        """Let the next `n` readings through."""
        self._free.release(n)

    def open(self) -> None:
        """Hold nothing any more."""
        self._open = True
        self._free.release(1000)

    def pass_through(self) -> None:
        """Wait, in a worker thread, until the gate lets this reading through."""
        if self._open or threading.current_thread() is threading.main_thread():
            return  # what the window shows is read in the main thread
        self.n_held += 1
        if not self._free.acquire(timeout=LIMIT_MS / 1000):
            raise TimeoutError("the test did not open its gate")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Return a gate that all readings of micrographs in worker threads have to pass."""
    from napari_pickeroptimizer.micrographs import Micrograph

    held, read = Gate(), Micrograph.read

    def read_when_let(micrograph: Micrograph, *args: Any, **options: Any) -> Any:
        held.pass_through()
        return read(micrograph, *args, **options)

    monkeypatch.setattr(Micrograph, "read", read_when_let)
    for module in (
        "prune.score",
        "fewshot.gather",
    ):  # reads some micrographs before the job does
        monkeypatch.setattr(f"napari_pickeroptimizer.{module}.other_frame", lambda *_: None)
    yield held
    held.open()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a simulated project: micrographs.star, labels.star, picks."""
    from napari_pickeroptimizer.simulate.project import simulate_project

    folder = tmp_path_factory.mktemp("project")
    for _ in simulate_project(folder, SMALL):
        pass
    return folder


@pytest.fixture(scope="session")
def picks_star(project: Path) -> Path:
    return project / "AutoPick" / "simulated" / "picks.star"


@pytest.fixture(scope="session")
def labelled(project: Path, picks_star: Path) -> Picks:
    """All picks, with the project's hand labels."""
    from napari_pickeroptimizer import read_picks
    from napari_pickeroptimizer.prune.label_matching import match_labels_by_name

    labels = read_picks(project / "labels.star")
    return match_labels_by_name(read_picks(picks_star), labels).picks


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a model that scores picks without ever having seen one: where any scores do."""
    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.model.weights import initial_network

    boxes = BoxSettings(diameter_px=40)
    card = ModelCard((1, 2), ("particle", "contaminant"), "resnet18_half", boxes)
    network = initial_network("bundled", None, 2).eval()
    return Classifier(network, card).save(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture
def make_viewer(request: pytest.FixtureRequest, npe2pm: Any) -> Any:
    """Return how to make a viewer as plugins get it, this plugin the only foreign one."""
    from npe2 import PluginManifest

    try:
        make = request.getfixturevalue("make_napari_viewer_proxy")
    except pytest.FixtureLookupError:  # napari before 0.5
        make = request.getfixturevalue("make_napari_viewer")
    npe2pm.register(PluginManifest.from_distribution(PLUGIN))
    return make


@pytest.fixture
def viewer(make_viewer: Any) -> Any:
    """Return a viewer whose window is not shown."""
    return make_viewer()


@pytest.fixture
def shown_viewer(make_viewer: Any) -> Any:
    """Return a viewer that a mouse and a keyboard can work on; the pointer is on no window."""
    from qtpy.QtGui import QCursor, QGuiApplication

    QCursor.setPos(QGuiApplication.primaryScreen().geometry().bottomRight())
    return make_viewer(show=True)


@pytest.fixture(scope="session")
def tuned(project, labelled):
    """Return what a short fine-tuning gives, and the scores of all picks, by the core alone."""
    from napari_pickeroptimizer import FineTuneSettings, Micrographs, finetune, score

    micrographs = Micrographs.find(project / "Micrographs")
    settings = FineTuneSettings(diameter_px=40, n_steps=5, n_folds=2, device="cpu")
    used = labelled.labels != 0
    *_, tuned = finetune(micrographs, labelled.select(used), settings, labelled.select(~used))
    *_, scored = score(micrographs, labelled, tuned.model, device="cpu")
    return tuned, scored.picks


@pytest.fixture
def loaded(viewer, project, labelled, tuned):
    """Return a viewer with micrographs, the labelled picks and a model."""
    from napari_pickeroptimizer.plugin import actions, session

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    actions.open_picks(viewer, labelled, name="picks")
    session.session_of(viewer).set_model(tuned[0].model, tuned[0])
    return viewer
