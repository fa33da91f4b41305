"""Parameter rules: renamed, refused or dropped, clamped, forced, as a vendor's row and the caller say."""

from typing import Any

from litellm.exceptions import UnsupportedParamsError
from litellm.providers.base import NO_RULES, ParamRules, Provider
from litellm.types.calls import Call, Json, as_list, as_object


def apply(provider: Provider, call: Call) -> Json:
    """The parameters to send, as a new dict where anything changes. Raises UnsupportedParamsError."""
    params = call.params
    if call.target.additional_drop_params:  # first: they are named as the caller names them
        params = _without(params, call.target.additional_drop_params)
    if provider.rules is not NO_RULES:
        params = _by_rules(provider, call, params)
    return params


def _by_rules(provider: Provider, call: Call, params: Json) -> Json:
    rules = provider.rules
    refused = [name for name in params if name in rules.unsupported and name not in call.target.allowed_openai_params]
    if refused and not call.target.drop_params:
        raise UnsupportedParamsError(
            message=f"{provider.name} does not support parameters: {refused}, for model={call.target.model}. To drop "
            "these, set `litellm.drop_params=True` or, in the gateway, `litellm_settings: {drop_params: true}`; to "
            f"send them all the same, pass `allowed_openai_params={refused}`",
            llm_provider=provider.name,
            model=call.target.model,
        )
    kept = {rules.rename.get(name, name): value for name, value in params.items() if name not in refused}
    for name, (low, high) in rules.clamp.items():
        if isinstance(kept.get(name), int | float) and not isinstance(kept[name], bool):
            kept[name] = min(max(kept[name], low), high)
    kept.update(rules.force)
    return _flat(kept, rules)


def _flat(params: Json, rules: ParamRules) -> Json:
    """Content lists of text parts as one string, for hosts that take no lists."""
    if rules.flatten_content and isinstance(params.get("messages"), list):
        params["messages"] = [_flat_message(message) for message in params["messages"]]
    return params


def _flat_message(message: Any) -> Any:
    fields = as_object(message) or {}
    parts = [as_object(part) or {} for part in as_list(fields.get("content")) or ()]
    if not parts or any(part.get("type") != "text" for part in parts):
        return message
    return {**fields, "content": "".join(str(part.get("text", "")) for part in parts)}


def _without(value: Any, paths: tuple[str, ...]) -> Any:
    """Without the named parameters; a path may go deeper: `response_format.strict`, `tools[*].function.strict`."""
    for path in paths:
        value = _removed(value, path.replace("[*]", ".*").replace("[", ".").replace("]", "").split("."))
    return value


def _removed(value: Any, path: list[str]) -> Any:
    key, rest = path[0], path[1:]
    items = as_list(value)
    if items is not None:
        picked = range(len(items)) if key == "*" else [int(key)] if key.isdigit() and int(key) < len(items) else []
        if not rest:
            return [item for i, item in enumerate(items) if i not in picked]
        return [_removed(item, rest) if i in picked else item for i, item in enumerate(items)]
    fields = as_object(value)
    if fields is not None and key in fields:
        if not rest:
            return {name: item for name, item in fields.items() if name != key}
        return {**fields, key: _removed(fields[key], rest)}
    return value
