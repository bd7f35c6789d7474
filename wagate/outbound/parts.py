"""A text, or a file's caption, that is too long for one message, as several. Pure but for the ids."""

from __future__ import annotations

from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.hooks.messages import CAPTIONED, OutMessage, TextPart
from wagate.parsing.split import split_text


def parted(message: OutMessage, longest: int, caption: int = 0) -> list[tuple[str, OutMessage]]:
    """(our id, message) of each part, in order; of what fits, or can't be split, one.

    ``longest``: `Provider.longest_text`; ``caption``: `Provider.longest_caption`. Only the first part quotes and has
    the file; people are mentioned where they stand.

    Raises:
        UnprocessableError: no cut makes it fit.
    """
    if message.type in CAPTIONED:
        texts = split_text(message.text, caption, then=longest)
    else:
        texts = split_text(message.text, longest) if message.type == "text" else [message.text]
    ids = [str(uuid7()) for _ in texts]
    if len(texts) == 1:
        return [(ids[0], message)]
    before = message.part
    return [
        (
            id_,
            replace(
                message,
                type="text" if number else message.type,
                media=None if number else message.media,
                text=text,
                reply_to="" if number else message.reply_to,
                mentions=tuple(each for each in message.mentions if f"@{each.partition('@')[0]}" in text),
                part=TextPart(
                    number=number + 1,
                    of=len(texts),
                    after=ids[number - 1] if number else (before.after if before is not None else ""),
                    rest=tuple(ids[number + 1 :]),
                ),
            ),
        )
        for number, (id_, text) in enumerate(zip(ids, texts, strict=True))
    ]
