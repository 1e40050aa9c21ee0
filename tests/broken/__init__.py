"""Mistakes made on purpose: `make broken` makes each in a copy of the tree, and a test must notice it.

Every module of this package that has a tuple MISTAKES adds to the list; a module is one subject (redis_store.py,
health.py ...). An entry names the mistake, says in one sentence what is wrong with the program then, and gives the
file, the words that are replaced (they must be there exactly once), the words put in their place, and what must fail:

    Mistake(
        "a-sentence-of-a-few-words",
        "A declined offer is made again before its time.",
        "handlers/contact/rules.py",
        "at < until",
        "at > until",
        "tests/unit/test_policy.py::test_a_declined_offer_rests",
    )

What must fail is the id of one pytest test, the quickest that notices. Where only a fault to a real server shows the
mistake, it is the arguments of `make faults` for one row and one seed: "--row zombie --seed 2". A mistake that needs
real servers to be noticed has `servers=True`; on a machine without them it is left out, and with CI=true it fails. A
mistake that takes more than one change of words has the others in `also=((file, old, new), ...)`.

The right code comes first: each test that is named must be there and pass. A mistake in handlers/ or schemas/ is tried
with the kernels interpreted (NUMBA_DISABLE_JIT=1), so nothing is compiled; any other with the compiled kernels.
A test counts as noticing only if it runs and fails: a change that is no Python, a file that can't be imported, or a run
beyond SECONDS_MAX is an error of the entry.

    make broken                                  all but those that a row of `make faults` must notice, two at a time
    make broken ARGS="--rows"                    those too: as long as `make faults`
    make broken ARGS="--only NAME"               one (or several: --only A --only B); also the name of a subject
    make broken ARGS="--list"                    what there is, without running anything
"""
