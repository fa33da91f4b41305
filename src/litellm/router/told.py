"""A router that tells callbacks of every call that goes through it. A gateway without callbacks has the plain one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from litellm.engine.builder import stream_chunk_builder
from litellm.engine.engine import Engine, Reply
from litellm.engine.events import Record
from litellm.engine.listeners import Listeners
from litellm.engine.streams import EventStream
from litellm.engine.tapped import Tapped, chunks_of
from litellm.engine.upstream import additional_headers
from litellm.router.deployments import Deployment, Deployments
from litellm.router.fallbacks import NONE, Fallbacks
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.router import Router, Served
from litellm.types import utils as types
from litellm.types.calls import Ask, Json, Op
from litellm.types.http import RawHeaders

MAX_KEPT: Final = 16 * 1024 * 1024
"""Bytes of a stream that are kept for its callbacks: of a longer one they are told the beginning."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told, what calls cost, and whether prompts and answers are hidden."""

    listeners: Listeners
    price: Callable[[Deployment, Any, float], Json | None]
    """(who answered, the answer, the call's seconds) -> a CostBreakdown, None if nobody knows."""
    redact: bool = False


class ToldRouter(Router):
    """What a caller gets is what the plain router gives; a stream's bytes are kept for its callbacks as they go by."""

    __slots__ = ("_telling",)

    def __init__(
        self,
        deployments: Deployments,
        engine: Engine,
        policy: RetryPolicy,
        commit_seconds: float | None,
        telling: Telling,
        routing: Routing | None = None,
        fallbacks: Fallbacks = NONE,
    ) -> None:
        super().__init__(deployments, engine, policy, commit_seconds, routing, fallbacks)
        self._telling = telling

    async def send(self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None) -> Served[Reply]:
        record = self._began(ask, group)
        try:
            served = await super().send(ask, group, num_retries)
        except BaseException as error:
            record.failed(error)
            raise
        self._answered(record, ask, served)
        return served

    def remembered(self, ask: Ask, served: Served[Reply]) -> None:
        self._answered(self._began(ask, (served.deployment,)), ask, served)

    async def stream(
        self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None
    ) -> Served[EventStream]:
        record = self._began(ask, group)
        try:
            served = await super().stream(ask, group, num_retries)
        except BaseException as error:
            record.failed(error)
            raise
        hidden = self._chosen(record, ask, served.deployment, served.result.headers)
        served.result = Overheard(served.result, record, hidden)
        return served

    def _began(self, ask: Ask, group: tuple[Deployment, ...]) -> Record:
        telling = self._telling
        ours: Json = {"metadata": ask.metadata, "model_info": group[0].info if len(group) == 1 else None}
        record = Record(telling.listeners, ask.op, True, ours, redact=telling.redact)
        record.began(ask, group[0].target if len(group) == 1 else None, group[0].model_name)
        return record

    def _answered(self, record: Record, ask: Ask, served: Served[Reply]) -> None:
        reply = served.result
        hidden = self._chosen(record, ask, served.deployment, reply.headers)
        # The caller's answer is made of `reply.wire` after this, and no callback may change it: they get another.
        record.succeeded(partial(_made, ask.op, orjson.dumps(reply.wire)), hidden)

    def _chosen(self, record: Record, ask: Ask, deployment: Deployment, headers: RawHeaders) -> Json:
        """The deployment that answered, in the call's dict; and what there is beside the answer."""
        target = deployment.target
        if ask.cached:
            record.kwargs["cache_hit"] = True
        record.goes_to(target)
        record.price = partial(self._telling.price, deployment)
        record.kwargs["litellm_params"]["model_info"] = {**deployment.info, "id": deployment.id}
        return {
            "model_id": deployment.id,
            "api_base": target.base_url,
            "litellm_model_name": target.model,
            "custom_llm_provider": target.provider,
            "additional_headers": additional_headers(headers),
            **({"cache_key": ask.cached} if ask.cached else {}),
        }


_MADE: Final[dict[Op, Callable[[Json], Any]]] = {
    "chat": types.model_response,
    "completion": types.text_completion_response,
    "embedding": types.embedding_response,
}


def _made(op: Op, wire: bytes) -> Any:
    return _MADE[op](orjson.loads(wire))


class Overheard(Tapped):
    """Its bytes are kept; its end is told when it is closed."""

    __slots__ = ("_hidden", "_kept", "_record", "_size")

    def __init__(self, inner: EventStream, record: Record, hidden: Json) -> None:
        super().__init__(inner)
        self._record = record
        self._hidden = hidden
        self._kept: list[bytes] = []
        self._size = 0

    def heard(self, data: bytes) -> None:
        if not self._kept:
            self._record.first()
        if self._size < MAX_KEPT:
            self._kept.append(data)
            self._size += len(data)

    def close(self) -> None:
        super().close()
        kept, self._kept = self._kept, []
        if self.wrong is not None:
            self._record.failed(self.wrong, self._hidden)
        else:
            self._record.succeeded(lambda: stream_chunk_builder(chunks_of(kept).chunks), self._hidden)
