"""The shape of the house: who may import whom, and what every file says about itself.

models/wire <- models <- sim <- run.py, by reading the import statements, so that nothing has to be importable and an
import inside a function counts too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES_IN_ONE_SITTING = 450
FOREIGN_TO_MODELS = {"simpy", "yaml", "ruamel", "pydantic", "rich", "matplotlib", "sim", "run"}
FOREIGN_TO_MODELS |= {"random", "secrets", "time", "datetime"}  # randomness and time are handed in
BASE = {"models.compiled", "models.units", "models.train", "models.payload"}  # below the wire: the vessel
MODEL_ENTRIES = ("Models:", "Leaves out:", "Sources:", "Checked by:")


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imports(tree: ast.Module, *, of: str, is_package: bool = False) -> Iterator[str]:
    """Full names of all that module `of` imports, relative imports resolved; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                parents = of.split(".")[: None if is_package and node.level == 1 else -(node.level - is_package)]
                start = ".".join([*parents, start] if start else parents)
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif (  # __import__("x") and importlib.import_module("x")
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("__import__", "import_module", "importlib.import_module")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def imports_below(*folders: str) -> dict[str, set[str]]:
    """Module name -> what it imports, for every file below `folders`."""
    return {
        module_name(file): set(imports(tree_of(file), of=module_name(file), is_package=file.name == "__init__.py"))
        for file in sources(*folders)
    }


def lies_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_no_model_knows_the_clock_the_scenario_or_the_figures():
    found = {
        (module, name)
        for module, names in imports_below("models").items()
        for name in names
        if name.split(".")[0] in FOREIGN_TO_MODELS
    }
    assert not found


def test_no_model_draws_from_global_randomness():
    """A generator is handed in, or made from a seed that is written there."""
    found = []
    for file in sources("models"):
        for node in ast.walk(tree_of(file)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            made = node.func.attr[0].isupper() or node.func.attr == "default_rng"
            seeded = made and bool(node.args or node.keywords)
            if ast.unparse(node.func.value) in ("np.random", "numpy.random") and not seeded:
                found.append(f"{module_name(file)}:{node.lineno}: {ast.unparse(node.func)}")
    assert not found


def test_wire_modules_know_only_wire_and_the_vessel():
    found = {
        (module, name)
        for module, names in imports_below("models/wire").items()
        for name in names
        if lies_in(name, "models") and not any(lies_in(name, allowed) for allowed in {"models.wire", *BASE})
    }
    assert not found


def test_the_vessel_knows_no_header():
    found = {
        (module, name)
        for module, names in imports_below("models").items()
        for name in names
        if module in BASE and lies_in(name, "models") and not any(lies_in(name, allowed) for allowed in BASE)
    }
    assert not found


@pytest.mark.parametrize(("folder", "user"), [("models", "sim"), ("models", "run"), ("sim", "run")])
def test_arrows_point_one_way(folder, user):
    found = {(module, name) for module, names in imports_below(folder).items() for name in names if lies_in(name, user)}
    assert not found


def test_only_plots_draw():
    found = {
        module
        for module, names in imports_below("models", "sim").items()
        if any(lies_in(name, "matplotlib") for name in names) and not lies_in(module, "sim.plots")
    }
    front_door = ROOT / "run.py"
    if front_door.exists() and any(lies_in(n, "matplotlib") for n in imports(tree_of(front_door), of="run")):
        found.add("run")
    assert not found


def test_plots_see_saved_results_only():
    found = {
        (module, name)
        for module, names in imports_below("sim/plots").items()
        for name in names
        if lies_in(name, "simpy") or any(lies_in(name, room) for room in ("sim.nodes", "sim.build", "sim.execute"))
    }
    assert not found


def test_one_door_to_numba():
    found = {
        module
        for module, names in imports_below("models", "sim").items()
        if any(lies_in(name, "numba") for name in names) and module != "models.compiled"
    }
    assert not found


MODEL_FILES = [file for file in sources("models") if file.name != "__init__.py"]


@pytest.mark.parametrize("file", MODEL_FILES, ids=[module_name(file) for file in MODEL_FILES])
def test_a_model_says_what_it_is(file):
    """Its docstring has the four entries, in order, each filled."""
    text = ast.get_docstring(tree_of(file)) or ""
    starts = [text.find("\n" + entry) for entry in MODEL_ENTRIES]
    assert -1 not in starts, [e for e, s in zip(MODEL_ENTRIES, starts, strict=True) if s == -1]
    assert starts == sorted(starts)
    for entry, start in zip(MODEL_ENTRIES, starts, strict=True):
        assert text[start + 1 + len(entry) :].split("\n", 1)[0].strip(), f"{entry} is empty"


ALL_FILES = [*sources("models", "sim", "tests", "benchmarks"), *ROOT.glob("*.py")]


@pytest.mark.parametrize("file", ALL_FILES, ids=[str(file.relative_to(ROOT)) for file in ALL_FILES])
def test_a_file_is_read_in_one_sitting(file):
    """Or its docstring says why it is long."""
    text = file.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    explained = "long because" in " ".join(docstring.lower().split())
    assert text.count("\n") <= LINES_IN_ONE_SITTING or explained, "over the limit: split it, or say `Long because ...`"


@pytest.mark.parametrize(
    ("code", "of", "is_package", "expected"),
    [
        ("import simpy", "models.a", False, {"simpy"}),
        ("from sim import build", "models.a", False, {"sim.build"}),
        ("from .. import sim", "models.wire.a", False, {"models.sim"}),
        ("from .b import c", "models.wire.a", False, {"models.wire.b.c"}),
        ("from .b import c", "models.wire", True, {"models.wire.b.c"}),
        ("from ..b import c", "models.wire", True, {"models.b.c"}),
        ("def f():\n    import simpy.rt", "models.a", False, {"simpy.rt"}),
        ("import_module('simpy')", "models.a", False, {"simpy"}),
    ],
)
def test_the_scan_itself(code, of, is_package, expected):
    assert set(imports(ast.parse(code), of=of, is_package=is_package)) == expected
