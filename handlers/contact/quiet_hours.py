"""When quiet hours end, by the customer's own clock."""

from datetime import datetime, timedelta
from functools import cache

from schemas.policy import Policy
from schemas.time_zones import zone


def after_quiet(policy: Policy, zone_name: str, at: int) -> int:
    """`at` (epoch ms), or when the quiet hours end that it falls into. `zone_name` may be empty: the policy's."""
    if policy.quiet_from is None or policy.quiet_to is None:
        return at
    start, end = _minutes(policy.quiet_from), _minutes(policy.quiet_to)
    local = datetime.fromtimestamp(at // 1_000, zone(zone_name or policy.time_zone))
    minutes = 60 * local.hour + local.minute
    quiet = start <= minutes < end if start <= end else minutes >= start or minutes < end
    if not quiet:
        return at
    day = local.replace(hour=end // 60, minute=end % 60, second=0, fold=0)
    if minutes >= end:
        day += timedelta(days=1)
    return max(1_000 * int(day.timestamp()), at)


@cache
def _minutes(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])
