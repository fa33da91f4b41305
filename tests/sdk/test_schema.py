"""pydantic classes as OpenAI's strict schemas."""

from typing import Any

from pydantic import BaseModel, Field

from litellm.sdk.schema import response_format_of


class Inner(BaseModel):
    default: int = 3
    note: str | None = None


class Node(BaseModel):
    child: "Node | None" = None
    other: "Node" = Field(description="another")


class Outer(BaseModel):
    inner: Inner = Field(description="one")
    many: list[Inner] = []
    properties: dict[str, Any] = {}


def schema_of(cls: type[BaseModel]) -> dict[str, Any]:
    return response_format_of(cls)["json_schema"]["schema"]


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every schema of an object within a schema."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if isinstance(schema.get("properties"), dict) and "type" in schema else []
    return own + [found for item in schema.values() for found in objects(item)]


def test_objects_are_closed_and_all_their_properties_required() -> None:
    found = objects(schema_of(Outer))
    assert len(found) >= 3
    for schema in found:
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False


def test_defaults_are_left_out_but_not_a_property_of_that_name() -> None:
    inner = schema_of(Inner)
    assert inner["properties"].keys() == {"default", "note"}
    assert "default" not in inner["properties"]["default"]


def test_a_reference_has_nothing_beside_it() -> None:
    inner = schema_of(Outer)["properties"]["inner"]
    assert "$ref" not in inner
    assert inner["description"] == "one"
    assert inner["properties"].keys() == {"default", "note"}


def test_a_class_that_holds_itself_has_an_end() -> None:
    assert objects(schema_of(Node))


def test_a_name_has_only_what_openai_takes() -> None:
    class Odd(BaseModel):
        x: int

    Odd.__name__ = "Page[int]" + "x" * 80
    name = response_format_of(Odd)["json_schema"]["name"]
    assert name.startswith("Page_int_x")
    assert len(name) == 64


def test_anything_else_is_the_endpoints_to_understand() -> None:
    for value in ({"type": "json_object"}, "text", int, None):
        assert response_format_of(value) is value
