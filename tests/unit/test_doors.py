"""Each package of handlers/ and streams/ is entered through its doors alone: whoever changes another file of it need
look no further than the package. What stands here is what other packages may import; tests may look inside."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from handlers.engine.beliefs import BELIEFS

ROOT = Path(__file__).resolve().parents[2]

DOORS = {
    "handlers.kernel": "jit byte_codec text hashing customer_ids",
    "handlers.state": "retention row codec day_codec day_list row_table row_arena sections section_codec",
    "handlers.intake": "inputs lines events transactions stream_time customer_records dedup exchange validation "
    "joining",
    "handlers.aggregates": "columns features spec fold evaluate snapshot",
    "handlers.contact": "history rules quiet_hours open_histories",
    "handlers.belief": "bits finding section",
    "handlers.churn": "due schedule run_off inputs challenger model alerts decide section drift warm_up",
    "handlers.offers": "triggers prefilter catalog counts decide section",
    "handlers.profile": "customer upgrade",
    "handlers.engine": "engine rules step_input warm_up",
    "streams.ops": "settings metrics health retry logs",
    "streams.store": "port redis_store memory_store connection warm_up",
    "streams.partition": "partition row_cache stages poison_breaker repartition",
    "streams.broker": "poller assignment ownership publisher preflight membership published_scan side_topics topics "
    "clients messages rights progress",
    "streams.worker": "app bootstrap warm_up",
}
"""The files of a package that others may import from, by their names."""

for belief in BELIEFS:
    DOORS.setdefault(f"handlers.{belief.name}", "section hooks decide")

FOR_STUDY = {
    "handlers.churn": "design_matrix purchase_models scoring",
    "handlers.offers": "conditions",
}
"""Those that learning/ and commands/ may import from beside them: training goes through the model's inside."""


def package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports() -> Iterator[tuple[str, str]]:
    """Every import of a module of handlers/ or streams/ from outside its package: who imports, and what."""
    for folder in ("handlers", "streams", "learning", "commands", "serving", "deploy"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            importer = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                if isinstance(node, ast.ImportFrom) and node.module and (ROOT / node.module.replace(".", "/")).is_dir():
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                for name in names:
                    if name.startswith(("handlers.", "streams.")) and package_of(name) != package_of(importer):
                        yield importer, name


def test_a_package_is_entered_through_its_doors_alone() -> None:
    wrong = []
    for importer, module in imports():
        package, _, file = module.rpartition(".")
        open_to = DOORS[package].split()
        if importer.startswith(("learning.", "commands.", "serving.", "deploy.")):
            open_to = open_to + FOR_STUDY.get(package, "").split()
        if file not in open_to:
            wrong.append(f"{importer} imports {module}")
    assert wrong == []


def test_every_door_is_a_file_that_somebody_enters_through() -> None:
    entered = defaultdict(set)
    for _, module in imports():
        package, _, file = module.rpartition(".")
        entered[package].add(file)
    listed = {package: set(f"{DOORS[package]} {FOR_STUDY.get(package, '')}".split()) for package in DOORS}
    assert listed == dict(entered)


def test_every_package_has_doors() -> None:
    packages = {
        f"{folder}.{each.name}"
        for folder in ("handlers", "streams")
        for each in (ROOT / folder).iterdir()
        if (each / "__init__.py").is_file()
    }
    assert packages == set(DOORS)
