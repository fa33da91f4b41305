"""A chat in the terminal: each answer is printed as it comes, and Ctrl-C stops one without losing what was said.

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model.
"""

import os
import sys

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")


def say(messages: list) -> str:
    """Print the answer while it comes; return it, or as much of it as there was time for."""
    said = []
    with litellm.completion(model=MODEL, messages=messages, stream=True) as stream:
        try:
            for chunk in stream:
                text = chunk.choices[0].delta.content or ""
                said.append(text)
                print(text, end="", flush=True)
        except KeyboardInterrupt:
            print(" [stopped]", end="")
    print()
    return "".join(said)


def main() -> None:
    messages = []
    print("You: ", end="", flush=True)
    for line in sys.stdin:
        messages.append({"role": "user", "content": line.strip()})
        messages.append({"role": "assistant", "content": say(messages)})
        print("You: ", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
