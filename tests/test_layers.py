"""The import rule of `engine`'s docstring: who may import whom, and where each third-party library lives."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {
    "engine": {"engine"},
    "index": {"index", "engine"},
    "actors": {"actors", "engine"},
    "gateways": {"gateways", "actors", "engine"},
    "config": {"config", "gateways", "actors", "index", "engine"},
}
HOMES = {
    "pykka": {"actors"},
    "trio": {"actors", "gateways", "index", "config"},
    "aiosqlite": {"index"},
    "asyncio": {"index"},
    "sqlite3": {"index"},
    "tantivy": {"index"},
    "trio_websocket": {"gateways"},
    "ssl": {"gateways"},
    "cryptography": {"gateways"},
    "socket": {"gateways"},
    "click": {"config"},
    "jinja2": {"config"},
    "tomllib": {"config"},
    "msgspec": {"engine", "index", "actors", "gateways", "config"},
    "slixmpp": {"engine/jid.py"},
    "h11": {"gateways"},
    "jwt": {"gateways"},
    "wsproto": {"gateways"},
    "prometheus_client": {"gateways"},
}
NOT_IN_ENGINE = {"time", "random", "threading", "select", "subprocess", "os", "pathlib", "shutil", "tempfile"}
FILES = sorted(path.relative_to(ROOT) for package in OURS for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def may_import(path: Path, module: str) -> bool:
    top, package = module.partition(".")[0], path.parts[0]
    if top in OURS:
        return top in OURS[package]
    if top in NOT_IN_ENGINE:
        return package != "engine"
    if top in HOMES:
        return bool(HOMES[top] & {package, path.as_posix()})
    return top in sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path):
    assert [module for module in imported(path) if not may_import(path, module)] == []


@pytest.mark.parametrize("path", [p for p in FILES if "features" in p.parts and p.name != "__init__.py"], ids=str)
def test_features_never_import_each_other(path: Path):
    assert [m for m in imported(path) if m.startswith("engine.xmpp.features.")] == []


def test_the_rule_itself_notices():
    assert not may_import(Path("engine/x.py"), "actors.user")
    assert not may_import(Path("engine/x.py"), "time")
    assert not may_import(Path("actors/x.py"), "config.settings")
    assert not may_import(Path("gateways/x.py"), "index.archive")
    assert not may_import(Path("engine/x.py"), "slixmpp.jid")
    assert not may_import(Path("gateways/x.py"), "requests")
    assert may_import(Path("config/x.py"), "gateways.tls")
