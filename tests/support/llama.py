"""A real OpenAI-compatible server: llama.cpp from the wheel `xllamacpp`, on a tiny model made here.

The model has random weights and a byte-level vocabulary: it answers within milliseconds, and its text is noise that
is not always clean UTF-8 at chunk borders, which is what a test of streams wants.

    python -m support.llama MODEL PORT [--embedding] [--api-key KEY]      runs the server until it is ended
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.ports import free_port

_WIDTH: Final = 64
_FEED_FORWARD: Final = 128
_LAYERS: Final = 2
_HEADS: Final = 4
_CONTEXT: Final = 8192
_SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_TEMPLATE: Final = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] if m['content'] else '' }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TESTS: Final = Path(__file__).parent.parent


@dataclass(frozen=True)
class Llama:
    """Where a running server is; `embedding_url` is a second one that serves embeddings."""

    base_url: str
    embedding_url: str
    model: str = "tiny"


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each of the 256 bytes, in the order of the bytes."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = (byte for byte in range(256) if byte not in printable)
    stand_in = {byte: 256 + i for i, byte in enumerate(others)}
    return [chr(stand_in.get(byte, byte)) for byte in range(256)]


def make_model(path: Path) -> None:
    """Write the tiny model (half a megabyte, the same bytes every time)."""
    import numpy as np
    from gguf import GGUFWriter, TokenType

    random = np.random.default_rng(0)
    tokens = [*byte_alphabet(), *_SPECIAL, "he"]
    kinds = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(_SPECIAL) + [TokenType.NORMAL]
    writer = GGUFWriter(str(path), "llama")
    writer.add_name("tiny-random")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["h e"])  # llama.cpp wants at least one
    writer.add_token_types(kinds)
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)

    def weights(*shape: int) -> Any:
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    writer.add_tensor("token_embd.weight", weights(len(tokens), _WIDTH))
    writer.add_tensor("output.weight", weights(len(tokens), _WIDTH) * 4)
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (_WIDTH, _WIDTH))
    shapes |= dict.fromkeys(("ffn_gate", "ffn_up"), (_FEED_FORWARD, _WIDTH))
    shapes["ffn_down"] = (_WIDTH, _FEED_FORWARD)
    for layer in range(_LAYERS):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights(*shape))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(_WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@contextlib.contextmanager
def run_llama(folder: Path) -> Iterator[Llama]:
    """Two servers as subprocesses, one for chat and completions, one for embeddings. The model stays in `folder`."""
    model = folder / "tiny.gguf"
    if not model.exists():
        make_model(model)
    with _server(model, folder) as chat, _server(model, folder, "--embedding") as embedding:
        yield Llama(chat, embedding)


@contextlib.contextmanager
def _server(model: Path, folder: Path, *options: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "support.llama", str(model), str(port), *options]
    log = folder / f"llama-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=TESTS, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        _wait_ready(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait(10)


def _wait_ready(process: subprocess.Popen[bytes], origin: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{origin}/health", timeout=2).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"llama.cpp did not start:\n{log.read_text(errors='replace')[-2000:]}")


def serve(model: str, port: int, *, embedding: bool, api_key: str | None) -> None:
    """Serve until a signal ends the process."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.model_alias = {"tiny"}
    params.n_ctx = _CONTEXT
    params.n_parallel = 2
    params.n_predict = 64
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 2
    params.warmup = False
    params.use_jinja = True
    if embedding:
        params.embedding = True
        params.pooling_type = 1
    if api_key:
        params.api_keys = [api_key]
    server = xllamacpp.Server(params)
    print("listening on", server.listening_address, flush=True)
    signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a GGUF file with llama.cpp.")
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--api-key")
    args = parser.parse_args()
    serve(args.model, args.port, embedding=args.embedding, api_key=args.api_key)


if __name__ == "__main__":
    main()
