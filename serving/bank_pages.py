"""The bank as a whole: portfolio, campaigns, and how the tracker itself is running."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, get_args

import orjson
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from schemas.alert import Kind
from schemas.units import parse_rfc3339
from serving import charts
from serving.access import Person
from serving.api import stored, switch_made
from serving.campaigns import campaigns as campaigns_of
from serving.guard import Tokened, allowed, parts_of
from serving.operations import SwitchTo, state_of
from serving.parts import Parts
from serving.portfolio import Portfolio
from serving.rendering import filled, page, speech_of

KINDS: tuple[Kind, ...] = get_args(Kind)
LETTERS_SHOWN = 20
REFRESH_SECONDS = 2.0
SAMPLE = 2_000

router = APIRouter()

SeePortfolio = Annotated[Person, Depends(allowed("portfolio"))]
SeeRunning = Annotated[Person, Depends(allowed("running"))]


@router.get("/campaigns")
async def campaigns(request: Request, _: SeePortfolio) -> Response:
    """Each offer and what it has come to."""
    parts = parts_of(request)
    catalogue = parts.feed.catalogue
    shown = campaigns_of(catalogue, (await stored(parts.customers.ledgers())).values())
    return page(request, "campaigns.html", campaigns=shown, policy=catalogue.policy)


@router.get("/portfolio")
async def portfolio(request: Request, _: SeePortfolio) -> Response:
    """The customers together, by a sample."""
    parts = parts_of(request)
    rows = await stored(parts.customers.sample(SAMPLE))
    sampled = await asyncio.to_thread(Portfolio.of, rows)
    speech, curve = speech_of(request), None
    if sampled is not None and sampled.curve:
        share = speech.share(sampled.top_fifth)
        said = speech.say("The fifth of customers with the largest balances holds {share}", share=share)
        curve = charts.concentration(sampled.curve, 0.2, sampled.top_fifth, f"20 % → {share}", said)
    return page(request, "portfolio.html", portfolio=sampled, curve=curve)


@router.get("/running")
async def running(request: Request, person: SeeRunning) -> Response:
    """How far the workers are, what could not be used, what is switched off."""
    return page(request, "running.html", **await _running(parts_of(request), person))


@router.get("/running/live")
async def live(request: Request, person: SeeRunning) -> Response:
    """The same anew every two seconds."""
    return StreamingResponse(_news(request, person), media_type="text/event-stream")


@router.post("/running/switches/{kind}", dependencies=[Tokened])
async def switch(
    request: Request,
    person: Annotated[Person, Depends(allowed("switches"))],
    kind: Kind,
    to: Annotated[SwitchTo, Form()],
    confirmed: Annotated[str, Form()] = "",
) -> Response:
    """Asks whether it is meant, then switches."""
    parts = parts_of(request)
    if confirmed != "yes":
        return page(request, "confirm_switch.html", kind=kind, to=to)
    await switch_made(parts, person, kind, to)
    for _ in range(20):
        if state_of(parts.feed.catalogue.policy, kind) == to:
            break
        await asyncio.sleep(0.05)
    return RedirectResponse("/running", 303)


async def _running(parts: Parts, person: Person) -> dict[str, Any]:
    partitions = await parts.group.partitions(await stored(parts.customers.positions()))
    replayed = await parts.group.replayed_to()
    lags = [each.lag for each in partitions if each.lag is not None]
    clocks = [parse_rfc3339(each.clock) for each in partitions]
    policy = parts.feed.catalogue.policy
    return {
        "partitions": partitions,
        "expected": parts.feed.partitions,
        "lag": sum(lags) if lags else None,
        "processed": sum(each.offset for each in partitions),
        "clock": min(clocks, default=None),
        "behind": None if parts.settings.clock == "stream" or not clocks else int(time.time() * 1000) - min(clocks),
        "owners_known": any(each.owner for each in partitions),
        "owners": len({each.owner for each in partitions if each.owner}),
        "letters": parts.feed.letters.newest(replayed)[:LETTERS_SHOWN],
        "letter_rules": parts.feed.letters.by_rule(replayed),
        "switches": [(kind, state_of(policy, kind)) for kind in KINDS],
        "may_switch": person.may("switches"),
        "trouble": parts.feed.trouble,
    }


async def _news(request: Request, person: Person) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    parts = parts_of(request)
    while not await request.is_disconnected():
        await asyncio.sleep(REFRESH_SECONDS)
        html = filled(request, "_running.html", **await _running(parts, person))
        yield b"event: whole\ndata: %s\n\n" % orjson.dumps({"html": html})
