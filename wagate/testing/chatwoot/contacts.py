"""What Chatwoot does with contacts: nobody twice, names in inboxes, merging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from wagate.testing.chatwoot.state import Account, Contact, ContactInbox, Inbox, Json, RefusedError, State

FIELDS = ("name", "email", "phone_number", "identifier", "avatar_url", "blocked")
MERGED = ("custom_attributes", "additional_attributes")
UNIQUE = {"phone_number": "Phone number", "identifier": "Identifier", "email": "Email"}
LONGEST = 255
LONGEST_VALUE = 1500
LARGEST_VALUE = 9_999_999_999
E164 = re.compile(r"\+[1-9]\d{1,14}\Z")


def create(state: State, account: Account, given: Mapping[str, Any]) -> Contact:
    """A new contact. 422 when phone number, identifier or e-mail is another's, or the number is no E.164."""
    _check(state, account, None, given)
    _race(state, account, given)
    contact = Contact(id=state.next_id("contacts", first=42), account=account, created_at=state.now())
    _apply(contact, given)
    state.contacts.append(contact)
    state.tell("contact_created", contact)
    return contact


def _race(state: State, account: Account, given: Mapping[str, Any]) -> None:
    """What others made since the check: the index of identifiers refuses a second one (500), phones have none."""
    others, state.racing = state.racing, []
    for other in others:
        create(state, account, other)
    if given.get("identifier") and given["identifier"] in [other.get("identifier") for other in others]:
        raise RefusedError(500, "<html><body>We're sorry, but something went wrong (500)</body></html>")


def update(state: State, contact: Contact, given: Mapping[str, Any]) -> None:
    """Change one; attributes are merged. Raises as `create`."""
    _check(state, contact.account, contact, given)
    before = {name: getattr(contact, name) for name in FIELDS}
    _apply(contact, given)
    changed: list[Json] = [
        {name: {"previous_value": was, "current_value": getattr(contact, name)}}
        for name, was in before.items()
        if was != getattr(contact, name)
    ]
    state.tell("contact_updated", contact, changed=changed)


def with_source(state: State, contact: Contact, inbox: Inbox, source_id: str | None) -> ContactInbox:
    """The contact's name in the inbox, made if need be; without a name always a new one, by chance.

    500 when it is another contact's: the database's unique index, which the server lets through.
    """
    taken = state.by_source(inbox, source_id) if source_id else None
    if taken is not None and taken.contact is not contact:
        raise RefusedError(500, "<html><body>We're sorry, but something went wrong (500)</body></html>")
    if taken is not None:
        return taken
    made = ContactInbox(
        id=state.next_id("contact_inboxes", first=90),
        contact=contact,
        inbox=inbox,
        source_id=source_id or str(uuid4()),
        created_at=state.now(),
    )
    state.contact_inboxes.append(made)
    return made


def upsert(state: State, inbox: Inbox, given: Mapping[str, Any]) -> ContactInbox:
    """The public API's way: by source_id, identifier, e-mail, phone; else made. Idempotent."""
    source_id = given.get("source_id")
    known = state.by_source(inbox, source_id) if source_id else None
    if known is not None:
        return known
    contact = find(state, inbox.account, given) or create(state, inbox.account, given)
    return with_source(state, contact, inbox, source_id)


def find(state: State, account: Account, given: Mapping[str, Any]) -> Contact | None:
    """Who has this identifier, e-mail or phone number, in this order."""
    for name in ("identifier", "email", "phone_number"):
        for contact in state.contacts:
            if contact.account is account and given.get(name) and getattr(contact, name) == given[name]:
                return contact
    return None


def search(state: State, account: Account, text: str) -> list[Contact]:
    """By a part of name, e-mail, phone or identifier."""
    wanted = text.lower()
    return [
        each
        for each in state.contacts
        if each.account is account
        and any(
            wanted in (value or "").lower() for value in (each.name, each.email, each.phone_number, each.identifier)
        )
    ]


def merge(state: State, base: Contact, mergee: Contact) -> None:
    """Everything of ``mergee`` becomes ``base``'s, and ``mergee`` is gone."""
    state.contacts.remove(mergee)
    for each in state.contact_inboxes:
        if each.contact is mergee:
            each.contact = base
    for message in state.messages:
        if message.sender is mergee:
            message.sender = base
    for name in (*FIELDS[1:4], "name"):
        if not getattr(base, name):
            setattr(base, name, getattr(mergee, name))
    for name in MERGED:
        setattr(base, name, getattr(mergee, name) | getattr(base, name))
    state.tell("contact_updated", base, changed=[])


def delete(state: State, contact: Contact) -> None:
    """With its conversations and their messages."""
    state.contacts.remove(contact)
    state.messages[:] = [each for each in state.messages if each.conversation.contact is not contact]
    state.conversations[:] = [each for each in state.conversations if each.contact is not contact]
    state.contact_inboxes[:] = [each for each in state.contact_inboxes if each.contact is not contact]


def matches(contact: Contact, rows: list[Json]) -> bool:
    """Chatwoot's filter: rows joined by each row's ``query_operator``, from left to right."""
    found, operator = True, "AND"
    for row in rows:
        value = getattr(contact, row["attribute_key"], None) or contact.custom_attributes.get(row["attribute_key"])
        hit = str(value).lower() in {str(each).lower() for each in row["values"]} if value is not None else False
        hit = not hit if row["filter_operator"] == "not_equal_to" else hit
        found = (found or hit) if operator == "OR" else (found and hit)
        operator = str(row.get("query_operator") or "").upper()
    return found


def _check(state: State, account: Account, contact: Contact | None, given: Mapping[str, Any]) -> None:
    for field in ("name", "phone_number", "identifier", "email"):
        check_length(field, given.get(field))
    for field in MERGED:
        check_attributes(given.get(field), field)
    phone = given.get("phone_number")
    if phone and not E164.match(phone):
        raise _invalid("Phone number should be in e164 format", "phone_number")
    for name, title in UNIQUE.items():
        for other in state.contacts:
            if (
                given.get(name)
                and other is not contact
                and other.account is account
                and getattr(other, name) == given[name]
            ):
                raise _invalid(f"{title} has already been taken", name)


def check_length(name: str, value: Any) -> None:
    """422 for more than a column of type string takes (app/models/application_record.rb)."""
    if isinstance(value, str) and len(value) > LONGEST:
        title = name.replace("_", " ").capitalize()
        raise _invalid(f"{title} is too long (maximum is {LONGEST} characters)", name)


def check_attributes(given: Any, name: str) -> None:
    """422 for values that are too long or too large (app/validators/jsonb_attributes_length_validator.rb)."""
    for key, value in (given or {}).items():
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            raise _invalid(f"{name} {key} length should be < {LONGEST_VALUE}", name)
        if isinstance(value, int) and not isinstance(value, bool) and value > LARGEST_VALUE:
            raise _invalid(f"{name} {key} value should be < {LARGEST_VALUE}", name)


def _invalid(message: str, attribute: str) -> RefusedError:
    return RefusedError(422, {"message": message, "attributes": [attribute]})


def _apply(contact: Contact, given: Mapping[str, Any]) -> None:
    for name in FIELDS:
        if name in given:
            setattr(contact, name, given[name])
    for name in MERGED:
        setattr(contact, name, getattr(contact, name) | (given.get(name) or {}))
