"""What people do in Chatwoot's screen: each method is one act, and tells of it by webhook."""

from __future__ import annotations

from typing import Any

from wagate.testing.chatwoot import contacts, conversations, messages
from wagate.testing.chatwoot.messages import Upload
from wagate.testing.chatwoot.state import Contact, Conversation, Message, State, User

CSAT = "Please rate this conversation https://chatwoot.example/survey/responses/fake"


class Agent:
    """One agent at the screen."""

    def __init__(self, state: State, user: User) -> None:
        self._state = state
        self.user = user

    def writes(self, conversation: Conversation, content: str | None, *files: Upload, **fields: Any) -> Message:
        """A message with any number of files."""
        return messages.write(self._state, conversation, "outgoing", content, sender=self.user, files=files, **fields)

    def replies(self, to: Message, content: str) -> Message:
        """An answer to one message."""
        return self.writes(to.conversation, content, content_attributes={"in_reply_to": to.id})

    def notes(self, conversation: Conversation, content: str) -> Message:
        """A private note, which must never leave Chatwoot."""
        return self.writes(conversation, content, private=True)

    def deletes(self, message: Message) -> None:
        """The text is replaced, the files are gone."""
        messages.delete(self._state, message)

    def retries(self, message: Message, *, newer: bool = False) -> None:
        """Retry on a failed message: two updates; in newer versions one."""
        messages.retry(self._state, message, newer=newer)

    def resolves(self, conversation: Conversation, *, csat: bool = False) -> Message | None:
        """With a survey when the inbox asks for one: a message of type template, from nobody."""
        conversations.set_status(self._state, conversation, "resolved", self.user)
        if not csat:
            return None
        return messages.write(self._state, conversation, "template", CSAT, sender=None, content_type="input_csat")

    def reopens(self, conversation: Conversation) -> None:
        """Open again."""
        conversations.set_status(self._state, conversation, "open", self.user)

    def takes(self, conversation: Conversation) -> None:
        """Assigned to this agent."""
        conversations.assign(self._state, conversation, self.user)

    def types(self, conversation: Conversation, on: bool = True, *, private: bool = False) -> None:
        """Begins or ends typing."""
        conversations.typing(self._state, conversation, self.user, on, private)

    def merges(self, base: Contact, mergee: Contact) -> None:
        """Two contacts become one."""
        contacts.merge(self._state, base, mergee)

    def deletes_conversation(self, conversation: Conversation) -> None:
        """With all in it."""
        conversations.delete(self._state, conversation)

    def deletes_contact(self, contact: Contact) -> None:
        """With their conversations."""
        contacts.delete(self._state, contact)
