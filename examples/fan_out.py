"""Many questions at once, but never more than a few under way.

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model, AT_ONCE for the limit.
"""

import asyncio
import os

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")
AT_ONCE = int(os.environ.get("AT_ONCE", "4"))

CITIES = ["Accra", "Bergen", "Cusco", "Dhaka", "Esfahan", "Fukuoka", "Galway", "Hobart", "Ibadan", "Jaipur"]


async def describe(city: str, free: asyncio.Semaphore) -> str:
    async with free:
        response = await litellm.acompletion(
            model=MODEL,
            messages=[{"role": "user", "content": f"Describe {city} in one sentence."}],
            timeout=60,
        )
    return response.choices[0].message.content.strip()


async def main() -> None:
    free = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(describe(city, free) for city in CITIES), return_exceptions=True)
    for city, answer in zip(CITIES, answers, strict=True):
        print(f"{city}: {answer}")


if __name__ == "__main__":
    asyncio.run(main())
