"""``wagate import``: what another gateway has, made here."""
