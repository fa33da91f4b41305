"""What a call may cost, before it; what it did cost, after it: reserve, then settle.

`admit` counts a call against everybody it concerns and writes down what it may cost; the Charge that it gives is ended
exactly once, whatever becomes of the call, and before its last byte goes to the caller.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from litellm.catalog import cost
from litellm.proxy import prices
from litellm.proxy.charge import Charge, Settling, bounded, count
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.book import KeyBook
from litellm.proxy.keys.identity import Identity
from litellm.proxy.limits.base import Crowded, Limiter, Refused, Scope, Ticket, Unloaded
from litellm.proxy.spend.journal import JournalFull
from litellm.proxy.spend.keeper import Keeper
from litellm.proxy.spend.mover import Mover
from litellm.router.deployments import Deployment
from litellm.router.spending import Spending
from litellm.store.base import Ledger, StoreDown
from litellm.types.accounts import Millis, Nano, SpendRow, Wanted, storable
from litellm.types.calls import Ask, as_list

BYTES_PER_TOKEN: Final = 4
BYTES_PER_MESSAGE: Final = 32
"""What the roles and borders of a message may add to its tokens, at most (strict budgets)."""
USUAL_ANSWER: Final = 256
"""Tokens that a model is taken to answer with until it has; then its recent mean."""
DAY: Final = 86_400_000  # milliseconds
_RECENT: Final = 0.1  # how much the last answer counts in it


class Meter:
    """`clock` gives milliseconds since 1970. `strict`: budgets are never overshot."""

    def __init__(
        self,
        limiter: Limiter,
        keeper: Keeper,
        mover: Mover,
        ledger: Ledger,
        keys: KeyBook,
        clock: Callable[[], Millis],
        strict: bool = False,
    ) -> None:
        self.limiter = limiter
        self._keeper = keeper
        self._mover = mover
        self._ledger = ledger
        self._keys = keys
        self.clock = clock
        self._strict = strict
        self.spending: Spending | None = None
        """The budgets of providers and deployments, if there are any."""
        self._answers: dict[str, float] = {}  # model group -> recent mean of completion tokens

    async def admit(
        self,
        identity: Identity,
        ask: Ask,
        group: Sequence[Deployment],
        wanted: Wanted,
        size: int,
        reach: Sequence[Deployment] | None = None,
        continues: bool = False,
        embedders: Sequence[Deployment] = (),
    ) -> Charge:
        """`size` is the body's, in bytes; `reach` is the group and whatever may answer in its place, or go on with an
        answer that breaks off if the call `continues` then. `embedders`: one embeds its question for the cache.

        Raises ProxyError 429 (a limit), 400 (no bound for strict budgets), 503.
        """
        name = group[0].model_name
        own, named = self._scopes(identity, name, ask.model, wanted)
        scopes = [*own, *named] if named else own
        counted = [*own, *(scope for scope in named if scope.limits)] if named else own
        prompt, answer = size // BYTES_PER_TOKEN, self._answer(ask, name)
        if self._strict:
            worst: Nano | None = _strict_estimate(ask, reach or group, size, continues) * _at_once(reach or group)
            worst += _reading(ask, embedders, size) * _at_once(embedders)
        else:
            worst = _estimate(group, prompt, answer)
        nano = bounded(worst)
        now = self.clock()
        row = SpendRow(
            call_id=ask.call_id,
            day=_day(now // DAY),
            admitted_at=now,
            call_type=ask.op,
            status="unknown",
            model=storable(ask.model),
            model_group=name,
            key=identity.key,
            key_alias=identity.key_alias,
            user_id=identity.user_id,
            team_id=identity.team_id,
            organization_id=identity.organization_id,
            end_user=wanted.end_user,
            tags=wanted.tags,
            session_id=wanted.session_id,
            prompt_tokens=prompt,
            completion_tokens=answer,
            spend=nano,
            usage_source="estimated",
            stream=ask.stream,
            charged=tuple([(scope.id, scope.period) for scope in scopes]),
        )
        expect(row, group)
        ticket = await self._reserve(ask.call_id, counted, prompt + answer, nano or 0)
        try:
            self._keeper.intent(row)
        except JournalFull as error:
            self.limiter.settle(ticket, 0, 0)
            raise ProxyError(503, f"No call is admitted: {error}", "no_db_connection") from None
        charge = Charge(self, ticket, row, group[0])
        ask.account = charge
        return charge

    def settle(self, charge: Charge) -> Settling:
        """On file first: whoever dies in between has counted too much, not too little."""
        row, ticket, further, spending = charge.row, charge.ticket, charge.further, self.spending
        tokens, nano = row.prompt_tokens + row.completion_tokens, row.spend or 0
        for attempt in further:  # before the call's own line: what comes last is what its end waits for
            if self._strict and attempt.spend:  # an estimate may not overshoot what was reserved
                attempt.spend = max(0, min(attempt.spend, ticket.nano - nano))
            if spending is not None:
                count(attempt, spending)
            self._keeper.final(attempt)
            tokens, nano = tokens + attempt.prompt_tokens + attempt.completion_tokens, nano + (attempt.spend or 0)
        if spending is not None:
            count(row, spending)
        settling = self._keeper.final(row)
        if row.cache_hit:  # its tokens are no provider's
            tokens = 0
        self.limiter.settle(ticket, tokens, nano)
        if row.status == "success":
            before = self._answers.get(row.model_group, float(row.completion_tokens))
            self._answers[row.model_group] = before + _RECENT * (row.completion_tokens - before)
        return settling

    def _scopes(self, identity: Identity, group: str, model: str, wanted: Wanted) -> tuple[list[Scope], list[Scope]]:
        """Those of the key, and those that the call names: of the latter there may be any number."""
        named: list[Scope] = []
        if wanted.end_user:
            scope, row = self._keys.end_user(wanted.end_user)
            if row is not None and row.blocked:
                raise ProxyError(400, f"User {wanted.end_user} is blocked", param="user")
            named.append(scope)
        named += [self._keys.tag(tag, model) for tag in dict.fromkeys(wanted.tags)]
        return [*identity.scopes, *identity.by_model.get(group, ())], named

    async def _reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano) -> Ticket:
        try:
            try:
                ticket = self.limiter.reserve(call_id, scopes, tokens, nano, self._strict)
                return ticket if isinstance(ticket, Ticket) else await ticket
            except Unloaded as unloaded:
                known = await self._load(unloaded.scopes)
            counted = [scope for scope in scopes if known(scope)]
            ticket = self.limiter.reserve(call_id, counted, tokens, nano, self._strict)
            return ticket if isinstance(ticket, Ticket) else await ticket
        except Unloaded:  # Redis has been restarted, or has gone, in between
            raise ProxyError(503, "No call is admitted: limits are loaded", headers={"retry-after": "1"}) from None
        except Refused as refused:
            raise _refusal(refused) from None
        except Crowded as crowded:
            raise ProxyError(503, f"No call is admitted: {crowded}", headers={"retry-after": "1"}) from None

    async def _load(self, scopes: Sequence[Scope]) -> Callable[[Scope], bool]:
        """What these have spent, the journal's part included; which scopes can be counted against then.

        With the store down, a scope without a budget is not counted for the while (its spend is in the journal all the
        same), and one with a budget gets 503: how much is left, nobody knows.
        """
        charges = [(scope.id, scope.period) for scope in scopes]
        try:
            await self._mover.move()
            totals = await self._ledger.totals(charges)
        except StoreDown:
            if any(scope.budget is not None for scope in scopes):
                raise ProxyError(503, "The database cannot be reached", "no_db_connection") from None
            absent = {scope.id for scope in scopes}
            return lambda scope: scope.id not in absent
        loading = self.limiter.load({charge: totals[charge].spend if charge in totals else 0 for charge in charges})
        if loading is not None:
            await loading
        return lambda scope: True

    def _answer(self, ask: Ask, group: str) -> int:
        """How many tokens the answer is taken to have."""
        return usual_answer(ask, int(self._answers.get(group, USUAL_ANSWER)))


def usual_answer(ask: Ask, usual: int = USUAL_ANSWER) -> int:
    """How many tokens the answer is taken to have, if it is not longer than the model's answers usually are."""
    if ask.op == "embedding":
        return 0
    most = _most(ask)
    return usual if most is None else min(usual, most)


def expect(row: SpendRow, group: Sequence[Deployment]) -> None:
    """Where the call will go, as far as its group's deployments agree: for a row of a call that nobody answered."""
    first = group[0]
    target = first.target
    if len(group) == 1:
        row.model_id, row.provider, row.provider_model = first.id, target.provider, target.model
        row.api_base = first.address
        return
    if all(one.target.provider == target.provider for one in group):
        row.provider = target.provider
        if all(one.target.model == target.model for one in group):
            row.provider_model = target.model


@lru_cache(maxsize=4)
def _day(number: int) -> str:
    """UTC's, by how many days have passed since 1970."""
    return datetime.fromtimestamp(number * (DAY // 1000), UTC).strftime("%Y-%m-%d")


def _refusal(refused: Refused) -> ProxyError:
    kind, _, name = refused.scope.id.partition(":")
    if refused.kind == "budget":
        spent, most = cost.dollars(refused.current), cost.dollars(refused.limit)
        text = f"Budget has been exceeded! {kind.capitalize()}={name} Current cost: {spent}, Max budget: {most}"
        return ProxyError(429, text, "budget_exceeded")
    left = max(0, refused.limit - refused.current)
    wait = max(1, round(refused.reset))
    text = (
        f"Rate limit exceeded for {kind}: {name}. Limit type: {refused.kind}. Current limit: {refused.limit}, "
        f"Remaining: {left}. Limit resets in {wait} s"
    )
    headers = {"retry-after": str(wait), "rate_limit_type": refused.kind}
    return ProxyError(429, text, "throttling_error", headers=headers)


def _most(ask: Ask) -> int | None:
    """The most tokens that the caller lets the answer have."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = ask.params.get(name)
        if type(value) is int and value > 0:
            return value
    return None


def _choices(ask: Ask) -> int:
    value = ask.params.get("n")
    return value if type(value) is int and value > 0 else 1


def _estimate(group: Sequence[Deployment], prompt: int, answer: int) -> Nano | None:
    """The dearest of the group's; None if nobody knows a price."""
    if len(group) == 1:
        return prices.estimate(group[0], prompt, answer)
    known = [made for deployment in group if (made := prices.estimate(deployment, prompt, answer)) is not None]
    return max(known, default=None)


def _strict_estimate(ask: Ask, group: Sequence[Deployment], size: int, continues: bool) -> Nano:
    """The most that the call can cost: every byte of the body a token, at the dearest rates there are.

    If another deployment goes on with it that costs as much again, and the first's answer is read as well.
    """
    prompt = _longest(ask, size)
    worst = longest = reading = 0
    for deployment in group:
        if deployment.rates is None:
            continue
        most = 0 if ask.op == "embedding" else _most(ask) or deployment.info.get("max_output_tokens")
        if most is None:
            raise ProxyError(
                400,
                "With strict budgets a call's cost needs a bound: say max_tokens",
                param="max_tokens",
            )
        asked, said = _dearest(deployment.rates)
        worst = max(worst, -(-(prompt * asked + most * _choices(ask) * said) // 1000))
        longest, reading = max(longest, most), max(reading, asked)
    return worst * 2 - (-longest * reading // 1000) if continues else worst


def _reading(ask: Ask, group: Sequence[Deployment], size: int) -> Nano:
    """The most that it can cost to have the body read by one of these."""
    rates = [_dearest(deployment.rates)[0] for deployment in group if deployment.rates is not None]
    return -(-_longest(ask, size) * max(rates, default=0) // 1000)


def _longest(ask: Ask, size: int) -> int:
    """No prompt of so many bytes has more tokens."""
    return size + BYTES_PER_MESSAGE * len(as_list(ask.params.get("messages")) or ())


def _dearest(rates: cost.Rates) -> tuple[int, int]:
    """The highest of the prompt's, and of the answer's."""
    values = rates.values
    asked, said = (max((rate for name, rate in values.items() if name.startswith(kind)), default=0)
                   for kind in ("input_cost_per_", "output_cost_per_"))  # fmt: skip
    return max(asked, *(values.get(name, 0) for name in _WRITTEN)), said


def _at_once(group: Sequence[Deployment]) -> int:
    """How many attempts of one call may run at once, and be billed each."""
    return 2 if any(one.state is not None and one.state.hedging is not None for one in group) else 1


_WRITTEN: Final = ("cache_creation_input_token_cost", "cache_creation_input_token_cost_above_1hr")
