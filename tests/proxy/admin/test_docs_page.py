"""The docs page in a real browser, in front of a config whose model names are hostile."""

import json
from collections.abc import Iterator
from typing import Final

import pytest

from support.chromium import Page, binary, browsing
from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binary() is None, reason="no Chromium on this machine (apt-get install chromium)"),
]

HOSTILE: Final = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "'; rm -rf / #",
    "javascript:alert(3)",
)
CHAT: Final = "post/v1/chat/completions"
OPEN: Final = ".op[open]"


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    models = {**dict.fromkeys(HOSTILE, "m"), "many": "tokens-200", "slow": "stream-slow-500"}
    rows = [{"model_name": name, "litellm_params": {"model": f"openai/{model}"}} for name, model in models.items()]
    address = {"api_base": shared_upstream.base_url, "api_key": "k"}
    config = json.dumps(
        {"model_list": rows, "litellm_settings": address, "general_settings": {"master_key": MASTER_KEY}}
    )
    with Gateway(config, tmp_path_factory.mktemp("docs")) as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = binary()
    assert path is not None
    with browsing(path, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def page(gateway: Gateway, browser: Page) -> Iterator[Page]:
    """The page, loaded; at the end the browser must have had nothing to complain of, and have asked nobody else."""
    browser.open("about:blank")
    browser.run("0")
    browser.events.clear()
    browser.open(f"{gateway.origin}/")
    browser.wait("document.querySelectorAll('.op').length > 20")
    yield browser
    assert [text for text in browser.complaints() if "status of 4" not in text] == []
    assert all(url.startswith((gateway.origin, "data:,")) for url in browser.requested())
    assert browser.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def give_key(page: Page, key: str = MASTER_KEY) -> None:
    page.run("document.getElementById('key').focus()")
    page.type(key)
    page.press("Enter", "\r")
    page.wait("document.getElementById('state').textContent")


def open_chat(page: Page) -> None:
    page.run(f"location.hash = encodeURIComponent('{CHAT}')")
    page.wait(f"document.querySelector('{OPEN} .try')")


def send(page: Page, body: dict[str, object]) -> None:
    page.run(f"document.querySelector('{OPEN} textarea').value = {json.dumps(json.dumps(body))}")
    page.run(f"document.querySelector('{OPEN} textarea').dispatchEvent(new Event('input'))")
    page.run(f"document.querySelector('{OPEN} button.main').click()")


def text(page: Page, selector: str) -> str:
    return page.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent).join('|')")


ASK: Final = {"messages": [{"role": "user", "content": "hi"}]}


def test_every_route_is_on_the_page(page: Page, gateway: Gateway) -> None:
    described = json.loads(gateway.get("/openapi.json")[1])["paths"]
    wanted = {f"{verb}{path}" for path, item in described.items() for verb in item}
    assert set(page.run("[...document.querySelectorAll('.op')].map(op => op.id)")) == wanted
    assert text(page, "main h2").split("|") == [
        "inference", "models", "model management", "credentials", "keys", "users", "teams", "organizations",
        "customers", "budgets", "tags", "spend", "audit", "cache", "health", "docs",
    ]  # fmt: skip


def test_a_request_can_be_tried_and_copied(page: Page, gateway: Gateway) -> None:
    give_key(page)
    assert text(page, "#state") == f"Key accepted, {len(HOSTILE) + 2} models"
    open_chat(page)
    send(page, {"model": HOSTILE[2], **ASK})
    page.wait(f"document.querySelector('{OPEN} .status.get')?.textContent.startsWith('200') "
              f"&& document.querySelector('{OPEN} .outcome .note').textContent.includes('all')")  # fmt: skip
    shown = f"document.querySelector('{OPEN} .outcome pre:not([hidden])')?.textContent"
    page.wait(f"{shown}.includes({json.dumps(HOSTILE[2])})")  # not the answer before it
    answer = page.run(f"document.querySelector('{OPEN} .outcome pre:not([hidden])').textContent")
    assert json.loads(answer)["model"] == HOSTILE[2]
    curl = text(page, f"{OPEN} .curl pre")
    assert curl.startswith(f"curl '{gateway.origin}/v1/chat/completions'") and MASTER_KEY not in curl
    assert r"'\''; rm -rf / #" in curl  # a name cannot end its own quotes


def test_hostile_names_stay_text(page: Page) -> None:
    give_key(page)
    open_chat(page)
    for name in HOSTILE:
        send(page, {"model": name, **ASK})
        page.wait(f"document.querySelector('{OPEN} .outcome .note')?.textContent.includes('all')")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 1
    assert HOSTILE[0] in text(page, f"{OPEN} .schema")


def test_a_stream_is_shown_as_it_arrives_and_can_be_stopped(page: Page, shared_upstream: UpstreamThread) -> None:
    give_key(page)
    open_chat(page)
    send(page, {"model": "slow", "stream": True, **ASK})
    page.wait(f"document.querySelectorAll('{OPEN} .outcome pre')[0]?.textContent")  # some of the text is there
    assert "data: {" in text(page, f"{OPEN} .outcome pre") and "[DONE]" not in text(page, f"{OPEN} .outcome pre")
    page.run(f"[...document.querySelectorAll('{OPEN} button')].find(one => one.textContent === 'Stop').click()")
    page.wait(f"document.querySelector('{OPEN} .outcome').textContent.includes('Stopped.')")
    assert shared_upstream.wait(lambda: shared_upstream.asked("stream-slow-500")[-1].disconnected)


def test_a_whole_stream_is_shown(page: Page) -> None:
    give_key(page)
    open_chat(page)
    send(page, {"model": "many", "stream": True, **ASK})
    shown = f"[...document.querySelectorAll('{OPEN} .outcome pre')]"
    page.wait(f"{shown}.some(part => part.textContent.includes('[DONE]'))")  # not the answer before it
    page.wait(f"document.querySelector('{OPEN} .outcome .note')?.textContent.includes('all')")
    assert text(page, f"{OPEN} .outcome pre").count("data: {") > 200 and "[DONE]" in text(page, f"{OPEN} .outcome pre")


def test_it_can_be_worked_by_keyboard(page: Page) -> None:
    page.press("/", "/")
    assert page.run("document.activeElement.id") == "filter"
    page.type("embeddings")
    page.wait("[...document.querySelectorAll('.op')].filter(op => op.checkVisibility()).length === 4")
    page.run("document.querySelector('main section:not([hidden]) .op:not([hidden]) summary').focus()")
    page.press("Enter", "\r")
    page.wait(f"document.querySelector('{OPEN} textarea')")
    assert page.run("document.activeElement.tagName") == "SUMMARY"
    seen = set()
    for _ in range(8):
        page.press("Tab")
        seen.add(page.run("document.activeElement.tagName + ' ' + document.activeElement.textContent.slice(0, 4)"))
    assert {"BUTTON Send", "BUTTON Copy"} <= seen and any(one.startswith("TEXTAREA") for one in seen)
    unnamed = "[...document.querySelectorAll('input, textarea')].filter(one => !one.labels.length).length"
    assert page.run(unnamed) == 0


def test_a_wrong_key_is_said_to_be_wrong(page: Page) -> None:
    give_key(page, "sk-wrong")
    assert text(page, "#state") == "Key refused (401)"
    assert text(page, ".op code").count("/v1/") > 3
