"""The accounts that webhooks name: found in the snapshot, or made when a trusted sender brings a new one."""

from __future__ import annotations

from wagate.clock import Clock
from wagate.errors import ConflictError, NotFoundError
from wagate.parsing.chats import digits_of
from wagate.storage.database import Database
from wagate.storage.owners.accounts import NewAccount, create_account
from wagate.storage.owners.directory import Account, Client, Directory
from wagate.storage.owners.live import LiveDirectory


class Accounts:
    """Reads the live directory; writes only when an account is new."""

    def __init__(self, database: Database, live: LiveDirectory, clock: Clock, *, most: int) -> None:
        """``most``: accounts a client may have (``limits.accounts``)."""
        self._database = database
        self._live = live
        self._clock = clock
        self._most = most

    @property
    def directory(self) -> Directory:
        """The snapshot of now."""
        return self._live.now

    async def ensure(self, name: str, client: Client, *, provider: str, phone: str) -> Account:
        """The client's account of this name, made if there is none.

        Raises:
            NotFoundError: the name is another client's.
            ConflictError: the client has as many accounts as ``limits.accounts`` allows.
        """
        found = self.directory.accounts.get(name)
        if found is None:
            found = await self._make(NewAccount(name=name, client_id=client.id, provider=provider, phone=phone))
        if found.client_id != client.id:
            raise NotFoundError(f"no account {name!r}")
        return found

    async def of_number(self, client: Client, to: str | None) -> Account:
        """The client's account with this number (a chat key); a number that none has makes one of provider ``engine``.

        None: the client's default account. Raises as `ensure`.
        """
        if to is None:
            found = self.directory.oldest(client.id)
            return found or await self.ensure(client.slug, client, provider="engine", phone="")
        digits = digits_of(to)
        found = self.directory.with_phone(client.id, digits)
        return found or await self.ensure(f"{client.slug}-{digits}", client, provider="engine", phone=digits)

    async def _make(self, new: NewAccount) -> Account:
        refused: ConflictError | None = None
        try:
            await self._database.write(create_account, new, now=self._clock.now(), most=self._most)
        except ConflictError as error:  # made by another request at this moment, or one too many
            refused = error
        await self._live.reload()
        made = self.directory.accounts.get(new.name)
        if made is None:
            raise refused or NotFoundError(f"account {new.name!r} was deleted just now; send it again")
        return made
