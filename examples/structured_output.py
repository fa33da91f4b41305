"""Structured output: a pydantic model says what shall come back, and reads it.

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model.
"""

import os

from pydantic import BaseModel, Field

import litellm

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")

MAIL = "Hi, two of the blue kettles arrived broken and I would like my money back. Order 4411, thanks. Ida"


class Item(BaseModel):
    name: str
    quantity: int


class Complaint(BaseModel):
    """What a customer wants, and about which order."""

    order: int
    items: list[Item]
    wish: str = Field(description="refund, replacement or other")


def read(mail: str) -> Complaint:
    response = litellm.completion(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Extract the complaint from the customer's mail."},
            {"role": "user", "content": mail},
        ],
        response_format=Complaint,
    )
    return Complaint.model_validate_json(response.choices[0].message.content)


if __name__ == "__main__":
    complaint = read(MAIL)
    print(f"Order {complaint.order}: {complaint.wish}")
    for item in complaint.items:
        print(f"  {item.quantity} x {item.name}")
