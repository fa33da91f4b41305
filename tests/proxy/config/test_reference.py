from pathlib import Path

from litellm.proxy.config import reference


def test_the_page_is_current() -> None:
    page = Path(__file__).parents[3] / "docs/configuration.md"
    assert page.read_text("utf-8") == reference.page(), (
        "run: python -m litellm.proxy.config.reference > docs/configuration.md"
    )
