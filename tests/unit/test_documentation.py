"""Commands and names in the documentation exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer.main

from napari_pickeroptimizer.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.py")]
)
PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]  # it also tells what was
COMMAND = re.compile(r"(?<![\w./-])pickeroptimizer ([a-z][a-z-]*)((?:\\\n|[^`\n])*)")
OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z_-]*)")
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def options_of(verb: str) -> set[str]:
    options = {o for p in VERBS[verb].params for o in (*p.opts, *p.secondary_opts)}
    return options | {"--help"}


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Verb and options of every command in a page; a backslash continues a line."""
    text = re.sub(r"(\n {20,})(?=\[?\(?-)", " ", text)  # synopses continue indented
    return [
        (m[1], OPTION.findall(re.split(r"\s#|\|\||&&|[;>]", m[2].replace("\\\n", " "))[0]))
        for m in COMMAND.finditer(text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_has_its_options(page: Path) -> None:
    for verb, options in commands(page.read_text(encoding="utf-8")):
        assert verb in VERBS, f"pickeroptimizer {verb} is no command"
        unknown = set(options) - options_of(verb)
        assert not unknown, f"pickeroptimizer {verb} has no {', '.join(sorted(unknown))}"


def test_commands_are_found_across_lines() -> None:
    text = "`pickeroptimizer prune --views 1`\npickeroptimizer suggest -m a \\\n  --nothing b # --c"
    assert commands(text) == [("prune", ["--views"]), ("suggest", ["-m", "--nothing"])]
    assert "--views" in options_of("prune")
    assert "--nothing" not in options_of("suggest")


FOREIGN = {  # options of other programs that the documentation names
    "the benchmarks": ["--clear", "--seeds"],
    "csparc2star.py": ["--inverty"],
    "docker": ["--cpus"],
    "EMAN2": ["--write_dbbox"],
    "pytest": ["--randomly-seed"],
    "RELION": ["--selection_type", "--minimum_pick_fom"],
    "sbatch": ["--gres", "--cpus-per-task"],
    "Topaz": ["--invert-y", "--train-targets", "--up-scale"],
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_option_in_a_sentence_is_one_of_a_command(page: Path) -> None:
    text = " ".join(re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")))
    known = set().union(*map(options_of, VERBS), {"--debug"}, *FOREIGN.values())
    unknown = {option for option in OPTION.findall(text) if option.startswith("--")} - known
    assert page.suffix == ".py" or not unknown


REFERENCE = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
SECTIONS = dict(
    re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", REFERENCE, re.DOTALL | re.MULTILINE)
)
OF_SEVERAL = set(OPTION.findall(REFERENCE.partition("\n## ")[0]))


@pytest.mark.parametrize("verb", VERBS)
def test_the_reference_names_all_options_of_a_command_and_no_others(verb: str) -> None:
    named = {o for o in OPTION.findall(SECTIONS[verb]) if o.startswith("--")}
    assert not named - options_of(verb), "no such options"
    if verb == "relion":  # it takes those of prune, and says so
        named |= set(OPTION.findall(SECTIONS["prune"]))
    named |= OF_SEVERAL
    options = [{*p.opts, *p.secondary_opts} for p in VERBS[verb].params if p.opts[0][0] == "-"]
    assert not [names for names in options if not names & named], "not named there"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_can_be_imported(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"(?<![\w./-])napari_pickeroptimizer(?:\.\w+)+(?![\w/])", text))
    for module, listed in re.findall(
        r"from (napari_pickeroptimizer[\w.]*) import ([^\n(`]+)", text
    ):
        names |= {f"{module}.{name.split(' as ')[0].strip()}" for name in listed.split(",")}
    for name in sorted(names):
        assert exists(name), f"{name} cannot be imported"


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute below one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            headings = re.findall(
                r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE
            )
            assert anchor in {slug(heading) for heading in headings}, target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_pages_elsewhere_have_the_form_of_one_and_go_where_they_say(
    page: Path,
) -> None:
    """Whether they lead somewhere, `make links` says."""
    text = page.read_text(encoding="utf-8")
    for shown, url in re.findall(r"\[([^][]+)\]\(([a-z]+:[^)\s]+)\)", text):
        assert re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/[^\s<>\"]*)?", url), url
        if number := re.search(r"(?:doi\.org/|/issues/)(.+)", url):
            assert number[1] in shown, f"{shown} leads to {url}"


def slug(heading: str) -> str:
    """The id that mkdocs gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


COMPARISON = (ROOT / "docs/explanation/comparison.md").read_text(encoding="utf-8")
COMPARED = [
    row.split(" | ")[:2]
    for row in COMPARISON.partition("## Row by row")[2].partition("\n## ")[0].splitlines()
    if row.startswith("| ") and not row.startswith("| | here")
]


@pytest.mark.parametrize(("what", "here"), COMPARED, ids=lambda cell: cell.strip("| "))
def test_what_the_comparison_says_of_this_package_is_shown_somewhere(
    what: str, here: str
) -> None:
    """A yes leads to its page (that the page is there, the test of links says); a no is bold."""
    leads_somewhere = re.search(r"\[[^\]]+\]\(\S+\)", here)
    assert leads_somewhere or "**no**" in here, what
    assert not re.match(r"yes\b", here), f"{what}: a yes is a link"


def test_the_comparison_has_all_its_rows() -> None:
    assert len(COMPARED) > 35


PROMISES = re.split(
    r"^(?=- )", (ROOT / "docs/explanation/promises.md").read_text(), flags=re.M
)
PROMISES = [text for text in PROMISES if text.startswith("- **")]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda text: text.split("**")[1])
def test_every_promise_about_files_is_held_by_a_test(promise: str) -> None:
    tests = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", promise)
    assert tests
    for path, name in tests:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_what_is_promised_about_files_can_be_found_in_the_documentation() -> None:
    assert "explanation/promises.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert len(PROMISES) > 15
