"""The store's rows: fencing, layouts."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "no-fence",
        "A commit is taken whoever owns the partition and wherever it stands.",
        "streams/store/commit.lua",
        "if verdict ~= 'OK' then return verdict end",
        "",
        "tests/contract/test_store.py::test_an_owner_that_was_overtaken_is_fenced_and_writes_nothing[embedded]",
    ),
    Mistake(
        "any-layout",
        "Rows of a layout that is not known are read as if it were.",
        "handlers/profile/upgrade.py",
        "if row and row[0] == VERSION:",
        "if row and row[0] >= VERSION:",
        "tests/unit/test_partition.py::test_a_row_of_another_version_is_refused_and_nothing_written",
    ),
)
