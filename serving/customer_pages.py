"""One customer on one page. An address never holds a customer_id: it stands there sealed, for this server to read."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from handlers.profile.customer import active_days
from schemas.transaction import CHANNELS, CUSTOMER_ID_LENGTH
from schemas.units import DAY_MS
from serving.access import Person
from serving.alert_log import Filter
from serving.alert_pages import pictures
from serving.api import SeeCustomers, audited, looked_up
from serving.figures import FLOWS, OTHERS
from serving.guard import Tokened, allowed, parts_of
from serving.picture import picture
from serving.problems import Problem
from serving.rendering import page, speech_of

ALERTS_SHOWN = 12
WINDOWS = ("24h", "7d", "30d", "90d", "180d", "life")

router = APIRouter()


@router.get("/customers")
async def search(request: Request, _: SeeCustomers) -> Response:
    """Whom to look at."""
    return page(request, "customers.html")


@router.post("/customers", dependencies=[Tokened])
async def redirect_to_customer(
    request: Request, _: SeeCustomers, customer_id: Annotated[str, Form(min_length=1, max_length=CUSTOMER_ID_LENGTH)]
) -> Response:
    """To the customer's page."""
    return RedirectResponse(f"/customers/{parts_of(request).access.sealed(customer_id.strip())}", 303)


@router.get("/customers/{sealed_id}")
async def customer(request: Request, person: SeeCustomers, sealed_id: str) -> Response:
    """The page."""
    parts, speech = parts_of(request), speech_of(request)
    customer_id = _unsealed(request, sealed_id)
    try:
        known = await looked_up(parts, person, customer_id)
    except Problem as problem:
        if problem.status != 404:
            raise
        return page(request, "customers.html", 404, unknown=customer_id)
    shown = picture(customer_id, known.row, known.now)
    figures = shown["features"]
    assert isinstance(figures, dict)
    others = [(feature.name, feature.meaning, figures[feature.name]) for feature in OTHERS]
    shares = [(name, figures[f"share_channel_{name}_90d"] or 0) for name in CHANNELS]
    log = parts.feed.alerts
    alerts = log.newest(Filter(customer_id=customer_id), ALERTS_SHOWN)
    return page(
        request,
        "customer.html",
        customer_id=customer_id,
        sealed_id=sealed_id,
        shown=shown,
        figures=figures,
        flows=FLOWS,
        windows=WINDOWS,
        others=others,
        channels=sorted((share for share in shares if share[1] > 0), key=lambda share: -share[1]),
        now=known.now,
        pictures=pictures(active_days(known.row), known.now // DAY_MS, figures["gap_q90_days"], speech),
        rows=[log.with_answers(held) for held in alerts],
        may_export=person.may("export"),
        query="",
    )


@router.post("/customers/{sealed_id}/export", dependencies=[Tokened])
async def export(request: Request, person: Annotated[Person, Depends(allowed("export"))], sealed_id: str) -> Response:
    """Everything that the tracker knows of the customer, as a file to hand over."""
    parts, customer_id = parts_of(request), _unsealed(request, sealed_id)
    await audited(parts, person, "export_customer", customer_id)
    known = await looked_up(parts, person, customer_id)
    whole = picture(customer_id, known.row, known.now) | {
        "days": [day._asdict() for day in active_days(known.row)],
        "alerts": [
            orjson.Fragment(held.value) for held in parts.feed.alerts.newest(Filter(customer_id=customer_id), 1_000)
        ],
    }
    headers = {"Content-Disposition": 'attachment; filename="customer.json"'}
    return Response(orjson.dumps(whole, option=orjson.OPT_INDENT_2), media_type="application/json", headers=headers)


def _unsealed(request: Request, sealed_id: str) -> str:
    customer_id = parts_of(request).access.unsealed(sealed_id)
    if customer_id is None:
        raise Problem(404, "This address is from another session; search for the customer again")
    return customer_id
