"""The way to a number's engine: which number an account is, and what its engine's refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import trio

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.hooks import ProviderAccount
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.number import Number, Numbers
from wagate_whatsapp.process import ASK_PATIENCE, EngineDiedError, NotDoneError
from wagate_whatsapp.reasons import UNCONFIRMED

BACK_SOON: Final = 15.0
"""Seconds until a message for a number without a connection is tried again."""
HERE_SOON: Final = 2.0
"""Seconds until a message is tried again that came to a gateway which does not hold the number."""
LEFT_TO_SEND: Final = 5.0
"""Seconds that the send itself has, whatever came before it."""
LEFT_TO_TELL: Final = 2.0
"""Seconds between the end of our patience and that of the core, which would know less of what happened."""
SHORTEST: Final = LEFT_TO_SEND - LEFT_TO_TELL - 0.5
"""Seconds that a send is asked for with at least; half of one is for what comes between."""
SILENCE: Final = 15.0
"""Seconds without an answer to a send that speak against the connection: it may wait ten of them for its turn. Edits
and revokes have 18."""
_NOT_THERE: Final = re.compile(r"no LID found|not on WhatsApp|no devices", re.IGNORECASE)
_NOT_CONNECTED: Final = re.compile(
    r"not connected|not logged in|websocket (is )?(not connected|disconnected)(?!.*returned)|no session", re.IGNORECASE
)
_REFUSED: Final = re.compile(r"server returned error (\d+)|status (4\d\d)")
_WHY: Final = re.compile(r"status 4\d\d: ([\w -]+)")
_SAID_NO: Final = re.compile(
    r"group does not exist|not participating in that group|permission to get the group|invite link (is not|has been)|"
    r"not a valid image"
)
"""whatsmeow's words for some of WhatsApp's refusals (errors.go)."""
_SENT_ONCE: Final = re.compile(r"websocket not connected|frame socket is closed", re.IGNORECASE)
"""Alone, without words before it: the connection broke off behind a message, and was gone again when whatsmeow was to
repeat it (request.go, retryFrame). A message that never left has more words (send.go)."""
_NOT_YET: Final = re.compile(r"no app state keys|without PushName")


class Reach:
    """Asks the engines of numbers."""

    def __init__(self, engine: Engine, numbers: Numbers) -> None:
        self._engine = engine
        self._numbers = numbers

    def linked(self, account: ProviderAccount) -> Number:
        """The account's number, when it may be asked. NotSentError, AccountStoppedError."""
        number = self._numbers.known(account.id)
        if number is None or not number.begun:
            raise NotSentError("another gateway has the number, or it is starting", after=HERE_SOON, slow="account")
        if not number.linked:
            raise AccountStoppedError("the number is not linked: scan its QR code (wagate pair)", code="NOT_LINKED")
        if number.halted:
            raise AccountStoppedError(number.told or "the session is stopped; start it", code="STOPPED")
        return number

    async def ask(self, do: str, number: Number, *, patience: float = ASK_PATIENCE, **fields: Any) -> Any:
        """Have something done in ``patience`` seconds, or fewer if the core gives no more.

        EngineDiedError, NotDoneError, TooSlowError; NotSentError: it was not asked.

        WhatsApp's server confirms a message at once, whenever the recipient gets it. If it does not within `SILENCE`,
        the connection is made anew. The engine is given the seconds of a send, or it would let the message wait for
        its turn beyond them, in doubt though it never left.
        """
        child, connection = self._engine.running, number.connections
        if child is None:
            raise NotSentError("the engine is being started", after=BACK_SOON, slow="account")
        left = trio.current_effective_deadline() - trio.current_time() - LEFT_TO_TELL
        if left <= (SHORTEST if do == "send" else 0):
            raise NotSentError("no time is left for it", after=BACK_SOON, slow="account")
        patience = min(patience, left)
        if do == "send":
            fields["seconds"] = patience
        try:
            return await child.ask(do, session=number.id, patience=patience, **fields)
        except trio.TooSlowError:
            heard = number.connected and number.connections == connection
            if do == "send" and patience >= SILENCE and heard:
                child.note(number.id, UNCONFIRMED)
            raise

    async def told(self, do: str, number: Number, **fields: Any) -> Any:
        """Ask for what can be asked for again: whatever goes wrong, nothing was sent. NotSentError."""
        try:
            return await self.ask(do, number, **fields)
        except (EngineDiedError, NotDoneError, trio.TooSlowError) as error:
            raise NotSentError(_words(error), after=BACK_SOON, slow="account") from error

    async def read(self, do: str, account: ProviderAccount, **fields: Any) -> Any:
        """Ask WhatsApp something. NotSentError; SendRefusedError: it said no."""
        try:
            return await self.ask(do, self.linked(account), **fields)
        except NotDoneError as error:
            if (no := refusal(str(error))) is not None:
                raise no from error
            raise NotSentError(_words(error), after=BACK_SOON, slow="account") from error
        except (EngineDiedError, trio.TooSlowError) as error:
            raise NotSentError(_words(error), after=BACK_SOON, slow="account") from error

    async def change(self, do: str, account: ProviderAccount, **fields: Any) -> Any:
        """Have WhatsApp change something. As `read`; OutcomeUnknownError: it may have been done."""
        number = self.linked(account)
        with sending():
            return await self.ask(do, number, **fields)


@contextmanager
def preparing() -> Iterator[None]:
    """Around what comes before a send. It ends while there is time to send; NotSentError: it was not done by then."""
    try:
        with trio.fail_at(trio.current_effective_deadline() - LEFT_TO_SEND):
            yield
    except trio.TooSlowError as error:
        raise NotSentError("WhatsApp does not answer", after=BACK_SOON, slow="account") from error


@contextmanager
def sending(*, message: bool = False) -> Iterator[None]:
    """What breaks off a send, in the words of the contract. ``message``: it is one, not another request."""
    try:
        yield
    except EngineDiedError as error:
        raise OutcomeUnknownError("the engine ended during a request to WhatsApp") from error
    except trio.TooSlowError as error:
        raise OutcomeUnknownError("WhatsApp did not confirm it in time") from error
    except NotDoneError as error:
        if message and _SENT_ONCE.fullmatch(str(error)):
            raise OutcomeUnknownError("the connection broke off before WhatsApp confirmed it") from error
        raise judged(str(error)) from error


def judged(said: str) -> NotSentError | SendRefusedError | OutcomeUnknownError:
    """What whatsmeow's error says about what was to be done."""
    if _NOT_THERE.search(said):
        return SendRefusedError("this number is not on WhatsApp", code="NOT_ON_WHATSAPP")
    if _NOT_CONNECTED.search(said):
        return NotSentError("there is no connection to WhatsApp now", after=BACK_SOON, slow="account")
    if _NOT_YET.search(said):
        what = "not shared our name" if "PushName" in said else "not shared the keys for this"
        return NotSentError(f"the phone has {what} yet: open WhatsApp on it, then try again", code="NOT_YET")
    if (no := refusal(said)) is not None:
        return no
    return OutcomeUnknownError(f"WhatsApp did not confirm it: {said[:200]}")


def refusal(said: str) -> NotSentError | SendRefusedError | None:
    """WhatsApp's no; None: it is none."""
    if found := _REFUSED.search(said):
        code = next(filter(None, found.groups()))
        if code == "429":
            return NotSentError("WhatsApp asks to slow down (429)", slow="account", code=code)
        why = f": {words[1]}" if (words := _WHY.search(said)) else ""
        return SendRefusedError(f"WhatsApp refused it ({code}{why})", code=code)
    if _SAID_NO.search(said):
        return SendRefusedError(f"WhatsApp refused it: {said[:200]}", code="REFUSED")
    return None


def _words(error: BaseException) -> str:
    if isinstance(error, trio.TooSlowError):
        return "WhatsApp does not answer"
    return "there is no connection to WhatsApp now" if _NOT_CONNECTED.search(str(error)) else str(error)[:200]
