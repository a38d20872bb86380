"""StarDocument: text in, the same text out, minus rows and plus columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.star import StarDocument

RELION_31 = """
# version 30001

data_optics

loop_ 
_rlnOpticsGroupName #1 
_rlnOpticsGroup #2 
opticsGroup1            1 
 

# version 30001

data_particles

loop_ 
_rlnCoordinateX #1 
_rlnCoordinateY #2 
_rlnMicrographName #3 
  100.500000    20.250000 a.mrc 
  300.000000    40.000000 b.mrc 
  500.125000    60.000000 a.mrc 
 
"""  # noqa: W291, W293 (RELION's own spaces)


def parse(text: str) -> StarDocument:
    return StarDocument.parse(text, Path("picks.star"))


def test_reads_blocks_columns_and_values() -> None:
    document = parse(RELION_31)
    optics, particles = document.blocks
    assert (optics.name, particles.name) == ("optics", "particles")
    assert particles.columns == ("rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName")
    assert len(particles) == 3
    x = document.numbers(particles, ["rlnCoordinateX"])["rlnCoordinateX"]
    assert x.tolist() == [100.5, 300.0, 500.125]
    names = document.strings(particles, ["rlnMicrographName"])["rlnMicrographName"]
    assert names.tolist() == ["a.mrc", "b.mrc", "a.mrc"]


def test_all_rows_give_the_same_text() -> None:
    document = parse(RELION_31)
    assert document.render(document.blocks[1], [0, 1, 2]) == RELION_31


def test_dropping_a_row_drops_that_line_only() -> None:
    document = parse(RELION_31)
    expected = RELION_31.replace("  300.000000    40.000000 b.mrc \n", "")
    assert document.render(document.blocks[1], [0, 2]) == expected


def test_dropping_all_rows_keeps_the_header() -> None:
    document = parse(RELION_31)
    text = document.render(document.blocks[1], [])
    assert "mrc" not in text.replace("rlnMicrographName", "")
    again = parse(text)
    assert again.blocks[1].columns == document.blocks[1].columns
    assert len(again.blocks[1]) == 0


def test_new_columns_go_to_the_end_numbered_like_the_others() -> None:
    document = parse(RELION_31)
    new = {"rlnParticleSelectionType": ["1", "2"], "poParticleProbability": ["0.9", "0.1"]}
    text = document.render(document.blocks[1], [0, 2], new)
    expected = RELION_31.replace("  300.000000    40.000000 b.mrc \n", "")
    expected = expected.replace(
        "_rlnMicrographName #3 \n",
        "_rlnMicrographName #3 \n_rlnParticleSelectionType #4 \n_poParticleProbability #5 \n",
    )
    expected = expected.replace("20.250000 a.mrc ", "20.250000 a.mrc 1 0.9 ")
    expected = expected.replace("60.000000 a.mrc ", "60.000000 a.mrc 2 0.1 ")
    assert text == expected


def test_header_without_numbers_stays_without() -> None:
    document = parse("data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1\t2\n3\t4\n")
    text = document.render(document.blocks[0], [1], {"rlnClassNumber": ["5"]})
    assert text == (
        "data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnClassNumber\n3\t4\t5\n"
    )


def test_existing_column_is_replaced_token_by_token() -> None:
    document = parse("data_\nloop_\n_a #1\n_b #2\n_c #3\n  1.50\t 'x y'   7 \n 2.5 z 8\n")
    text = document.render(document.blocks[0], [0, 1], {"b": ["new", '"two words"']})
    assert text == (
        'data_\nloop_\n_a #1\n_b #2\n_c #3\n  1.50\t new   7 \n 2.5 "two words" 8\n'
    )


def test_windows_line_endings_stay() -> None:
    text = "\r\ndata_\r\n\r\nloop_\r\n_x #1\r\n_y #2\r\n1 2\r\n3 4\r\n"
    document = parse(text)
    block = document.blocks[0]
    assert document.numbers(block, ["y"])["y"].tolist() == [2.0, 4.0]
    assert document.render(block, [1], {"z": ["9"]}) == (
        "\r\ndata_\r\n\r\nloop_\r\n_x #1\r\n_y #2\r\n_z #3\r\n3 4 9\r\n"
    )


def test_last_row_without_newline_goes_and_leaves_whole_lines() -> None:
    document = parse("data_\r\nloop_\r\n_x\r\n1\r\n2")
    assert document.render(document.blocks[0], [0]) == "data_\r\nloop_\r\n_x\r\n1\r\n"
    assert document.render(document.blocks[0], [1]) == "data_\r\nloop_\r\n_x\r\n2"


def test_comments_stay_where_they_are() -> None:
    text = "# top\ndata_ # name\nloop_ # here\n_x #1 [pixels]\n_y #2\n1 2 # good\n# mid\n3 4\n"
    document = parse(text)
    block = document.blocks[0]
    assert document.numbers(block, ["y"])["y"].tolist() == [2.0, 4.0]
    assert document.render(block, [0], {"z": ["9"]}) == (
        "# top\ndata_ # name\nloop_ # here\n_x #1 [pixels]\n_y #2\n_z #3\n"
        "1 2 9 # good\n# mid\n"
    )


def test_quotes_protect_spaces_and_an_apostrophe_inside_a_name_is_none() -> None:
    document = parse(
        'data_\nloop_\n_name\n_x\n"my file.mrc" 1\n\'a b\' 2\nO\'Brien/c.mrc 3\n"" 4\n'
    )
    values = document.strings(document.blocks[0], ["name", "x"])
    assert values["name"].tolist() == ["my file.mrc", "a b", "O'Brien/c.mrc", ""]
    assert values["x"].tolist() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("name", ["two words.mrc", "one.mrc"])
def test_quotes_in_a_table_large_enough_for_pandas(quote: str, name: str) -> None:
    rows = [f"{i} plain.mrc" for i in range(3000)]
    rows[2500] = f"2500 {quote}{name}{quote}"
    document = parse("data_\nloop_\n_x\n_name\n" + "\n".join(rows) + "\n")
    values = document.strings(document.blocks[0], ["x", "name"])
    assert values["name"][2500] == name
    assert values["x"].tolist() == [str(i) for i in range(3000)]


def test_rows_may_begin_with_words_that_begin_blocks() -> None:
    document = parse("data_\nloop_\n_name\n_x\ndata_1/a.mrc 1\nloop_b.mrc 2\n_c.mrc 3\n")
    assert len(document.blocks) == 1
    names = document.strings(document.blocks[0], ["name"])["name"]
    assert names.tolist() == ["data_1/a.mrc", "loop_b.mrc", "_c.mrc"]


def test_blank_line_between_header_and_rows() -> None:
    document = parse("data_\nloop_\n_x\n\n1\n2\n\n\n")
    assert document.numbers(document.blocks[0], ["x"])["x"].tolist() == [1.0, 2.0]


def test_pairs_of_a_block_that_is_no_loop() -> None:
    document = parse("data_general\n\n_rlnPixelSize   1.77\n_note 'two words'\n\ndata_x\n")
    assert document.pairs(document.blocks[0]) == {"rlnPixelSize": "1.77", "note": "two words"}
    assert not document.blocks[0].is_loop


@pytest.mark.parametrize("n_rows", [2, 3000], ids=["small", "for pandas"])
@pytest.mark.parametrize(("bad", "n_values"), [("7", 1), ("7 8 9", 3), ("7 8 9 10", 4)])
def test_wrong_number_of_values_names_file_row_and_line(
    n_rows: int, bad: str, n_values: int
) -> None:
    rows = ["1 2"] * n_rows
    rows[1] = bad
    document = parse("data_\nloop_\n_x\n_y\n" + "\n".join(rows) + "\n")
    with pytest.raises(
        PickFormatError,
        match=rf"picks.star, row 2 \(line 6\): {n_values} values in the row where 2",
    ):
        document.strings(document.blocks[0], ["x"])


def test_column_twice_is_refused() -> None:
    with pytest.raises(
        PickFormatError, match="picks.star, line 4: data_p has the column x twice"
    ):
        parse("data_p\nloop_\n_x\n_x\n1 2\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file"),
        (b" \n\n", "is an empty file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is a binary file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"just some words\n", "no data_ block"),
    ],
    ids=["empty", "blank", "binary", "lfs", "prose"],
)
def test_what_is_no_star_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.star"
    file.write_bytes(content)
    with pytest.raises(PickFormatError, match=message) as raised:
        StarDocument.read(file)
    assert str(file) in str(raised.value)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(PicksNotFoundError, match=r"none.star does not exist"):
        StarDocument.read(tmp_path / "none.star")
    with pytest.raises(PickFormatError, match="is a directory where a file was expected"):
        StarDocument.read(tmp_path)


def test_bytes_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    file = tmp_path / "latin.star"
    file.write_bytes(b"# \xe9t\xe9\ndata_\nloop_\n_x\n1\n")
    document = StarDocument.read(file)
    text = document.render(document.blocks[0], [0])
    assert text.encode(document.encoding) == file.read_bytes()
