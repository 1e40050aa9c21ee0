"""The alerts: a list that grows while one looks at it, and each with its reasons, evidence, offer and outcome."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from handlers.profile.customer import active_days, profile
from schemas.alert import Kind, Status
from schemas.outcome import OutcomeKind
from schemas.units import DAY_MS
from serving import charts
from serving.access import Person
from serving.alert_log import BANDS, Filter, Held, by_cause, sort_key_of
from serving.api import KEEP_ALIVE_SECONDS, SeeAlerts, audited, held_alert, outcome_recorded, stored, view
from serving.guard import Tokened, allowed, parts_of
from serving.parts import Parts
from serving.rendering import filled, page, speech_of
from serving.shapes import OutcomeGiven
from serving.speech import Speech

ROWS = 60
OUTCOMES: tuple[OutcomeKind, ...] = get_args(OutcomeKind)
NEWS_SECONDS = 0.5
"""A page is told of new alerts that often at most."""

router = APIRouter()


def shown(
    kind: Annotated[str, Query()] = "",
    band: Annotated[str, Query()] = "",
    status: Annotated[str, Query()] = "",
    offer_id: Annotated[str, Query()] = "",
) -> Filter:
    """A dependency: which alerts the list shows. An empty choice, and one that is none, is all."""
    return Filter(
        kind if kind in get_args(Kind) else None,
        status if status in get_args(Status) else None,
        band if band in BANDS else None,
        offer_id or None,
    )


Shown = Annotated[Filter, Depends(shown)]


@router.get("/alerts")
async def alerts(
    request: Request, _: SeeAlerts, these: Shown, before: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """The list."""
    return page(request, "alerts.html", **listed(parts_of(request), these, before))


@router.get("/alerts/live")
async def live(request: Request, _: SeeAlerts, these: Shown) -> Response:
    """New rows of the list as they arrive: at most twice a second, the newest first, with how many are held."""
    return StreamingResponse(_news(request, parts_of(request), these), media_type="text/event-stream")


@router.get("/alerts/{alert_id}")
async def alert(
    request: Request, person: SeeAlerts, these: Shown, alert_id: str, recorded: Annotated[str, Query()] = ""
) -> Response:
    """One alert beside the list."""
    parts = parts_of(request)
    held = held_alert(parts, alert_id)
    await audited(parts, person, "see_alert", alert_id)
    evidence = await _evidence(parts, person, held, speech_of(request))
    context = listed(parts, these, "") | {
        "held": held,
        "view": view(parts, held),
        "evidence": evidence,
        "outcomes": OUTCOMES,
        "recorded": recorded if recorded in OUTCOMES else "",
        "may_record": person.may("outcomes") and held.alert.offer is not None and held.alert.status == "raised",
        "answers": parts.feed.alerts.get(held.alert.in_answer_to) if held.alert.in_answer_to else None,
        "now": evidence["now"] if evidence else held.raised,
    }
    return page(request, "alert.html", **context)


@router.post("/alerts/{alert_id}/outcome", dependencies=[Tokened])
async def outcome(
    request: Request,
    person: Annotated[Person, Depends(allowed("outcomes"))],
    these: Shown,
    alert_id: str,
    outcome: Annotated[OutcomeKind, Form()],
) -> Response:
    """Records what became of the offer, and shows the alert again."""
    parts = parts_of(request)
    await outcome_recorded(parts, person, alert_id, OutcomeGiven(outcome))
    for _ in range(20):  # Kafka has it; this server reads it a moment later
        if outcome in parts.feed.alerts.outcomes(alert_id):
            break
        await asyncio.sleep(0.05)
    query = _chosen(these) | {"recorded": outcome}
    return RedirectResponse(f"/alerts/{alert_id}?{urlencode(query)}", 303)


def listed(parts: Parts, these: Filter, before: str) -> dict[str, Any]:
    """What the list needs."""
    log = parts.feed.alerts
    older_than = None
    with suppress(ValueError):
        older_than = sort_key_of(before)
    rows = log.newest(these, ROWS + 1, older_than)
    query = urlencode(_chosen(these))
    return {
        "rows": [log.with_answers(held) for held in rows[:ROWS]],
        "total": log.count(these.takes),
        "all": log.count(lambda _: True),
        "chosen": _query(these),
        "query": f"?{query}" if query else "",
        "offers": log.offers(),
        "bands": list(BANDS),
        "older": rows[ROWS - 1].cursor if len(rows) > ROWS else None,
        "first_page": older_than is None,
        "caught_up": parts.feed.caught_up,
        "trouble": parts.feed.trouble,
    }


def _query(these: Filter) -> dict[str, str]:
    return {
        "kind": these.kind or "",
        "band": these.band or "",
        "status": these.status or "",
        "offer_id": these.offer_id or "",
    }


def _chosen(these: Filter) -> dict[str, str]:
    """Without what is any."""
    return {name: value for name, value in _query(these).items() if value}


async def _news(request: Request, parts: Parts, these: Filter) -> AsyncIterator[bytes]:
    log = parts.feed.alerts
    number = log.arrived
    waiter = parts.feed.waiter()
    try:
        yield b"retry: 2000\n\n"
        while not await request.is_disconnected():
            waiter.clear()
            new = [held for held in log.since(number) if these.takes(held)]
            number = log.arrived
            if new:
                latest = sorted(new, reverse=True, key=by_cause)[:ROWS]
                context = listed(parts, these, "") | {"rows": [(held, [], None) for held in latest], "fresh": True}
                html = filled(request, "_alert_rows.html", **context)
                speech = speech_of(request)
                news = {"html": html, "total": speech.number(context["total"]), "new": len(new)}
                yield b"event: rows\ndata: %s\n\n" % orjson.dumps(news)
                await asyncio.sleep(NEWS_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter.wait(), KEEP_ALIVE_SECONDS)
            if not waiter.is_set():
                yield b": still here\n\n"
    finally:
        parts.feed.forget(waiter)


async def _evidence(parts: Parts, person: Person, held: Held, speech: Speech) -> dict[str, Any] | None:
    """Pictures of what the customer did up to the alert; None for whoever may not see customers."""
    if not person.may("customers"):
        return None
    known = await stored(parts.customers.find(held.alert.customer_id))
    if known is None:
        return None
    today = held.raised // DAY_MS
    by_silence = held.alert.cause.due_at is not None  # whatever else happened on that day happened after it
    days = [day for day in active_days(known.row) if day.day < today + (not by_silence)]
    usual_gaps = [reason.usual for reason in held.alert.reasons if reason.code.startswith("silence")]
    usual = usual_gaps[0] if usual_gaps else profile(known.row, known.now)["gap_q90_days"]
    return {"now": known.now, **pictures(days, today, usual, speech)}


def pictures(days: list[Any], today: int, usual: float | None, speech: Speech) -> dict[str, Any]:
    """The charts of a customer's rhythm and money up to day `today`; empty where nothing is known."""
    own = [day.day for day in days if day.own > 0]
    if not own:
        return {}
    silence = today - own[-1]
    ticks = [
        charts.Label(day, speech.day(day * DAY_MS)) for day in range(today - charts.DAYS_SHOWN + 1, today - 14, 45)
    ]
    label = speech.say("{days} days of silence", days=silence) if silence > 1 else ""
    said = speech.say(
        "Own transactions by day: {days} active days, the last on {last}; then {silence} days of silence.",
        days=len(own),
        last=speech.day(own[-1] * DAY_MS),
        silence=silence,
    )
    shown_silence = own[-1] if silence > 1 else today
    totals = speech.money(sum(day.money_in for day in days)), speech.money(sum(day.money_out for day in days))
    flows = speech.say("Money in and out by half month: {in_} in, {out} out.", in_=totals[0], out=totals[1])
    return {
        "rhythm": charts.rhythm(days, shown_silence, today, usual, label, said, ticks),
        "money": charts.money_by_half_month(days, today, flows, ticks),
        "silence": silence,
        "usual": usual,
    }
