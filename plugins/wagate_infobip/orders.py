"""Orders to be paid in the chat: Meta's ``review_and_pay`` → Infobip's order details. Pure.

Sources: Infobip's OpenAPI document 3.210.0, InteractiveOrderDetailsActionContent; Meta's Payments API.
"""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.parsing.fields import first_text, mapping, whole
from wagate_infobip.fields import camel, objects

_GATEWAYS = {"payu": "PG_PAYU", "razorpay": "PG_RAZORPAY"}
_LONGEST = 35
"""Characters of a payment's id."""


def order_details(action: dict[str, Any], _file: str) -> dict[str, Any]:
    """``action`` of an order: what is bought, and how it is paid.

    ``payment`` may be given as Infobip wants it. Amounts stay as they are: both count in hundredths.

    Raises:
        SendRefusedError: something is missing, or Infobip knows no such way to pay.
    """
    given = mapping(action.get("parameters")) or action
    order = mapping(given.get("order"))
    made: dict[str, Any] = {
        "payment": mapping(given.get("payment")) or _payment(given),
        "orderCurrency": first_text(given, "currency"),
        "orderType": first_text(given, "type").upper().replace("-", "_"),
        "totalAmount": _amount(given.get("total_amount"), "total_amount"),
        "order": {
            "items": [_item(item) for item in objects(order.get("items"))],
            "subtotal": _amount(order.get("subtotal"), "order.subtotal"),
            "tax": _described(order.get("tax"), "order.tax"),
        },
    }
    if catalog := first_text(order, "catalog_id"):
        made["order"]["catalogId"] = catalog
    if order.get("shipping"):
        made["order"]["shipping"] = _described(order["shipping"], "order.shipping")
    if discount := mapping(order.get("discount")):
        program = first_text(discount, "discount_program_name")
        found: dict[str, Any] = {"amount": _described(discount, "order.discount")}
        made["order"]["discount"] = found | ({"programName": program} if program else {})
    if expiration := mapping(order.get("expiration")):
        made["order"]["orderExpiration"] = _expiration(expiration)
    configuration = first_text(given, "payment_configuration") or _configuration(given)
    return made | ({"paymentConfiguration": configuration} if configuration else {})


def order_status(action: dict[str, Any], _file: str) -> dict[str, Any]:
    """``action`` that says what became of an order. SendRefusedError without its ``payment.type``."""
    given = mapping(action.get("parameters")) or action
    order, payment = mapping(given.get("order")), mapping(given.get("payment"))
    if not first_text(payment, "type"):
        raise SendRefusedError("an order's status needs action.parameters.payment: {type, id}, as in the order")
    about = first_text(order, "description")
    status = first_text(order, "status").upper().replace("-", "_")
    made = {"payment": {"id": first_text(given, "reference_id")} | payment, "status": status}
    return made | ({"description": about} if about else {})


def _payment(given: dict[str, Any]) -> dict[str, Any]:
    found = first_text(given, "reference_id")
    if not found or len(found) > _LONGEST:
        raise SendRefusedError(f"an order needs action.parameters.reference_id, of at most {_LONGEST} characters")
    ways = [_way(each, found) for each in objects(given.get("payment_settings"))]
    if len(ways) == 1:
        return ways[0]
    if ways and all(way["type"].startswith("BRAZIL_") for way in ways):
        return {"type": "BRAZIL_PAYMENTS", "payments": ways}
    if not ways and first_text(given, "currency") == "BRL":
        return {"type": "BRAZIL", "id": found}
    raise SendRefusedError(
        "an order needs one entry of action.parameters.payment_settings, or payment as Infobip has it"
    )


def _way(setting: dict[str, Any], found: str) -> dict[str, Any]:
    kind = first_text(setting, "type")
    part = mapping(setting.get(kind))
    match kind:
        case "pix_dynamic_code":
            key_type = first_text(part, "key_type").upper()
            pix = {"code": first_text(part, "code"), "merchantName": first_text(part, "merchant_name")}
            return {"type": "BRAZIL_PIX_DC", "id": found, **pix, "keyType": key_type, "key": first_text(part, "key")}
        case "payment_link":
            return {"type": "BRAZIL_LINK", "id": found, "paymentLink": first_text(part, "uri")}
        case "boleto":
            return {"type": "BRAZIL_BOLETO", "id": found, "code": first_text(part, "digitable_line")}
        case "payment_gateway" if (gateway := first_text(part, "type").lower()) in _GATEWAYS:
            return {"type": _GATEWAYS[gateway], "id": found}
    raise SendRefusedError(f"Infobip has no payment of type {kind[:40]!r}; give action.parameters.payment as it has it")


def _configuration(given: dict[str, Any]) -> str:
    """India's gateways are set up under a name."""
    parts = (mapping(each.get("payment_gateway")) for each in objects(given.get("payment_settings")))
    return next((name for part in parts if (name := first_text(part, "configuration_name"))), "")


def _item(item: dict[str, Any]) -> dict[str, Any]:
    made = {
        "retailerId": first_text(item, "retailer_id"),
        "name": first_text(item, "name"),
        "amount": _amount(item.get("amount"), "order.items[].amount"),
        "quantity": whole(item.get("quantity")) or 1,
    }
    if item.get("sale_amount"):
        made["saleAmount"] = _amount(item["sale_amount"], "order.items[].sale_amount")
    imported = {"country_of_origin": "originCountry", "importer_name": "importerName"}
    made |= {theirs: text for ours, theirs in imported.items() if (text := first_text(item, ours))}
    address = camel(mapping(item.get("importer_address")))
    return made | ({"importerAddress": address} if address else {})


def _amount(given: object, place: str) -> dict[str, Any]:
    value = whole(mapping(given).get("value"))
    if value is None:
        raise SendRefusedError(f"{place}.value must be a whole number, in hundredths")
    return {"value": value}


def _described(given: object, place: str) -> dict[str, Any]:
    about = first_text(mapping(given), "description")
    return _amount(given, place) | ({"description": about} if about else {})


def _expiration(given: dict[str, Any]) -> dict[str, Any]:
    seconds = whole(given.get("seconds"))
    if seconds is None:
        raise SendRefusedError("Infobip counts from when the order is sent: set order.expiration.seconds, at least 360")
    return {"expirationSeconds": seconds, "description": first_text(given, "description")}
