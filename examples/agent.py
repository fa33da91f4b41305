"""An agent: the model asks for tools until it can answer.

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model.
"""

import json
import os
import sys

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")
MAX_STEPS = 5


def get_weather(city: str) -> str:
    return {"Paris": "18 degrees, cloudy", "Oslo": "9 degrees, rain"}.get(city, "unknown")


TOOLS = {"get_weather": get_weather}
DESCRIPTIONS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city, now.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def run(call) -> dict:
    """Do what the model asks for, and tell it the result."""
    arguments = json.loads(call.function.arguments)
    print(f"-> {call.function.name}({arguments})")
    result = TOOLS[call.function.name](**arguments)
    return {"role": "tool", "tool_call_id": call.id, "content": result}


def answer(question: str) -> str:
    messages = [{"role": "user", "content": question}]
    for _ in range(MAX_STEPS):
        message = litellm.completion(model=MODEL, messages=messages, tools=DESCRIPTIONS).choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message)
        messages += [run(call) for call in message.tool_calls]
    return f"no answer after {MAX_STEPS} steps"


if __name__ == "__main__":
    print(answer(" ".join(sys.argv[1:]) or "Do I need an umbrella in Paris?"))
