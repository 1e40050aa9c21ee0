"""The HTTP API, version 1: what the console shows, for other programs. docs/openapi.json describes it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from starlette.responses import Response, StreamingResponse

from handlers.profile.customer import profile
from schemas.alert import Kind, Status
from schemas.outcome import AlertOutcome
from schemas.transaction import CUSTOMER_ID_LENGTH
from schemas.units import parse_rfc3339, rfc3339
from serving.access import Person
from serving.alert_log import Filter, Held, SortKey, sort_key_of
from serving.campaigns import campaigns
from serving.customers import Known
from serving.documented import answers, takes
from serving.guard import allowed, parts_of
from serving.operations import state_of, switched
from serving.parts import Parts
from serving.picture import picture
from serving.problems import Problem, field_problem
from serving.publishing import NotTaken
from serving.shapes import (
    AlertPage,
    AlertView,
    Campaign,
    Customer,
    Figures,
    LetterRule,
    OutcomeGiven,
    OutcomeTaken,
    Partition,
    SwitchGiven,
    SwitchState,
)
from streams.store.port import StoreUnavailable

PREFIX = "/api/v1"
PAGE_MAX = 500
KEEP_ALIVE_SECONDS = 15.0


def known_parameters(request: Request) -> None:
    """A dependency: a name that is misspelt must not be taken for no wish at all. Raises Problem."""
    known = _parameters(request.scope["route"].dependant)
    if request.query_params.keys() - known:
        raise field_problem("query", f"may hold only {', '.join(sorted(known)) or 'nothing'}")


def _parameters(of: Dependant) -> set[str]:
    return {each.alias for each in of.query_params}.union(*map(_parameters, of.dependencies))


router = APIRouter(prefix=PREFIX, dependencies=[Depends(known_parameters)])

CustomerId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=CUSTOMER_ID_LENGTH,
        description="The customer_id in the transactions. The server logs no address; see that no proxy does.",
        examples=["C000042"],
    ),
]
AlertId = Annotated[str, Path(min_length=36, max_length=36, examples=["0d8ff3c6-6c0a-5f0b-9a43-0d5d5be6a8f4"])]
OfKind = Annotated[Kind | None, Query(description="Only of this kind.")]
OfStatus = Annotated[Status | None, Query(description="Only raised or only retracted ones.")]
OfBand = Annotated[str | None, Query(pattern="^(high|medium|low)$", description="Only with a score in this band.")]
OfOffer = Annotated[str | None, Query(max_length=64, description="Only with this offer.")]
OfCustomer = Annotated[str | None, Query(max_length=CUSTOMER_ID_LENGTH, description="Only of this customer.")]

SeeAlerts = Annotated[Person, Depends(allowed("alerts"))]
SeeCustomers = Annotated[Person, Depends(allowed("customers"))]


def wanted(
    kind: OfKind = None,
    status: OfStatus = None,
    band: OfBand = None,
    offer_id: OfOffer = None,
    customer_id: OfCustomer = None,
) -> Filter:
    """A dependency: which alerts."""
    return Filter(kind, status, band, offer_id, customer_id)


Wanted = Annotated[Filter, Depends(wanted)]


@router.get("/customers/{customer_id}", **answers(Customer, 304, 404, 503))
async def customer(request: Request, person: SeeCustomers, customer_id: CustomerId) -> Response:
    """Everything that is known of a customer at this moment."""
    known = await looked_up(parts_of(request), person, customer_id)
    tag = _tag(known.row, known.now // 60_000)
    if _has(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return _json(msgspec.convert(picture(customer_id, known.row, known.now), Customer), ETag=tag)


@router.get("/customers/{customer_id}/figures", **answers(Figures, 404, 503))
async def figures(
    request: Request,
    person: SeeCustomers,
    customer_id: CustomerId,
    at: Annotated[
        str | None, Query(max_length=40, description="RFC 3339; by default now.", examples=["2026-12-24T18:00:00Z"])
    ] = None,
) -> Response:
    """A customer's figures at a moment: what they would be by then if nothing more happened."""
    known = await looked_up(parts_of(request), person, customer_id)
    moment = known.now
    if at is not None:
        try:
            moment = parse_rfc3339(at)
        except (ValueError, OverflowError):
            raise field_problem("at", "must be RFC 3339 with an offset, for example 2026-12-24T18:00:00Z") from None
        if not known.now <= moment < 1 << 42:
            raise field_problem("at", "must not be in the past: earlier figures are not kept, and not after 2109")
    return _json(Figures(customer_id, rfc3339(moment), profile(known.row, moment)))


@router.get("/alerts", **answers(AlertPage))
async def alerts(
    request: Request,
    _: SeeAlerts,
    these: Wanted,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    cursor: Annotated[
        str | None,
        Query(
            max_length=64, pattern=r"^[0-9]{1,15}\.[0-9]{1,4}\.[0-9]{1,18}$", description="`next` of the page before."
        ),
    ] = None,
) -> Response:
    """The newest alerts, the latest cause first. As many are held as TRACKER_SERVE_ALERTS_MAX says."""
    log = parts_of(request).feed.alerts
    before = None if cursor is None else _sort_key(cursor)
    newest = log.newest(these, limit + 1, before)
    following = newest[limit - 1].cursor if len(newest) > limit else None
    return _json(AlertPage([view(parts_of(request), held) for held in newest[:limit]], following))


@router.get("/alerts/stream", **answers(None, events=True))
async def stream(request: Request, _: SeeAlerts, these: Wanted) -> Response:
    """Alerts as they arrive, as server-sent events; each `data` is an alert as published.

    An event's id is how far each partition of the topic has been read. Given back as Last-Event-ID, the stream goes on
    there, on any server; without it, it starts with what arrives from now on.
    """
    parts = parts_of(request)
    given = request.headers.get("last-event-id")
    read_to = None if given is None else _read_to(given)
    return StreamingResponse(_events(request, parts, these, read_to), media_type="text/event-stream")


@router.get("/alerts/{alert_id}", **answers(AlertView, 304, 404))
async def alert(request: Request, person: SeeAlerts, alert_id: AlertId) -> Response:
    """One alert, with what became of it."""
    parts = parts_of(request)
    held = held_alert(parts, alert_id)
    await audited(parts, person, "see_alert", alert_id)
    shown = orjson.dumps(msgspec.to_builtins(view(parts, held)))
    tag = _tag(shown)
    if _has(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(shown, media_type="application/json", headers={"ETag": tag})


@router.post(
    "/alerts/{alert_id}/outcomes",
    status_code=202,
    **answers(OutcomeTaken, 404, 409, 503, status=202),
    **takes(OutcomeGiven),
)
async def record_outcome(
    request: Request, person: Annotated[Person, Depends(allowed("outcomes"))], alert_id: AlertId
) -> Response:
    """Records what became of an alert's offer: published to alert-outcomes, from where the workers take it."""
    given = await _body(request, OutcomeGiven)
    return _json(await outcome_recorded(parts_of(request), person, alert_id, given), 202)


@router.get("/offers", **answers(list[Campaign], 503))
async def offers(request: Request, _: Annotated[Person, Depends(allowed("portfolio"))]) -> Response:
    """Every offer: how often it was sent and taken, what is left of its budget, what the offering brings."""
    parts = parts_of(request)
    return _json(campaigns(parts.feed.catalogue, (await stored(parts.customers.ledgers())).values()))


@router.get("/partitions", **answers(list[Partition], 503))
async def partitions(request: Request, _: Annotated[Person, Depends(allowed("running"))]) -> Response:
    """Where each partition stands, how far it is behind, and who has it."""
    parts = parts_of(request)
    return _json(await parts.group.partitions(await stored(parts.customers.positions())))


@router.get("/dead-letters", **answers(list[LetterRule]))
async def dead_letters(request: Request, _: Annotated[Person, Depends(allowed("running"))]) -> Response:
    """Records that could not be used and have not been replayed, by what was wrong."""
    parts = parts_of(request)
    by_rule = parts.feed.letters.by_rule(await parts.group.replayed_to())
    return _json([LetterRule(*rule, count) for rule, count in by_rule])


@router.get("/switches/{kind}", **answers(SwitchState))
async def switch(request: Request, _: Annotated[Person, Depends(allowed("running"))], kind: Kind) -> Response:
    """Whether a kind of alerts is on, off, or decided and recorded only."""
    return _json(SwitchState(kind, state_of(parts_of(request).feed.catalogue.policy, kind)))


@router.put("/switches/{kind}", status_code=202, **answers(SwitchState, 503, status=202), **takes(SwitchGiven))
async def set_switch(request: Request, person: Annotated[Person, Depends(allowed("switches"))], kind: Kind) -> Response:
    """Switches a kind of alerts on, off or to a dry run, in every worker."""
    given = await _body(request, SwitchGiven)
    await switch_made(parts_of(request), person, kind, given.to)
    return _json(SwitchState(kind, given.to), 202)


async def looked_up(parts: Parts, person: Person, customer_id: str) -> Known:
    """A customer, once it is written down who looks. Raises Problem."""
    await audited(parts, person, "see_customer", customer_id)
    known: Known | None = None if "\0" in customer_id else await stored(parts.customers.find(customer_id))
    if known is None:
        raise Problem(404, "There is no such customer: nothing of theirs has been processed")
    return known


def held_alert(parts: Parts, alert_id: str) -> Held:
    """Raises Problem."""
    held = parts.feed.alerts.get(alert_id)
    if held is None:
        raise Problem(
            404, "There is no such alert among the newest ones; TRACKER_SERVE_ALERTS_MAX says how many those are"
        )
    return held


def view(parts: Parts, held: Held) -> AlertView:
    _, outcomes, taken_back_by = parts.feed.alerts.with_answers(held)
    return AlertView(held.alert, held.band, outcomes, taken_back_by)


async def outcome_recorded(parts: Parts, person: Person, alert_id: str, given: OutcomeGiven) -> OutcomeTaken:
    """Publishes an outcome, once it is written down who says so. Raises Problem."""
    alert = held_alert(parts, alert_id).alert
    if alert.offer is None or alert.status == "retracted":
        raise Problem(409, "This alert proposes no offer, so there is no outcome to record")
    now = await stored(parts.customers.now(alert.customer_id))
    at = max(now, parse_rfc3339(alert.raised_at))
    outcome = AlertOutcome(alert.customer_id, alert.offer.offer_id, given.outcome, at, alert_id)
    await audited(parts, person, "record_outcome", alert_id, given.outcome)
    try:
        await parts.publisher.outcome(outcome)
    except NotTaken as error:
        raise Problem(503, f"The outcome was not recorded: {error}") from error
    return OutcomeTaken(alert_id, alert.offer.offer_id, given.outcome, rfc3339(at))


async def switch_made(parts: Parts, person: Person, kind: Kind, to: str) -> None:
    """Raises Problem."""
    await audited(parts, person, "switch_kind", kind, to)
    try:
        await parts.publisher.policy(switched(parts.feed.catalogue.policy, kind, to))
    except NotTaken as error:
        raise Problem(503, f"Nothing was switched: {error}") from error


async def audited(parts: Parts, person: Person, action: Any, subject: str, detail: str | None = None) -> None:
    """Raises Problem: what can't be written down is not done."""
    try:
        await parts.publisher.audit(person.name, action, subject, detail)
    except NotTaken as error:
        raise Problem(503, f"Who looks must be written down, and can't be: {error}") from error


async def stored(question: Any) -> Any:
    """What Redis answers. Raises Problem."""
    try:
        return await question
    except StoreUnavailable as error:
        raise Problem(503, f"The state can't be read at this moment: {error}", Retry_After="1") from error


async def _events(
    request: Request, parts: Parts, these: Filter, read_to: dict[int, int] | None
) -> AsyncIterator[bytes]:
    log = parts.feed.alerts
    number = log.arrived
    waiter = parts.feed.waiter()
    try:
        sent = {held.partition: held.offset + 1 for held in log}
        missed = []
        if read_to is not None:
            missed = log.after(read_to)
            sent = read_to
        yield b": the stream has begun\n\n"
        while True:
            waiter.clear()
            arrived = [*missed, *log.since(number)]
            number, missed = log.arrived, []
            for held in arrived:
                if held.offset < sent.get(held.partition, 0):
                    continue
                sent[held.partition] = held.offset + 1
                if these.takes(held):
                    name = ".".join(f"{partition}-{offset}" for partition, offset in sorted(sent.items()))
                    yield b"id: %s\nevent: alert\ndata: %s\n\n" % (name.encode(), held.value)
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter.wait(), KEEP_ALIVE_SECONDS)
            if not waiter.is_set():
                yield b": still here\n\n"
            if await request.is_disconnected():
                return
    finally:
        parts.feed.forget(waiter)


def _read_to(text: str) -> dict[int, int]:
    try:
        pairs = [part.split("-") for part in text.split(".")]
        return {int(partition): int(offset) for partition, offset in pairs}
    except ValueError:
        raise field_problem("Last-Event-ID", "must be the id of an event of this stream") from None


def _sort_key(cursor: str) -> SortKey:
    try:
        return sort_key_of(cursor)
    except ValueError:
        raise field_problem("cursor", "must be `next` of another page") from None


async def _body(request: Request, shape: type[Any]) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "Send application/json")
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.ValidationError as error:
        rule, _, path = str(error).partition(" - at `$")
        if rule.startswith("Invalid enum value"):  # it would repeat the value
            rule = "must be one of the values that the document names"
        raise field_problem(path.strip(".`") or "body", rule) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise field_problem("body", "must be JSON") from None


def _json(value: object, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(msgspec.to_builtins(value)), status, headers, "application/json")


def _tag(content: bytes, *more: int) -> str:
    return f'"{hashlib.blake2b(content + repr(more).encode(), digest_size=12).hexdigest()}"'


def _has(request: Request, tag: str) -> bool:
    return tag in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
