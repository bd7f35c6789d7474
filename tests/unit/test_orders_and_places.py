"""The words for orders and places, whatever engine they come from."""

from __future__ import annotations

from typing import Any

import pytest

from wagate.parsing.fields import degrees
from wagate.parsing.raw_content import order_content


def order(**given: Any) -> str:
    fields: dict[str, Any] = {"title": "", "note": "", "count": None, "total": "", "currency": "", "items": []}
    return order_content("O", **fields | given).text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"count": 3}, "3 items"),
        ({"count": 1, "total": "5.00", "currency": "BRL", "note": "Quick"}, "1 item\n5.00 BRL\nQuick"),
        ({"count": 3, "title": "Shop"}, "3 × Shop"),
        ({"items": [{"quantity": 2}, {"name": "Shoes"}]}, "2 × an item\n1 × Shoes"),
        ({"items": [{"product_retailer_id": "sku", "quantity": "4"}], "count": 4}, "4 × sku"),
        ({}, ""),
    ],
)
def test_an_order_without_titles_counts_its_items(given: dict[str, Any], text: str) -> None:
    assert order(**given) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((1.5, 1.5), (-23, -23), ("1.5", 1.5), (" -2", -2.0), ("x", None), ("nan", None), (True, None), (181, None)),
        *((None, None), ([], None), ("1" * 50, None), (float("inf"), None)),
    ],
)
def test_degrees_may_be_written_as_text(value: object, expected: float | None) -> None:
    assert degrees(value) == expected
