"""A line of a STAR that may mean two things is read by what surrounds it, or refused by number."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.star import StarDocument

NAMES = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n"
PICKS = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"


def parse(text: str) -> StarDocument:
    return StarDocument.parse(text, Path("a.star"))


def names(text: str) -> list[str]:
    document = parse(text)
    block = document.blocks[0]
    return document.strings(block, ["rlnMicrographName"])["rlnMicrographName"].tolist()


@pytest.mark.parametrize(
    "name", ["data_1.mrc", "loop_2.mrc", "_rln_3.mrc", "DATA_x", "Loop_x"]
)
def test_a_name_that_begins_like_a_header_is_a_value_of_its_row(name: str) -> None:
    assert names(f"{PICKS}{name} 1 2\nb.mrc 3 4\n{name} 5 6\n") == [name, "b.mrc", name]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quoted_it_is_a_value_even_alone_in_its_row(quote: str) -> None:
    odd = ["data_1.mrc", "loop_2.mrc", "_rln_3.mrc", "#4.mrc", ";5.mrc", "loop_"]
    assert names(NAMES + "".join(f"{quote}{name}{quote}\n" for name in odd)) == odd


def test_alone_in_a_row_it_is_a_value_if_values_follow() -> None:
    rows = ["a.mrc", "data_1.mrc", "loop_2.mrc", "_rln_3.mrc"]
    assert names(NAMES + "\n".join(rows) + "\n") == rows


@pytest.mark.parametrize(
    "following", ["", "data_2.mrc\nb.mrc\n", "# the end\n", "_rlnX\n"],
    ids=["end", "another", "comment", "label"],
)  # fmt: skip
def test_alone_in_a_row_it_is_refused_if_a_block_may_begin(following: str) -> None:
    with pytest.raises(PickFormatError, match=r"a\.star, line 6: a value, or the begin of a"):
        parse(f"{NAMES}a.mrc\ndata_1.mrc\n{following}")


@pytest.mark.parametrize(
    "block", ["data_other\nloop_\n_rlnX\n1\n", "data_other\n_rlnX 5\n", "\ndata_other\n"],
    ids=["loop", "pairs", "empty, behind a blank line"],
)  # fmt: skip
@pytest.mark.parametrize("head", [NAMES + "a.mrc\n", PICKS + "a.mrc 1 2\n"])
def test_a_block_that_follows_at_once_is_a_block(head: str, block: str) -> None:
    assert names(head + block) == ["a.mrc"]
    assert [b.name for b in parse(head + block).blocks][1:] == ["other"]


@pytest.mark.parametrize(
    "text",
    [
        f"{PICKS}a.mrc 1 2\ndata_1.mrc\n3 4\n",
        f"{PICKS}a.mrc 1 2\nloop_\n3 4\n",
        "data_\na.mrc 1 2\n",
        "data_\n_rlnX 5\na.mrc 1 2\n",
    ],
    ids=["a row over two lines", "no labels", "no table", "behind pairs"],
)
def test_values_that_belong_to_no_table_are_refused(text: str) -> None:
    with pytest.raises(PickFormatError, match=r"line \d+: values that belong to no table"):
        parse(text)


def test_a_table_before_the_first_block_is_refused() -> None:
    with pytest.raises(PickFormatError, match="line 2: a table begins before any data_ block"):
        parse(f"written by hand\nloop_\n_rlnCoordinateX\n1\n{PICKS}")


def test_words_before_the_first_block_are_none_of_it() -> None:
    assert names(f"written by hand\n{PICKS}a.mrc 1 2\n") == ["a.mrc"]


def test_a_comment_with_as_many_words_as_columns_may_be_a_row() -> None:
    with pytest.raises(PickFormatError, match="line 8: a row whose first value begins with #"):
        parse(f"{PICKS}a.mrc 1 2\n#b.mrc 3 4\n")
    rows = "a.mrc 1 2\n# b.mrc 3\n#b\n#########\nc.mrc 5 6 # good\n"
    assert names(PICKS + rows) == ["a.mrc", "c.mrc"]


def test_a_text_block_is_refused_in_a_table_and_passed_over_in_pairs() -> None:
    with pytest.raises(PickFormatError, match="line 7: a text block"):
        parse(f"{PICKS};a.mrc\n; 1 2\n")
    assert len(parse("data_a\n_rlnX\n;some\ntext\n;\n").blocks) == 1


def test_a_quote_ends_before_a_blank_and_must_end() -> None:
    text = f"""{PICKS}'it's' 1 2\n"a"b" 3 4\n'a "b"' 5 6\n"""
    assert names(text) == ["it's", 'a"b', 'a "b"']
    with pytest.raises(
        PickFormatError, match=r"row 1 \(line 7\): the quote before .* not closed"
    ):
        names(f"{PICKS}'a b.mrc 1 2\n")
    document = parse("data_a\n_rlnX 'open\n")
    with pytest.raises(PickFormatError, match="line 2: the quote before 'open' is not closed"):
        document.pairs(document.blocks[0])


def test_only_blanks_and_tabs_separate_fields() -> None:
    odd = ["a\u00a0b.mrc", "\u2028", "c\x85", "\u3000d"]
    assert names(PICKS + "".join(f"{name}\t1 2 \n" for name in odd)) == odd


def test_thousands_of_columns_of_one_name_are_refused_at_once() -> None:
    labels = "".join(f"_a{i}\n" for i in range(50_000))
    with pytest.raises(PickFormatError, match="has the column rlnOdd twice"):
        parse(f"data_\nloop_\n{labels}" + "_rlnOdd\n" * 50_000)
