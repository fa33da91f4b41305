"""A batch job: every line of a file is translated; what fails for a moment is tried again; the bill comes at the end.

    python batch_with_costs.py sentences.txt

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model.
"""

import os
import sys
from pathlib import Path

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")


def prompt(line: str) -> list:
    return [
        {"role": "system", "content": "Translate into French. Answer with the translation alone."},
        {"role": "user", "content": line},
    ]


def main(path: str) -> int:
    lines = [line for line in Path(path).read_text().splitlines() if line.strip()]
    # An exception stands in the place of an answer that did not come in spite of all retries.
    results = litellm.batch_completion(
        model=MODEL, messages=[prompt(line) for line in lines], max_workers=8, num_retries=3, timeout=60
    )
    cost, tokens, failed = 0.0, 0, 0
    for line, result in zip(lines, results, strict=True):
        if isinstance(result, Exception):
            failed += 1
            print(f"{line}\n  failed: {type(result).__name__}: {result}")
            continue
        cost += litellm.completion_cost(result)
        tokens += result.usage.total_tokens
        print(f"{line}\n  {result.choices[0].message.content.strip()}")
    print(f"\n{len(lines)} lines, {failed} failed, {tokens} tokens, ${cost:.6f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
