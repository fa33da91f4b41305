"""A fallback chain: if one model cannot answer, the next one does; and a prompt too long goes to one that takes it.

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint. MODELS lists the chain, LONG_MODEL the one for long prompts.
"""

import os
import sys

import litellm

FIRST, *OTHERS = os.environ.get("MODELS", "openai/gpt-4o,openai/gpt-4o-mini").split(",")
LONG_MODEL = os.environ.get("LONG_MODEL", "openai/gpt-4.1-mini")

UNAVAILABLE = (litellm.RateLimitError, litellm.ServiceUnavailableError, litellm.APIConnectionError, litellm.Timeout)


def ask(question: str):
    return litellm.completion(
        model=FIRST,
        messages=[{"role": "user", "content": question}],
        fallbacks=OTHERS,
        context_window_fallback_dict={FIRST: LONG_MODEL},
        num_retries=1,
        timeout=60,
    )


def main(question: str) -> int:
    try:
        response = ask(question)
    except UNAVAILABLE as error:
        print(f"nobody answered; the last one said {type(error).__name__} ({error.status_code})", file=sys.stderr)
        return 1
    print(f"{response.model}: {response.choices[0].message.content}")
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]) or "Why is the sky blue?"))
