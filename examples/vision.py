"""A question about a picture: a file of yours, or an address.

    python vision.py photo.png "What is on the sign?"

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model (one that sees).
"""

import base64
import mimetypes
import os
import sys
from pathlib import Path

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")


def address_of(picture: str) -> str:
    """A web address is passed on; a file travels inside the request."""
    if picture.startswith(("http://", "https://")):
        return picture
    kind = mimetypes.guess_type(picture)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(Path(picture).read_bytes()).decode()}"


def ask(picture: str, question: str) -> str:
    content = [
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": address_of(picture), "detail": "low"}},
    ]
    response = litellm.completion(model=MODEL, messages=[{"role": "user", "content": content}], max_tokens=200)
    return response.choices[0].message.content


if __name__ == "__main__":
    if not litellm.supports_vision(MODEL):
        print(f"note: {MODEL} is not known to see", file=sys.stderr)
    print(ask(sys.argv[1], " ".join(sys.argv[2:]) or "What is this?"))
