"""The console as people use it, in Chromium: what arrives, what can be done, with the keyboard, by everybody."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.serving.conftest import Keyed
from tests.serving.server import Server
from tests.serving.test_api import new_alert

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARRIVES_SECONDS_MAX = 5.0
"""An alert is on the page within a second where nothing else runs; tests share their processors."""

AXE = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
}
PAGES = ("/alerts", "{churn}", "{offer}", "/customers", "{customer}", "/campaigns", "/portfolio", "/running")

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it. A laptop without one skips; CI does not.

    For this module alone: while it is open, Playwright's event loop counts as running in the thread of all tests, and
    no test that runs one of its own would do.
    """
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError("Chromium is missing, and in CI nothing may be left out")
        pytest.skip("Chromium is missing; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page of its own; an error in its console, of the content security policy too, fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(address: str, **options: object) -> Page:
        context = browser.new_context(**({"viewport": WIDE, "locale": "en"} | options))  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_default_timeout(10_000)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def _is_error(message: ConsoleMessage) -> bool:
    """A page that says that there is no such customer has status 404, which Chromium calls an error."""
    return message.type == "error" and "status of 404" not in message.text


def address_of(server: Server, page: str) -> str:
    """Of a page, of some alert or customer where it is about one."""
    if page == "{customer}":
        alert = _newest(server, "next_best_offer")
        token = re.search(r'name="token" value="(\w+)"', server.get("/customers").text)
        assert token
        answer = server.send("POST", "/customers", data={"token": token[1], "customer_id": alert["customer_id"]})
        return server.address + answer.headers["Location"]
    kind = {"{churn}": "churn_risk", "{offer}": "next_best_offer"}.get(page)
    return server.address + (page if kind is None else f"/alerts/{_newest(server, kind)['alert_id']}")


def _newest(server: Server, kind: str) -> dict[str, str]:
    views = server.api(f"/alerts?kind={kind}&status=raised&limit=200")["alerts"]
    return next(view["alert"] for view in views if view["alert"]["customer_id"].startswith("sim-"))


def test_an_alert_appears_while_one_looks(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/alerts")
    expect(page.locator("#live")).to_have_text("Live")
    total = page.locator("#total").inner_text()
    alert = new_alert("live-one", raised_at="2031-06-01T00:00:00.000Z")
    started = monotonic()
    server.publish(server.bank.settings.topic_alerts, "live-one", alert)
    expect(page.locator("#rows li").first).to_contain_text("live-one")
    assert monotonic() - started < ARRIVES_SECONDS_MAX
    assert page.locator("#total").inner_text() != total
    page.locator("#rows a").first.click()
    expect(page.locator("h1", has_text="May be leaving")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("93%")


def test_the_list_is_narrowed_by_what_one_chooses(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/alerts")
    page.get_by_label("Kind").select_option("next_best_offer")
    page.wait_for_url("**/alerts?kind=next_best_offer")
    page.locator("select[name=offer_id]").select_option(index=1)
    page.wait_for_url("**offer_id=*")
    offer = page.locator("select[name=offer_id]").input_value()
    page.locator("#rows a").first.click()
    expect(page.locator(".won th")).to_have_text(offer)
    page.goto(f"{server.address}/alerts?kind=churn_risk&offer_id={offer}")
    expect(page.locator("#empty")).to_contain_text("No alert fits.")


def test_a_churn_alert_shows_its_silence(server: Server, opened: Open) -> None:
    page = opened(address_of(server, "{churn}"))
    reason = page.locator(".reasons li").first.inner_text()
    days = re.match(r"No transaction for (\d+) days", reason)
    assert days
    expect(page.locator("svg .label")).to_have_text(f"{days[1]} days of silence")
    expect(page.locator("svg .silence")).to_be_visible()
    assert page.locator("svg .bar").count() > 5


def test_an_outcome_is_recorded_and_comes_back_from_the_worker(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/alerts?kind=next_best_offer&status=raised")
    for place in range(page.locator("#rows a").count()):
        page.locator("#rows a").nth(place).click()
        page.locator("a", has_text="Customer sim-").click()
        offers = page.locator("section", has=page.get_by_role("heading", name="Offers made"))
        if offers.locator(".tag.open").count() == 1:
            break
        page.go_back()
        page.go_back()
    page.go_back()
    page.get_by_role("button", name="accepted").click()
    expect(page.get_by_role("status").filter(has_text="Recorded: accepted.")).to_be_visible()
    expect(page.locator("article .tag.accepted")).to_be_visible()
    page.locator("a", has_text="Customer sim-").click()
    deadline = monotonic() + 30
    while page.locator(".tag.accepted").count() == 0 and monotonic() < deadline:
        page.reload()
    expect(offers.locator(".tag.accepted")).to_be_visible()


def test_a_customer_is_found_with_the_keyboard_alone(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/customers")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Customer number, as core banking writes it")).to_be_focused()
    page.keyboard.type("no-such")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no customer no-such")
    customer = _newest(server, "churn_risk")["customer_id"]
    number = page.get_by_label("Customer number, as core banking writes it")
    number.fill(customer)
    number.press("Enter")
    expect(page.locator("h1")).to_have_text(customer)
    assert customer not in page.url


def test_arrows_walk_the_list(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/alerts")
    page.locator("#rows a").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")


def test_a_switch_asks_first(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/running")
    row = page.locator(".switches li", has_text="Offers")
    row.get_by_role("button", name="Dry run").click()
    expect(page.locator("h1")).to_have_text("Offers: Dry run")
    assert server.api("/switches/next_best_offer")["state"] == "on"
    page.get_by_role("button", name="Yes, switch").click()
    expect(row).to_contain_text("decided and recorded, but not sent")
    assert server.api("/switches/next_best_offer")["state"] == "dry-run"
    row.get_by_role("button", name="On", exact=True).click()
    page.get_by_role("button", name="Yes, switch").click()
    expect(row).to_contain_text("are sent")


def test_one_logs_in_with_a_key_and_out_again(keyed: Keyed, opened: Open) -> None:
    page = opened(f"{keyed.server.address}/alerts")
    page.wait_for_url("**/login")
    page.get_by_label("Access key").fill(keyed.keys["viewer"])
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".who")).to_contain_text("viewer")
    page.goto(f"{keyed.server.address}/running")
    assert page.locator(".switches button").count() == 0, "a viewer switches nothing"
    cookie = next(each for each in page.context.cookies() if each["name"] == "tracker_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto(f"{keyed.server.address}/running")
    page.wait_for_url("**/login")


def test_the_privacy_officer_exports_a_customer(keyed: Keyed, opened: Open) -> None:
    page = opened(f"{keyed.server.address}/login")
    page.get_by_label("Access key").fill(keyed.keys["privacy"])
    page.get_by_role("button", name="Log in").click()
    page.locator("a", has_text="Customer sim-").or_(page.locator("#rows a", has_text="sim-")).first.click()
    page.locator("a", has_text="Customer sim-").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all that is known").click()
    text = Path(download.value.path()).read_text()
    assert '"features"' in text
    assert '"days"' in text


def test_language_and_theme_are_kept(server: Server, opened: Open) -> None:
    page = opened(f"{server.address}/running")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("运行状况")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("button", name="深色").click()
    page.goto(f"{server.address}/campaigns")
    expect(page.locator("h1")).to_have_text("营销活动")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 22, 27)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_every_page(server: Server, opened: Open, theme: str) -> None:
    """By axe-core: nothing serious or critical; and a heading, and nothing wider than the screen, at both widths."""
    axe, found = Axe(), []
    for viewport, locale in ((WIDE, "en"), (NARROW, "zh-CN")):
        page = opened(f"{server.address}/alerts", viewport=viewport, locale=locale, color_scheme=theme)
        for name in PAGES:
            page.goto(address_of(server, name))
            assert page.locator("h1").count() == 1, name
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{name} is too wide"
            for violation in axe.run(page, options=AXE).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    nodes = [node["html"][:160] for node in violation["nodes"][:3]]
                    found.append((name, viewport["width"], violation["id"], nodes))
    assert found == []


@pytest.mark.parametrize("path", ["/alerts", "/running", "/portfolio"])
def test_nothing_comes_from_elsewhere(server: Server, opened: Open, path: str) -> None:
    page = opened("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.address + path)
    assert asked
    assert all(url.startswith(server.address) for url in asked)
