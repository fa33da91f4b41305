"""A notebook, as editors read it from a file: `# %%` begins a cell.

In a notebook an event loop is running already. Plain calls work there all the same.
Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model.
"""

# %% Setup
import os

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")


def ask(question, **more):
    return litellm.completion(model=MODEL, messages=[{"role": "user", "content": question}], **more)


# %% A plain call, no `await`
answer = ask("Name a prime number between 20 and 30.")
print(answer.choices[0].message.content)

# %% Several at once
answers = litellm.batch_completion(
    model=MODEL, messages=[[{"role": "user", "content": f"What is {n} squared?"}] for n in range(3)]
)
print([answer.choices[0].message.content for answer in answers])

# %% A stream, read with a plain `for`
for chunk in ask("Count to five.", stream=True):
    print(chunk.choices[0].delta.content or "", end="")
print()

# %% What it took
print(sum(answer.usage.total_tokens for answer in answers), "tokens")
