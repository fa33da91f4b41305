"""Answers by what was meant: the semantic cache's way to an answer that nobody has asked for in these words.

Who embeds a question is the caller's matter. If that fails or takes long, the call goes on without.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from litellm.caching import semantic
from litellm.caching.answers import Answers
from litellm.caching.base import Unreachable
from litellm.caching.controls import Controls
from litellm.caching.semantic import SemanticStore, Vector
from litellm.exceptions import LiteLLMError
from litellm.types.calls import Json

EMBED_SECONDS: Final = 2.0
REST_SECONDS: Final = 10.0
"""How long nothing is embedded after an embedding took too long: not every call shall wait for it."""

Embed = Callable[[str], Awaitable[Json | None]]
"""A text -> an embedding model's answer; None if the text may not be embedded. Raises LiteLLMError."""


class Question(NamedTuple):
    """What a call asks: the bucket of all that differ from it in nothing but the question, and the embedding."""

    bucket: str
    vector: Vector


class Like(NamedTuple):
    """The answer to a question that is near enough: its key, and the cosine."""

    key: str
    similarity: float
    answer: Json


@dataclass(slots=True)
class Likeness:
    """`vectors` is the store of the answers once more, by what else it can do. `least` is the cosine from which on two
    questions are the same."""

    answers: Answers
    vectors: SemanticStore
    model: str
    least: float
    rests_until: float = 0.0
    embeds: bool = True
    """Said to the log once when it changes."""

    async def look(
        self, said: Controls, params: Json, bucket_of: Callable[[Json], str | None], embed: Embed
    ) -> tuple[Question | None, Like | None]:
        """What a chat with these parameters asks, if anything (its answer is to be placed by that), and the answer to
        the nearest question. `bucket_of` makes a key of all that was asked but the question."""
        asked = None if said.no_cache and said.no_store else semantic.question(params)
        bucket = None if asked is None else bucket_of(asked[1])
        if asked is None or bucket is None:
            return None, None
        vector = await self._embedded(asked[0], embed)
        if vector is None:
            return None, None
        question = Question(bucket, vector)
        # Of a call that wants no kept answer the embedding is for the answer to come.
        return question, None if said.no_cache else await self._nearest(question, said.max_age)

    async def place(self, question: Question, key: str, seconds: float) -> None:
        """The answer at `key`, which has just been kept, answers this."""
        try:
            await self.vectors.place(question.bucket, key, question.vector, seconds)
        except Unreachable as error:
            self.answers.unreachable(error)

    async def _nearest(self, question: Question, max_age: float | None) -> Like | None:
        try:
            near = await self.vectors.near(question.bucket, question.vector, self.least)
        except Unreachable as error:
            self.answers.unreachable(error)
            return None
        for key, similarity in near:
            answer = await self.answers.find(key, max_age)
            if answer is not None:
                return Like(key, similarity, answer)
        return None

    async def _embedded(self, text: str, embed: Embed) -> Vector | None:
        if monotonic() < self.rests_until:
            return None
        try:
            async with asyncio.timeout(EMBED_SECONDS):
                wire = await embed(text)
        except TimeoutError:
            self.rests_until = monotonic() + REST_SECONDS
            return self._failed(f"no answer within {EMBED_SECONDS:g} s")
        except LiteLLMError as error:  # its text may repeat the question
            return self._failed(type(error).__name__)
        if wire is None:
            return None
        made = semantic.vector(wire)
        if made is None:
            return self._failed("the answer has no embedding")
        self.embeds = True
        return made

    def _failed(self, why: str) -> None:
        if self.embeds:
            self.answers.log.warning("%s does not embed, the cache finds only the same words: %s", self.model, why)
        self.embeds = False
