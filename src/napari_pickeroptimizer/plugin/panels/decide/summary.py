"""What a threshold gives, in words: what is kept, how good that is, and what to beware of."""

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.panels.form_parts import small_print, tell
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.scoring import wording


class Verdict(QWidget):
    """The lines below the threshold."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = QLabel()
        self.kept.setObjectName("headline")
        self.rejected, self.expected = small_print(), small_print()
        self.expected.setToolTip(
            "Precision: share of particles among the kept picks. Recall: share of the picked "
            "particles that are kept. In brackets the 90 % interval: fewer labels, wider."
        )
        self.warnings = QLabel()
        self.warnings.setObjectName("warning")
        self.warnings.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for line in (self.kept, self.expected, self.rejected, self.warnings):
            column.addWidget(line)

    def show_scores(self, scores: Scores, vocabulary: Vocabulary) -> None:
        """Show what the threshold of some scores gives: at every step of a drag."""
        counts = scores.decision.counts(scores.threshold)
        expected = scores.decision.expectation(scores.threshold)
        self.kept.setText(wording.kept_text(counts))
        self.rejected.setText(wording.rejected_text(counts, vocabulary))
        self.expected.setText(
            wording.expectation_text(expected) or wording.no_expectation_text(scores)
        )
        forecast = scores.forecast
        notes = [*(() if forecast is None else forecast.warnings)]
        notes.append(wording.outside_text(scores.outside))
        text = "\n".join(note[:1].upper() + note[1:] for note in notes if note)
        tell(self.warnings, text)
