"""A provider of your own: anything that answers in Python is called like every other model.

This one repeats what it hears backwards, and asks a real model where it is told to (`mirror/polite`).
Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model.
"""

import os

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")


class Mirror(litellm.CustomLLM):
    def completion(self, model, messages, model_response, **kwargs):
        heard = messages[-1]["content"]
        model_response.choices[0].message.content = polite(heard) if model == "polite" else heard[::-1]
        return model_response

    def streaming(self, model, messages, **kwargs):
        words = messages[-1]["content"][::-1].split()
        for word in words:
            yield {"text": f"{word} ", "is_finished": False, "finish_reason": "", "usage": None, "index": 0}
        yield {"text": "", "is_finished": True, "finish_reason": "stop", "usage": None, "index": 0}


def polite(text: str) -> str:
    question = [{"role": "user", "content": f"Say this politely: {text}"}]
    return litellm.completion(model=MODEL, messages=question).choices[0].message.content


litellm.custom_provider_map = [{"provider": "mirror", "custom_handler": Mirror()}]


if __name__ == "__main__":
    messages = [{"role": "user", "content": "step on no pets today"}]
    for model in ("mirror/plain", "mirror/polite"):
        print(litellm.completion(model=model, messages=messages).choices[0].message.content)
    for chunk in litellm.completion(model="mirror/plain", messages=messages, stream=True):
        print(chunk.choices[0].delta.content or "", end="")
    print()
