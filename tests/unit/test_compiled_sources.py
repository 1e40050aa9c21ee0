"""The compiled kernels are kept for as long as nothing that is compiled in has changed."""

from pathlib import Path

from handlers.kernel.jit import compiled_sources

ROOT = Path(__file__).parents[2]
SOURCES = {
    "handlers/state/fold.py": "from handlers.kernel import (\n    rings,\n)\n\n@jit\ndef fold(): ...\n",
    "handlers/kernel/__init__.py": "",
    "handlers/kernel/rings.py": "import schemas.units\nfrom handlers.kernel.sizes import DAYS, WEEKS\n",
    "handlers/kernel/sizes.py": "DAYS, WEEKS = 7, 5\n",
    "handlers/offers/alerts.py": "from handlers.state.fold import fold\n",
    "schemas/units.py": "CENT = 1\n",
    "schemas/events.py": "from schemas.units import CENT\n",
}


def test_a_kernels_file_counts_and_all_it_imports_through_others_and_nothing_that_only_calls_it(tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = {str(file.relative_to(tmp_path)) for file in compiled_sources(tmp_path)}
    assert found == SOURCES.keys() - {"handlers/offers/alerts.py", "schemas/events.py"}


def test_a_change_of_a_decision_compiles_nothing_anew_and_one_of_a_row_does() -> None:
    found = {str(file.relative_to(ROOT)) for file in compiled_sources(ROOT)}
    assert {"handlers/state/row.py", "handlers/kernel/jit.py", "schemas/transaction.py"} <= found
    assert not {"handlers/offers/alerts.py", "handlers/churn/alerts.py", "handlers/engine/engine.py"} & found
