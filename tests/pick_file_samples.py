"""Pick files of every format as hypothesis makes them, with the picks that each must give.

A sample knows its file with any of its picks left out, built anew from its parts. Written
from the programs' documentation, beside the package's own writers and not by them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

Content = Callable[[Sequence[int]], dict[str, bytes]]


@dataclass(frozen=True)
class Sample:
    """One pick file, or one that names others.

    Parameters
    ----------
    name : str
        Of the file to open.
    picks : tuple of (str, float, float, float)
        Micrograph (empty: the file does not tell), x and y of the centre, score (NaN: none).
    content : callable
        Returns all files by name, with only the picks at some positions.
    """

    name: str
    picks: tuple[tuple[str, float, float, float], ...]
    content: Content

    def write(self, folder: Path) -> Path:
        """Write all files with all picks; return the one to open."""
        for name, data in self.content(range(len(self.picks))).items():
            (folder / name).write_bytes(data)
        return folder / self.name

    def called(self, name: str) -> Sample:
        """Return a file of text under another name."""

        def content(kept: Sequence[int]) -> dict[str, bytes]:
            return {name: self.content(kept)[self.name]}

        return replace(self, name=name, content=content)


# -- values as programs spell them -----------------------------------------------------------

numbers = st.one_of(
    st.integers(-50, 9000).map(str),
    st.integers(0, 9000).map(lambda n: f"{n}.00"),
    st.integers(-200, 36000).map(lambda n: f"{n / 4:12.6f}".strip()),
    st.floats(-10, 9000, allow_subnormal=False).map(repr),
    st.floats(1, 9000).map(lambda x: f"{x:.5e}"),
)
sizes = st.sampled_from(["0", "64", "180", "63.5", "220.0"])
some_score = st.sampled_from(["0.5", "-3.25", "1e-3", "12", "0.123456789", "nan"])
words = st.sampled_from(["0", "-999", "1.50", "0.000000", "opticsGroup1", "x#1", "it's"])
micrographs = st.sampled_from(
    [
        "Movies/a.mrc",
        "MotionCorr/job002/Movies/b.mrc",
        "c d.mrc",
        "000000000000000000001_e.mrc",
    ]
)
ends = st.sampled_from(["\n", "\r\n"])

Piece = tuple[str, int | None]  # a line, and which pick it is


def of_pieces(name: str, picks: list, pieces: list[Piece], end: str, tail: str) -> Sample:
    """Return a file of lines, the last of them with or without an end."""
    encoding = "utf-8-sig" if tail == "mark" else "utf-8"

    def content(kept: Sequence[int]) -> dict[str, bytes]:
        lines = [line + end for line, _ in pieces]
        if tail == "open":
            lines[-1] = lines[-1].removesuffix(end)
        stay = set(kept)
        text = "".join(
            line
            for line, (_, pick) in zip(lines, pieces, strict=True)
            if pick is None or pick in stay
        )
        return {name: text.encode(encoding)}

    return Sample(name, tuple(picks), content)


tails = st.sampled_from(["", "", "open", "mark"])


def with_notes(draw, rows: list[str], notes: Sequence[str]) -> list[Piece]:
    """Return the lines of picks, with lines between them that stay."""
    pieces: list[Piece] = []
    for i, row in enumerate(rows):
        if notes and draw(st.integers(0, 5)) == 0:
            pieces.append((draw(st.sampled_from(notes)), None))
        pieces.append((row, i))
    return pieces


# -- one strategy a format --------------------------------------------------------------------

N_PICKS = st.integers(1, 5)


@st.composite
def star(draw, *, of_one_micrograph: bool | None = None) -> Sample:
    """RELION 3.0 to 5, Warp and Topaz: with and without optics, numbers and further tables."""
    end, version = (
        draw(ends),
        draw(st.sampled_from(["", "# version 30001", "# version 50001"])),
    )
    alone = draw(st.booleans()) if of_one_micrograph is None else of_one_micrograph
    numbered, optics = draw(st.booleans()), draw(st.booleans())
    columns = ["rlnCoordinateX", "rlnCoordinateY"] + ["rlnMicrographName"] * (not alone)
    columns += draw(
        st.lists(
            st.sampled_from(
                ["rlnAutopickFigureOfMerit", "rlnAnglePsi", "rlnOpticsGroup", "myOwn", "_b"]
            ),
            unique=True,
        )
    )
    columns = draw(st.permutations(columns))
    picks, rows = [], []
    for _ in range(draw(N_PICKS)):
        field = {label: draw(words) for label in columns}
        field["rlnCoordinateX"], field["rlnCoordinateY"] = draw(numbers), draw(numbers)
        name = "" if alone else draw(micrographs)
        field["rlnMicrographName"] = f'"{name}"' if " " in name else name
        score = draw(some_score | st.just("<NA>"))
        field["rlnAutopickFigureOfMerit"] = score
        gap = draw(st.sampled_from([" ", "\t", "   "]))
        start, stop = draw(st.sampled_from(["", " "])), draw(st.sampled_from(["", " "]))
        rows.append(start + gap.join(field[label] for label in columns) + stop)
        has_score = "rlnAutopickFigureOfMerit" in columns and score != "<NA>"
        x, y = float(field["rlnCoordinateX"]), float(field["rlnCoordinateY"])
        picks.append((name, x, y, float(score) if has_score else np.nan))
    head = ["", version, ""] if version else [""]
    if optics:
        head += ["data_optics", "", "loop_ ", "_rlnOpticsGroup #1 ", "_rlnOpticsGroupName #2 "]
        head += ["1 opticsGroup1 ", "", version]
    head += [draw(st.sampled_from(["data_", "data_particles", "data_images"])), "", "loop_ "]
    head += [f"_{c} #{i} " if numbered else f"_{c}" for i, c in enumerate(columns, 1)]
    foot = draw(st.sampled_from([[], [" "], ["", "data_more", "", "_rlnOther 5"]]))
    pieces = [(line, None) for line in head] + with_notes(draw, rows, ["# a note"])
    pieces += [(line, None) for line in foot]
    return of_pieces("a.star", picks, pieces, end, draw(tails))


@st.composite
def box(draw) -> Sample:
    scored, gap = draw(st.booleans()), draw(st.sampled_from(["\t", " ", "  "]))
    picks, rows = [], []
    for _ in range(draw(N_PICKS)):
        corner, size, score = [draw(numbers), draw(numbers)], draw(sizes), draw(some_score)
        rows.append(gap.join([*corner, size, size] + [score] * scored))
        x, y = (float(c) + float(size) / 2 for c in corner)
        picks.append(("", x, y, float(score) if scored else np.nan))
    return of_pieces(
        "a.box", picks, with_notes(draw, rows, ["# a note", ""]), draw(ends), draw(tails)
    )


@st.composite
def cbox(draw) -> Sample:
    """crYOLO, with the estimated sizes: plain columns before 1.0, else a STAR."""
    old, confident = draw(st.booleans()), draw(st.booleans())
    picks, rows = [], []
    for _ in range(draw(N_PICKS)):
        corner, size, score = [draw(numbers), draw(numbers)], draw(sizes), draw(some_score)
        x, y = (float(c) + float(size) / 2 for c in corner)
        picks.append(("", x, y, float(score) if old or confident else np.nan))
        more = [score] * confident + ["211", "-1.0"]
        rows.append(
            "\t".join([*corner, size, size, score, "211", "190"])
            if old
            else " ".join([*corner, "<NA>", size, size, "<NA>", *more])
        )
    if old:
        return of_pieces("a.cbox", picks, with_notes(draw, rows, []), draw(ends), draw(tails))
    labels = ["CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth"]
    labels += ["Confidence"] * confident + ["NumBoxes", "Angle"]
    head = ["", "data_global", "", "_cbox_format_version 1.0", "", "data_cryolo", "", "loop_"]
    head += [f"_{label} #{i}" for i, label in enumerate(labels, 1)]
    foot = ["", "data_cryolo_include", "", "loop_", "_slice_index #1", ""]
    pieces = [(line, None) for line in head] + with_notes(draw, rows, [])
    pieces += [(line, None) for line in foot]
    return of_pieces("a.cbox", picks, pieces, draw(ends), draw(tails))


@st.composite
def table(draw, name: str, headers: Sequence[str], delimiters: str) -> Sample:
    """A table with one line of names: CSV, Topaz."""
    delimiter = draw(st.sampled_from(delimiters))
    header = draw(st.sampled_from(headers)).split(",")
    picks, rows = [], []
    for _ in range(draw(N_PICKS)):
        x, y, score = draw(numbers), draw(numbers), draw(some_score | st.just(""))
        micrograph = draw(micrographs)
        values = {"x": x, "y": y, "i": micrograph, "s": score}
        kinds = [h.lstrip("#").lower()[0] for h in header]
        rows.append(delimiter.join(values.get(k, "7.50") for k in kinds))
        known = float(score) if score and "s" in kinds else np.nan
        picks.append((micrograph if "i" in kinds else "", float(x), float(y), known))
    pieces = [(delimiter.join(header), None), *with_notes(draw, rows, [""])]
    return of_pieces(name, picks, pieces, draw(ends), draw(tails))


# CryoPPP, CryoSegNet, Topaz, ours, and columns of their own
CSV_HEADERS = (
    "x,y", "X-Coordinate,Y-Coordinate,Diameter", "image_name,x_coord,y_coord,score",
    "X,Y,diameter", "note,y,x,score,width", "image_name,x,y,n",
)  # fmt: skip
TOPAZ_HEADERS = (
    "image_name,x_coord,y_coord", "image_name,x_coord,y_coord,score",
    "image_name,x_coord,y_coord,score,diameter",
)  # fmt: skip


@st.composite
def info(draw) -> Sample:
    """EMAN2: boxes among keys of any kind, laid out in different ways."""
    other = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
        ),
        max_leaves=4,
    )
    keys = st.sampled_from(["ctf", "quality", "box", '\u00b5 "a"', "apix"])
    lead, gap, tail = draw(
        st.sampled_from([("\n", ",\n", "\n"), ("", ", ", ""), (" \n\t", "\n ,\n", " ")])
    )
    picks, boxes = [], []
    for _ in range(draw(N_PICKS)):
        x, y = draw(numbers), draw(numbers)
        kind, score = draw(st.sampled_from(["manual", "auto_local"])), draw(some_score)
        scored = draw(st.booleans())
        value = "NaN" if score == "nan" else score
        boxes.append(f'[{x}, {y}, "{kind}"' + f", {value}" * scored + "]")
        known = scored and kind.startswith("auto")
        picks.append(("", float(x), float(y), float(score) if known else np.nan))
    before, after = (draw(st.dictionaries(keys, other, max_size=2)) for _ in range(2))
    after = {key: value for key, value in after.items() if key not in before}
    start = "".join(f"{json.dumps(k)}: {json.dumps(v)},\n" for k, v in before.items())
    stop = "".join(f",\n{json.dumps(k)}: {json.dumps(v)}" for k, v in after.items())

    def content(kept: Sequence[int]) -> dict[str, bytes]:
        inner = lead + gap.join(boxes[i] for i in kept) + tail if len(kept) else ""
        return {"a_info.json": f'{{\n{start}"boxes": [{inner}]{stop}\n}}\n'.encode()}

    return Sample("a_info.json", tuple(picks), content)


@st.composite
def pos(draw) -> Sample:
    """Xmipp: manual and automatic picks, and discarded ones, which stay."""
    picks: list = []
    pieces: list[Piece] = [("# XMIPP_STAR_1 * ", None), ("#", None), ("data_header", None)]
    pieces += [("loop_", None), (" _pickingMicrographState", None), ("Supervised ", None)]
    for block in draw(st.sampled_from(["m", "a", "ma"])):
        labels = ["_itemId", "_enabled", "_xcoor", "_ycoor"] + ["_cost"] * (block == "a")
        pieces.append(("data_particles" + "_auto" * (block == "a"), None))
        pieces += [("loop_", None), *((f" {label}", None) for label in labels)]
        for i in range(draw(N_PICKS)):
            x, y, score = draw(numbers), draw(numbers), draw(some_score)
            discarded = draw(st.integers(0, 3)) == 0
            row = [f"{i:06d}", "-1" if discarded else "1", x, y] + [score] * (block == "a")
            pieces.append((f" {'   '.join(row)} ", None if discarded else len(picks)))
            if not discarded:
                known = float(score) if block == "a" else np.nan
                picks.append(("", float(x), float(y), known))
    return of_pieces("a.pos", picks, pieces, draw(ends), draw(tails))


def npy(table: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, table)
    return buffer.getvalue()


PLACES = [
    ("location/micrograph_path", "S60"), ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"),
]  # fmt: skip
OTHERS = [
    ("ctf/df1_A", "<f4"), ("blob/idx", "<u4"), ("alignments2D/shift", "<f4", (2,)),
    ("ctf/type", "S9"), ("filter/ok", "?"), ("location/exp_group_id", "<u4"),
]  # fmt: skip


def cs_table(draw, uids: Sequence[int], fields: list) -> np.ndarray:
    made = np.zeros(len(uids), dtype=[("uid", "<u8"), *fields])
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    for name in made.dtype.names:
        values = rng.integers(0, 99, made[name].shape)
        made[name] = values if made.dtype[name].base.kind != "S" else b"spherical"
    made["uid"] = uids
    if "location/center_x_frac" in made.dtype.names:
        shapes = st.tuples(st.integers(500, 9000), st.integers(500, 9000))
        for i in range(len(uids)):
            made["location/micrograph_path"][i] = draw(micrographs).encode()
            made["location/micrograph_shape"][i] = draw(shapes)
            for axis in "xy":
                made[f"location/center_{axis}_frac"][i] = draw(st.floats(0, 1, width=32))
    if "pick_stats/ncc_score" in made.dtype.names:
        made["pick_stats/ncc_score"] = [float(draw(some_score)) for _ in uids]
    return made


def picks_of(places: np.ndarray, scores: np.ndarray) -> tuple:
    ny, nx = places["location/micrograph_shape"].astype(float).T
    x = places["location/center_x_frac"].astype(float) * nx
    y = places["location/center_y_frac"].astype(float) * ny
    names = [name.decode() for name in places["location/micrograph_path"].tolist()]
    return tuple(zip(names, x.tolist(), y.tolist(), scores.tolist(), strict=True))


SCORE = ("pick_stats/ncc_score", "<f4")
uids_of = st.lists(st.integers(1, 2**64 - 1), min_size=1, max_size=5, unique=True)


@st.composite
def cs(draw) -> Sample:
    fields = draw(
        st.permutations(PLACES + draw(st.lists(st.sampled_from(OTHERS), unique=True)))
    )
    scored = draw(st.booleans())
    made = cs_table(draw, draw(uids_of), [*fields, SCORE] if scored else list(fields))
    scores = (
        made["pick_stats/ncc_score"].astype(float) if scored else np.full(len(made), np.nan)
    )

    def content(kept: Sequence[int]) -> dict[str, bytes]:
        return {"a.cs": npy(made[list(kept)])}

    return Sample("a.cs", picks_of(made, scores), content)


@st.composite
def csg(draw) -> Sample:
    """A group of two tables in two orders."""
    uids = draw(uids_of)
    order = draw(st.permutations(uids))
    places = cs_table(draw, uids, PLACES)
    more = cs_table(
        draw, order, [SCORE, *draw(st.lists(st.sampled_from(OTHERS), unique=True))]
    )
    mark = draw(st.sampled_from(["'", ""]))
    scores = more["pick_stats/ncc_score"][[order.index(uid) for uid in uids]].astype(float)

    def content(kept: Sequence[int]) -> dict[str, bytes]:
        rest = [i for i, uid in enumerate(order) if uids.index(uid) in set(kept)]
        results = "".join(
            f"  {slot}:\n    metafile: {mark}>{file}{mark}\n    num_items: {n}\n"
            f"    type: particle.{slot}\n"
            for slot, file, n in (
                ("location", "a_picks.cs", len(kept)),
                ("pick_stats", "a_more.cs", len(rest)),
                ("ctf", "a_more.cs", len(rest)),
            )
        )
        group = f"created: 2023-08-17\ngroup:\n  name: picks\nresults:\n{results}version: v4\n"
        return {
            "a_picks.cs": npy(places[list(kept)]),
            "a_more.cs": npy(more[rest]),
            "a.csg": group.encode(),
        }

    return Sample("a.csg", picks_of(places, scores), content)


# A new format: give it a strategy of its files.
SAMPLES: dict[str, st.SearchStrategy[Sample]] = {
    ".star": star(),
    ".box": box(),
    ".csv": table("a.csv", CSV_HEADERS, ",;\t"),
    ".cbox": cbox(),
    ".cs": cs(),
    ".csg": csg(),
    ".json": info(),
    ".txt": table("a.txt", TOPAZ_HEADERS, "\t"),
    ".pos": pos(),
}
