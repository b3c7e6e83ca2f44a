"""What the papers promise: links that lead somewhere, commands and options that exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README_LINES = 180
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL_BLOCKS = ("sh", "bash", "")
PACKAGE_READMES = tuple(
    f"{folder}/README.md"
    for folder in (
        *("asr_contract", "asr_core", "asr_triton", "asr_server", "backends/onnxruntime"),
        *("clients/asr_client", "clients/asr_gateway", "lab", "scripts"),
    )
)
FORMER_NAMES = ("CHANGELOG.md",)  # which names what is no longer there


def tracked_files() -> list[str]:
    """Paths that git knows, and new ones that it does not ignore."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[:-1]


FILES = [path for path in tracked_files() if (ROOT / path).exists()]
PAGES = [path for path in FILES if path.endswith(".md") and path != "docs/benchmarks/notes.md"]
"""The notes are a part of `docs/benchmarks.md`, which is written from them."""


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = slug(heading)
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return frozenset(found)


def links(page: str) -> Iterator[str]:
    """Yield the targets that lie in the repository."""
    for target in LINK.findall(FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield target


@dataclass(frozen=True)
class Command:
    """A command line that a page shows."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return page and command, as a test's name."""
        return f"{self.page}: {' '.join(self.words)[:60]}"


def command_lines(page: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command in a page's shell blocks, without what goes before it."""
    for _, language, block in FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
        if language not in SHELL_BLOCKS:
            continue
        for line in block.replace("\\\n", " ").split("\n"):
            for part in re.split(r"&&|;|\|", line):
                try:
                    words = shlex.split(part, comments=True)
                except ValueError:  # prose, or output of a program
                    continue
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words = words[1:]
                if words:
                    yield (words[0].removeprefix(".venv/bin/"), *words[1:])


COMMANDS = [Command(page, words) for page in PAGES for words in command_lines(page)]


# The console commands of the package, and what is behind `console` in their `__main__.py`.
MAINS = {
    "triton-asr": "asr_client.cli",
    "triton-asr-gateway": "asr_gateway.starting",
    "triton-asr-server": "asr_server.command_line",
}


def commands_of(*programs: str) -> list[Command]:
    """Return the commands that call one of some programs."""
    found = [command for command in COMMANDS if command.words[0] in programs]
    assert found, f"expected commands of {programs} in some page, got none"
    return found


def help_text(program: str, subcommands: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a console command prints for `--help`."""
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(MAINS[program]).main([*subcommands, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def subcommands_of(words: tuple[str, ...], program: str) -> list[str]:
    """Return the words that choose a command: one, and with `install` the model behind it."""
    if program == "triton-asr-gateway":
        return []
    count = 2 if words[:1] == ("install",) and len(words) > 1 and words[1][0] != "-" else 1
    return [word for word in words[:count] if not word.startswith("-")]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        goal = (ROOT / page).parent / path if path else ROOT / page
        assert goal.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(goal.resolve()), f"{page}: {target}"


def test_all_console_commands_are_known() -> None:
    table = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.scripts]")[1]
    commands = re.findall(
        r'^([\w-]+) = "(\w+)\.__main__:console"$', table.split("\n[")[0], re.MULTILINE
    )
    assert dict(commands) == {name: main.partition(".")[0] for name, main in MAINS.items()}


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("command", commands_of(*MAINS), ids=str)
def test_console_commands_take_what_pages_say(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *words = command.words
    text = help_text(program, subcommands_of(tuple(words), program), capsys)
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in re.findall(r"--[\w-]+", text), word


@pytest.mark.parametrize("command", commands_of("make"), ids=str)
def test_make_targets_exist(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE)
    for word in command.words[1:]:
        name, is_variable, value = word.partition("=")
        if not is_variable:
            assert name in targets
            continue
        assert f"$({name})" in makefile or f"$(if $({name})" in makefile, name
        if name == "SERVE_FLAGS":
            text = help_text("triton-asr-server", ["serve"], capsys)
            for flag in re.findall(r"--[\w-]+", value):
                assert flag in text


@pytest.mark.parametrize("page", [page for page in PAGES if page not in FORMER_NAMES])
def test_named_modules_and_files_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    folders = {path.split("/")[0] for path in FILES if "/" in path}
    ours = folders | {"asr_client", "asr_gateway"}
    for module in re.findall(r"(?:-m|--module)\s+([\w.]+)(?![\w.…])", text):
        if module.split(".")[0] in ours:
            place = module.replace(".", "/")
            assert any(
                f"{root}{place}{end}" in FILES
                for root in ("", "clients/")
                for end in (".py", "/__main__.py")
            ), module
    for name in re.findall(r"[`\s(]((?:[\w-]+/)+[\w.*{},-]*)", text):
        if name.split("/")[0] not in folders or ".." in name:
            continue
        pattern = re.sub(r"\{[^}]*\}", "*", name.rstrip(".,")).rstrip("/")
        assert list(ROOT.glob(pattern)) or list(ROOT.glob(f"{pattern}*")), name


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith("/README.md")])
def test_package_readmes_name_what_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"`([\w./*-]+(?:\.py|/))`", text):
        pattern = f"*/{name}*" if name.endswith("/") else f"*/{name}"
        assert any(fnmatch(f"/{path}", pattern) for path in FILES), name
    if page not in PACKAGE_READMES:
        return
    prefix = page.removesuffix("README.md")
    for parts in (
        path.removeprefix(prefix).split("/") for path in FILES if path.startswith(prefix)
    ):
        child = parts[0] + "/" * (len(parts) > 1)
        if child.endswith(("/", ".py")) and child != "__init__.py":
            assert f"`{child}" in text or f"`{child.rstrip('/')}" in text, child


def ways_through_the_code() -> dict[str, list[tuple[list[str], list[str]]]]:
    """Return CONTRIBUTING's ways: by title, the folders and the files of each step."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("\n## Four ways")[1].split("\n## ")[0]
    return {
        way.split("\n")[0]: [
            (re.findall("`([^`]+)`", folders), re.findall("`([^`]+)`", files))
            for folders, files in re.findall(r"^\| (`.+?) \| (.+?) \|$", way, re.MULTILINE)
        ]
        for way in section.split("\n### ")[1:]
    }


@pytest.mark.parametrize(("title", "steps"), ways_through_the_code().items())
def test_a_way_through_the_code_passes_each_file_once(
    title: str, steps: list[tuple[list[str], list[str]]]
) -> None:
    passed: list[str] = []
    for folders, names in steps:
        for name in names:
            where = [f"{folder}/{name}" for folder in folders if f"{folder}/{name}" in FILES]
            assert len(where) == 1 or (ROOT / name).is_dir(), f"{title}: {folders} {name}"
            passed += where
    assert len(passed) == len(set(passed)), title
    assert len(passed) > 10


@pytest.mark.parametrize("page", PAGES)
def test_python_examples_are_python(page: str) -> None:
    for _, language, block in FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
        if language == "python":
            ast.parse(block)


def test_named_extras_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES:
        if page in FORMER_NAMES:
            continue
        text = (ROOT / page).read_text(encoding="utf-8")
        for extras in re.findall(r"(?:whl|\"\.|-e \.|triton-asr)\[([\w,-]+)\]", text):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[", project, re.MULTILINE), f"{page}: {extra}"


def test_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert newest and version
    assert newest[1] == version[1]
