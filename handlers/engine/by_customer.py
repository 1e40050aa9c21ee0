"""The events of a step by customer. A file of its own: a change of what a step is made of compiles nothing anew."""

from handlers.intake.events import CUSTOMER
from handlers.kernel.jit import I8, jit


@jit
def by_customer(events: I8, order: I8, ends: I8) -> None:
    """Sorts the events by customer, each one's in their order, by counting: `order` has their places, `ends` where in
    it each customer's end, and is all zeros before."""
    for e in range(events.shape[0]):
        ends[events[e, CUSTOMER]] += 1
    for k in range(1, ends.shape[0]):
        ends[k] += ends[k - 1]
    for e in range(events.shape[0] - 1, -1, -1):  # from behind each end: what is put there last comes first
        customer = events[e, CUSTOMER]
        ends[customer] -= 1
        order[ends[customer]] = e
    for k in range(ends.shape[0] - 1):
        ends[k] = ends[k + 1]
    if ends.shape[0] > 0:
        ends[-1] = events.shape[0]
