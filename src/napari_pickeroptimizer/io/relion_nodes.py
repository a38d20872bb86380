"""``RELION_OUTPUT_NODES.star``: the results of a job that RELION offers as inputs of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from napari_pickeroptimizer.io.star import new_star

NODES_FILE = "RELION_OUTPUT_NODES.star"
PIPELINE = "default_pipeline.star"


class Kind(StrEnum):
    """What a result is to RELION."""

    COORDINATES = "coordinates"
    PARTICLES = "particles"
    LOGFILE = "logfile"


# src/pipeline_jobs.h of 3.1.4, 4.0 and 5.0; the GUI of each lists nodes by its own words
_TYPES: dict[int, dict[Kind, str | int]] = {
    3: {Kind.COORDINATES: 2, Kind.PARTICLES: 3, Kind.LOGFILE: 13},
    4: {
        Kind.COORDINATES: "MicrographsCoords.star.relion.autopick",
        Kind.PARTICLES: "ParticlesData.star.relion",
        Kind.LOGFILE: "LogFile.pdf.relion.autopick",
    },
    5: {
        Kind.COORDINATES: "MicrographCoordsGroup.star.relion.autopick",
        Kind.PARTICLES: "ParticleGroupMetadata.star.relion",
        Kind.LOGFILE: "LogFile.pdf.relion.autopick",
    },
}
VERSIONS = tuple(_TYPES)
_OF_4 = ("MicrographsData.", "MicrographsCoords.", "ParticlesData.", "MicrographMoviesData.")


@dataclass(frozen=True)
class Node:
    """A result of a job.

    Parameters
    ----------
    name : str
        The file, relative to the project folder.
    kind : Kind
        What it is.
    """

    name: str
    kind: Kind


def output_nodes(nodes: Sequence[Node], version: int) -> str:
    """Return the text of the file: with numbers of types for RELION 3, else with labels.

    Parameters
    ----------
    nodes : sequence of Node
        At least one: RELION has no tables without rows.
    version : int
        3, 4 or 5.

    Examples
    --------
    >>> print(
    ...     output_nodes([Node("External/job012/autopick.star", Kind.COORDINATES)], 3).strip()
    ... )
    # version 30001
    <BLANKLINE>
    data_output_nodes
    <BLANKLINE>
    loop_
    _rlnPipeLineNodeName #1
    _rlnPipeLineNodeType #2
    External/job012/autopick.star 2
    """
    types = np.array([_TYPES[version][node.kind] for node in nodes])
    label = "rlnPipeLineNodeType" if version == 3 else "rlnPipeLineNodeTypeLabel"
    names = np.array([node.name for node in nodes], dtype=object)
    columns = {"rlnPipeLineNodeName": names, label: types}
    header = "\n# version 50001\n" if version == 5 else "\n# version 30001\n"
    return header + new_star("output_nodes", columns)


def version_of_project(project: Path) -> int | None:
    """Return 3, 4 or 5: the RELION that wrote a project's pipeline; None if there is none.

    Version 3 has numbers of types, and 4.0 other words than 5.
    """
    try:
        text = (project / PIPELINE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    if "_rlnPipeLineNodeTypeLabel" not in text:
        return 3 if "_rlnPipeLine" in text else None
    return 4 if any(word in text for word in _OF_4) else 5
