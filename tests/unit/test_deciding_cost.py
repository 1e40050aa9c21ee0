"""What `make bench` says of the cost of deciding is of the same stream under each set of rules."""

from commands.benchmark.workload import CATALOGUE, Workload
from handlers.engine.rules import Rules
from tests.bench.decisions import costs, table


def test_every_set_of_rules_decides_on_the_same_stream() -> None:
    part = Workload(1, 500, 0.0).part(2_000)
    lines = [value for _, value in part.values()]
    own, offers = costs("some", lines, {"own rhythm": Rules(), "offers": Rules(*CATALOGUE)})
    assert (own.added_us, own.alerts, own.suppressed, own.unfitting) == (0.0, 0, 0, 0)
    assert offers.alerts + offers.suppressed >= int(part.alerting.sum()) > 0
    assert own.cpu_us > 0
    assert offers.cpu_us > 0
    assert table([own, offers]).row_count == 2
