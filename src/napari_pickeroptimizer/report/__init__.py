"""Reports: one HTML file that shows what a run did, and how far it can be trusted."""

from napari_pickeroptimizer.report.evaluation_report import write_evaluation_report
from napari_pickeroptimizer.report.prune_report import write_prune_report

__all__ = ["write_evaluation_report", "write_prune_report"]
