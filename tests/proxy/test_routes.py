"""Which paths are inference, which are public, and that nobody is both."""

import pytest

from litellm.proxy import probes, routes
from litellm.types.calls import Op

OPS: dict[str, Op] = {"/chat/completions": "chat", "/completions": "completion", "/embeddings": "embedding"}


@pytest.mark.parametrize("end", OPS)
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_with_and_without_v1(prefix: str, end: str) -> None:
    route = routes.inference(prefix + end)
    assert route is not None and (route.op, route.path, route.model) == (OPS[end], end, None)


@pytest.mark.parametrize("end", OPS)
@pytest.mark.parametrize("prefix", ["/engines/", "/openai/deployments/"])
@pytest.mark.parametrize("model", ["m", "openai/gpt-4o", "a b", "chat/completions", "100%", "a%2Fb", "ü"])
def test_paths_that_name_the_model(prefix: str, end: str, model: str) -> None:
    """The server has decoded the path already: it is not decoded again."""
    route = routes.inference(prefix + model + end)
    assert route is not None and (route.op, route.path, route.model) == (OPS[end], end, model)


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/chat", "/chat/completions/", "/v2/chat/completions", "//chat/completions", "/engines/m",
     "/engines//chat/completions/x", "/models/m", "/V1/embeddings"],
)  # fmt: skip
def test_nothing_else_is_inference(path: str) -> None:
    assert routes.inference(path) is None


def test_a_model_may_be_called_chat() -> None:
    route = routes.inference("/engines/chat/completions")
    assert route is not None and (route.op, route.model) == ("completion", "chat")


def test_public_are_these_and_no_others() -> None:
    wanted = {"/", "/openapi.json", "/health/liveliness", "/health/liveness", "/health/readiness"}
    assert wanted == routes.PUBLIC
    assert not any(routes.inference(path) for path in routes.PUBLIC)


def test_every_template_is_dispatched() -> None:
    templates = list(routes.templates())
    assert len(templates) == len(set(templates)) == 2 * 3 + 2 * 3
    for template, op in templates:
        route = routes.inference(template.replace("{model}", "my/model"))
        assert route is not None and route.op == op


def test_models_are_found_by_their_whole_name() -> None:
    assert probes.find("/v1/models/openai/gpt-4o") is probes.find("/models/m") is not None
    assert probes.find("/v1/modelsx") is None
