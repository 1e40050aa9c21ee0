"""What a command says of the records that it has read: which were refused, came twice, or use unknown words."""

from rich.console import Console

from commands.console import Failure
from learning.refusals import Refusals
from schemas.transaction import CHANNELS, TYPES
from streams.ops.settings import Settings, variable

KINDS_SHOWN = 20


def remark(console: Console, duplicates: int, early_reversals: int, unknown_types: int, unknown_channels: int) -> None:
    """Records that were read, but not as whoever wrote them may think."""
    if duplicates:
        console.print(
            f"[yellow]{duplicates:,} transactions were left out[/]: customer, account and event_id had come before"
        )
    if early_reversals:
        console.print(
            f"[yellow]{early_reversals:,} reversals came before what they name[/]: they count with that, if it came"
        )
    if unknown_types:
        console.print(
            f"[yellow]{unknown_types:,} transactions have an unknown type[/] and count as other;"
            f" known are {', '.join(TYPES)}"
        )
    if unknown_channels:
        console.print(
            f"[yellow]{unknown_channels:,} transactions have an unknown channel[/] and count as other;"
            f" known are {', '.join(CHANNELS)}"
        )


def remark_refused(console: Console, refusals: Refusals, taken: int, settings: Settings) -> None:
    """Each kind of refusal with the place of its first record.

    Raises Failure when more than TRACKER_POISON_SHARE_MAX of all records were refused, at which a worker stops as well.
    """
    if not refusals.total:
        return
    share = refusals.total / (refusals.total + taken)
    console.print(f"[yellow]{refusals.total:,} records were refused[/], {share:.1%} of all:")
    for one in list(refusals)[:KINDS_SHOWN]:
        console.print(f"  {one.records:,}: {one.field} {one.rule}; the first is {one.first}", markup=False)
    if share > settings.poison_share_max:
        raise Failure(
            f"more than {settings.poison_share_max:.0%} of the records were refused"
            f" ({variable('poison_share_max')}): what is above is not to be relied on"
        )
