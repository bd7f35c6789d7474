"""Every route that changes something is an act that the audit names, or says here why it is none."""

from __future__ import annotations

from tests.acts import NO_ACTS, changing_routes


def test_every_route_that_changes_something_has_a_word_for_the_audit() -> None:
    unnamed = {route for route, act in changing_routes().items() if not act}
    assert unnamed == NO_ACTS.keys(), "give it act=…, or say why it is none"


def test_no_two_places_say_it_in_different_words() -> None:
    words = {act for act in changing_routes().values() if act}
    assert all(word == word.lower() and len(word) < 30 for word in words)
