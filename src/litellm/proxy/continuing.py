"""`mid_stream_fallback: continue`: a stream that breaks off is continued by another deployment.

That one is asked with the text so far as the beginning of its answer, which not every provider allows. Loaded for a
config that says so. A stream that may be continued holds on to the router under which it began.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from time import perf_counter
from typing import Final, NamedTuple

from litellm import exceptions as e
from litellm.catalog import models, prefixes
from litellm.engine.streams import EventStream
from litellm.engine.tapped import Tapped
from litellm.proxy.charge import TIMED_OUT, Charge
from litellm.proxy.errors import DISCONNECTED, said
from litellm.proxy.exchange import Exchange
from litellm.proxy.seam import Beginning, Seam, added, beginning, continuable, marked, prefixed
from litellm.proxy.splice import Splicer
from litellm.proxy.streaming import cut_off
from litellm.router.deployments import Deployment
from litellm.router.prechecks import known
from litellm.router.router import Router, Served
from litellm.types.calls import Ask, Json

MAX_KEPT: Final = 4 * 1024 * 1024
"""Bytes of events: a stream that has sent more is not continued."""
BYTES_PER_TOKEN: Final = 4

Group = tuple[Deployment, ...]


class Opened(NamedTuple):
    """Who goes on; and what it may begin by saying again."""

    served: Served[EventStream]
    echo: str


_log = logging.getLogger("litellm.proxy")


class Continuing:
    """Of which model groups streams are continued: `groups` say it for themselves, `everywhere` for the others."""

    __slots__ = ("_everywhere", "_groups", "router")

    def __init__(self, router: Router, everywhere: bool, groups: Mapping[str, bool]) -> None:
        self.router = router
        self._everywhere = everywhere
        self._groups = groups

    def takes(self, ask: Ask, group: Group) -> bool:
        """May this call be continued, if its answer breaks off?"""
        wanted = self._groups.get(group[0].model_name, self._everywhere)
        return wanted and ask.stream and ask.op == "chat" and continuable(ask.params)

    def over(
        self,
        exchange: Exchange,
        served: Served[EventStream],
        ask: Ask,
        asked: str,
        group: Group,
        retries: int | None,
        size: int,
    ) -> "Continued":
        """The stream that stands for this one from now on. `asked` is the model as the caller wrote it, `size` how many
        bytes the request has."""
        total = self.router.routing.totals.get(group[0].model_name, self.router.routing.total_seconds)
        until = None if total is None else exchange.started + total
        resuming = Resuming(self.router, replace(ask, failing=None, trace=None), group, retries, until)
        made = Continued(served, resuming, asked, exchange.charge, size // BYTES_PER_TOKEN)
        served.result = made
        return made


class Resuming:
    """Asks another deployment to go on with a call. `until`: when its total time is over (`perf_counter`)."""

    __slots__ = ("_ask", "_group", "_retries", "_router", "_until")

    def __init__(self, router: Router, ask: Ask, group: Group, retries: int | None, until: float | None) -> None:
        self._router = router
        self._ask = ask
        self._group = group
        self._retries = retries
        self._until = until

    @property
    def left(self) -> float | None:
        """Seconds that the call may still take."""
        return None if self._until is None else self._until - perf_counter()

    def request(self, deployment: Deployment, text: str, tokens: int) -> Json | None:
        """The parameters to go on with after this one's `text`; None if that cannot be."""
        return prefixed(self._ask.params, text, tokens) if continuable(deployment.call(self._ask).params) else None

    async def open(self, params: Json, broken: Deployment, error: e.LiteLLMError) -> Opened | None:
        """Another deployment's answer to `params`, its first event there; None if nobody gives one."""
        for name, group in self._others(broken, error):
            asked, echo = marked(params, prefixes.of(group[0].target.provider))
            turned = replace(self._ask, model=name, params=asked, fallbacks=())
            if turned.account is not None and len(group) == 1 and group[0].state is None:
                turned.account.tries(group[0])  # the router goes straight there
            try:
                async with asyncio.timeout(self.left):
                    return Opened(await self._router.stream(turned, group, self._retries), echo)
            except TimeoutError:
                return None
            except e.LiteLLMError:
                continue
        return None

    def _others(self, broken: Deployment, error: e.LiteLLMError) -> Iterator[tuple[str, Group]]:
        """The group's other deployments, then those of its fallbacks: of each those that take a beginning, by how they
        take it."""
        ask = self._ask
        groups = [(ask.model, self._group)]
        for name in self._router.fallbacks.after(self._group[0].model_name, error, ask.fallbacks):
            other = self._router.deployments.group(name)
            groups.append((name, other if not other or ask.fit is None else ask.fit(other)))
        for name, group in groups:
            taking = [one for one in group if one.id != broken.id and takes_beginning(one)]
            for way in dict.fromkeys(prefixes.of(one.target.provider) for one in taking):
                yield name, tuple(one for one in taking if prefixes.of(one.target.provider) is way)


def takes_beginning(deployment: Deployment) -> bool:
    """Does it go on with an answer whose beginning it is given? By its `model_info`, else by the catalog."""
    said = deployment.info.get("supports_assistant_prefill")
    if said is not None:
        return bool(said)
    return deployment.target.provider in prefixes.ALWAYS or models.supports(known(deployment), "assistant_prefill")


class Continued(Tapped):
    """A stream, and the one that goes on with it. `served` names whoever answers now.

    `usage` and `events` are what that one alone has told: what the call's own row in the books is made of.
    """

    __slots__ = (
        "_asked", "_charge", "_closed", "_kept", "_opening", "_paused", "_prompt", "_resumed_at", "_resuming", "_seam",
        "_served", "_shut", "_size", "_splicer", "_waiting",
    )  # fmt: skip

    def __init__(
        self, served: Served[EventStream], resuming: Resuming, asked: str, charge: Charge | None, prompt: int
    ) -> None:
        super().__init__(served.result)
        self._served = served
        self._resuming = resuming
        self._asked = asked
        self._charge = charge
        self._prompt = prompt  # the estimate of its tokens
        self._splicer = Splicer(asked, True, served.result.decode)  # of the stream that is being relayed
        self._kept: list[bytes] = []  # the first's events, and their size
        self._size = 0
        self._opening: asyncio.Task[Opened | None] | None = None  # the second; there is no third
        self._waiting = False  # for it
        self._seam: Seam | None = None  # once it is there
        self._resumed_at = -inf
        self._paused = self._shut = self._closed = False

    @property
    def usage(self) -> Json | None:
        return self._splicer.usage

    @property
    def events(self) -> int:
        return self._splicer.events

    # The inner stream's side. Whole events are handed on: what breaks off within one is begun anew.

    def data(self, data: bytes, /) -> None:
        splicer = self._splicer
        if self._waiting or splicer.done or splicer.error is not None:
            return
        error = self._hand_on(splicer.feed(data)) or splicer.error
        if error is not None:
            self._broken(error)

    def end(self, error: e.LiteLLMError | None, /) -> None:
        splicer = self._splicer
        if self._waiting or splicer.error is not None:
            return
        failed = self._hand_on(splicer.flush()) if error is None else None
        problem = failed or splicer.error or (None if splicer.ended_well else error or cut_off())
        if problem is None:
            self._end(None)
        else:
            self._broken(problem)

    def heard(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_KEPT:
            self._kept.append(data)
        else:
            self._kept.clear()

    def _hand_on(self, events: bytes) -> e.LiteLLMError | None:
        """Gives what is wrong with them, if they cannot be handed on."""
        if self._seam is None:
            self.heard(events)
        else:
            try:
                events = self._seam.sewn(events)
            except e.LiteLLMError as error:
                return error
        if events and self._outer is not None:
            self._outer.data(events)
        return None

    def _broken(self, error: e.LiteLLMError) -> None:
        if not self._continues(error):
            self._end(error)

    def _end(self, error: e.LiteLLMError | None) -> None:
        if self._outer is not None:
            self._outer.end(error)

    # The taker's side.

    def overdue(self, seconds: float) -> e.LiteLLMError | None:
        if self._waiting:
            return None
        error = self._inner.overdue(min(seconds, asyncio.get_running_loop().time() - self._resumed_at))
        return None if error is None or self._continues(error) else error

    def pause(self) -> None:
        self._paused = True
        if not self._waiting:
            self._inner.pause()

    def resume(self) -> None:
        self._paused = False
        if not self._waiting:
            self._inner.resume()

    def close(self) -> None:
        self._closed = True
        if self._opening is not None and self._waiting:
            self._opening.cancel()
            self._returns(DISCONNECTED)
        self._let_go()

    def _let_go(self) -> None:
        """Once for each: who listens within takes a second time for another end."""
        if not self._shut:
            self._shut = True
            self._inner.close()

    # Going on.

    def _continues(self, error: e.LiteLLMError) -> bool:
        """Whether another deployment is asked now, because of this."""
        left = self._resuming.left
        over = left is not None and left <= 0
        if self._opening is not None or self._closed or over or not error.retryable or self._size > MAX_KEPT:
            return False
        begun = beginning(self._kept)
        if begun is None:
            return False
        params = self._resuming.request(self._served.deployment, begun.text, self._splicer.events)
        if params is None:
            return False
        self._inner.broke(error)
        self._waiting = True
        self._opening = asyncio.get_running_loop().create_task(self._open(params, error))
        self._opening.add_done_callback(lambda task: self._opened(task, begun, error))
        return True

    async def _open(self, params: Json, error: e.LiteLLMError) -> Opened | None:
        self._let_go()  # its place is free for others
        return await self._resuming.open(params, self._served.deployment, error)

    def _opened(self, task: asyncio.Task[Opened | None], begun: Beginning, error: e.LiteLLMError) -> None:
        if task.cancelled():
            return
        failure = task.exception()
        opened = None if failure is not None else task.result()
        if failure is not None:
            _log.error("a stream could not be continued", exc_info=failure)
        if self._closed:  # the caller has hung up in between
            if opened is not None:
                opened.served.result.close()
            return
        self._waiting = False
        if opened is not None:
            self._go_on(opened, begun, error)
            return
        self._returns(TIMED_OUT)
        self._end(error)

    def _go_on(self, opened: Opened, begun: Beginning, error: e.LiteLLMError) -> None:
        served = opened.served
        first, told = self._served.deployment, self._splicer
        if self._charge is not None:
            self._charge.broke_off(first, said(error), told.usage, told.events)
            self._charge.row.prompt_tokens = self._prompt + len(begun.text) // BYTES_PER_TOKEN
            self._charge.goes_on(served.deployment)
        spent = told.usage or {"prompt_tokens": self._prompt, "completion_tokens": told.events}
        first.used(added(spent, {}))
        self._served.deployment, self._inner, self.seconds = served.deployment, served.result, served.result.seconds
        self._splicer = Splicer(self._asked, True, served.result.decode)
        self._seam = Seam(begun, spent, opened.echo)
        self._kept.clear()
        self._shut = False
        self._resumed_at = asyncio.get_running_loop().time()
        if self._outer is not None:
            self._outer.data(b": continued by %b\n\n" % b" ".join(served.deployment.id.encode().split()))
        self._inner.relay(self)
        if self._paused:
            self._inner.pause()

    def _returns(self, failure: str) -> None:
        """The call's own row is the first's again. Who was still being asked has read what there is, and is billed."""
        if self._charge is not None:
            self._charge.returns_to(self._served.deployment, failure)
