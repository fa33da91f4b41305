"""What the documentation shows, word for word but for the address; and the SDK against a real llama.cpp server."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import litellm
from support.gateway import clean_environment
from support.llama import Llama
from support.upstream import UpstreamThread

SNIPPETS = """\
import litellm
response = litellm.completion(
    model="openai/mistral", api_key="sk-1234", api_base="http://0.0.0.0:4000",
    messages=[{"role": "user", "content": "Hey, how's it going?"}])
print(response)
print(response.choices[0].message.content, response["usage"]["total_tokens"])
response = litellm.embedding(
    model="openai/GPT-J", api_key="sk-1234", api_base="http://0.0.0.0:4000", input=["good morning from litellm"])
print(response.data[0]["embedding"])
"""
MESSAGES = [{"role": "user", "content": "he said"}]


def test_the_documented_snippets(upstream: UpstreamThread, tmp_path: Path) -> None:
    """In an interpreter of their own, with every warning an error."""
    script = tmp_path / "snippets.py"
    script.write_text(SNIPPETS.replace("http://0.0.0.0:4000", upstream.origin))
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, env=clean_environment({}), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ModelResponse(id='chatcmpl-Abc123'")
    assert lines[1:] == [" tok0 tok1 tok2 tok3 tok4 18", "[0.5, -0.25, 0.125, 0.0]"]
    chat, embedding = upstream.requests
    assert (chat.path, embedding.path) == ("/chat/completions", "/embeddings")
    assert chat.json == {"model": "mistral", "messages": [{"role": "user", "content": "Hey, how's it going?"}]}
    assert embedding.json == {
        "model": "GPT-J", "input": ["good morning from litellm"], "encoding_format": "float",
    }  # fmt: skip
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer sk-1234"}


# llama.cpp: text that is noise, and not always clean UTF-8 at the borders.


@pytest.mark.slow
def test_llama_answers(llama: Llama) -> None:
    given = {"api_base": llama.base_url, "api_key": "none", "max_tokens": 8, "seed": 1, "temperature": 0}
    made = litellm.completion(f"openai/{llama.model}", MESSAGES, **given)
    assert made.choices[0].message.role == "assistant"
    assert made.usage.completion_tokens == 8
    assert made.choices[0].finish_reason == "length"
    again = asyncio.run(litellm.acompletion(f"openai/{llama.model}", MESSAGES, **given))
    assert again.choices[0].message.content == made.choices[0].message.content


@pytest.mark.slow
def test_llama_streams(llama: Llama) -> None:
    given = {"api_base": llama.base_url, "api_key": "none", "max_tokens": 16, "seed": 1, "temperature": 0}
    whole = litellm.completion(f"openai/{llama.model}", MESSAGES, **given)
    stream = litellm.completion(
        f"openai/{llama.model}", MESSAGES, stream=True, stream_options={"include_usage": True}, **given
    )
    chunks = list(stream)
    assert len(chunks) > 3
    assert chunks[-1].usage.completion_tokens == 16
    built = litellm.stream_chunk_builder(chunks)
    assert built.choices[0].message.content == whole.choices[0].message.content
    assert built.choices[0].finish_reason == "length"

    async def main() -> str:
        read = await litellm.acompletion(f"openai/{llama.model}", MESSAGES, stream=True, **given)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in read])

    assert asyncio.run(main()) == whole.choices[0].message.content


@pytest.mark.slow
def test_llama_completes_and_embeds(llama: Llama) -> None:
    given = {"api_base": llama.base_url, "api_key": "none", "seed": 1, "temperature": 0}  # a draw may end the text
    made = litellm.text_completion(prompt="he", model=f"openai/{llama.model}", max_tokens=4, **given)
    assert made.usage.completion_tokens == 4
    embedded = litellm.embedding(
        model=f"openai/{llama.model}", input=["he", "she"], api_base=llama.embedding_url, api_key="none"
    )
    assert len(embedded.data) == 2
    assert len(embedded.data[0]["embedding"]) == 64


@pytest.mark.slow
def test_llama_says_that_a_prompt_is_too_long(llama: Llama) -> None:
    with pytest.raises(litellm.ContextWindowExceededError) as caught:
        litellm.completion(
            f"openai/{llama.model}",
            [{"role": "user", "content": "x" * 20_000}],
            api_base=llama.base_url,
            api_key="none",
        )
    assert caught.value.status_code == 400


@pytest.mark.slow
def test_llama_refuses_what_is_wrong(llama: Llama) -> None:
    with pytest.raises((litellm.BadRequestError, litellm.InternalServerError)) as caught:
        litellm.completion(
            f"openai/{llama.model}", [{"role": "user"}], api_base=llama.base_url, api_key="none", num_retries=0
        )
    assert "OpenAIException - " in str(caught.value)
