"""What the page to scan says, in the languages that it speaks. The person who holds the phone reads it, nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from werkzeug.datastructures import LanguageAccept


class ScanWords(msgspec.Struct, frozen=True, kw_only=True):
    """One language."""

    lang: str
    title: str
    for_whom: str
    """Before the number's name."""
    scan: str
    steps: tuple[str, str, str]
    alt: str
    lasts: str
    renewed: str
    connected: str
    close: str
    waiting: str
    waiting_more: str
    broken: str
    broken_more: str
    again: str
    failed: str
    instead: str
    phone: str
    phone_wrong: str
    no_code: str
    get_code: str
    type_code: str
    risk: str
    """Of a linked device, for the person whose number it is."""
    ended: str
    ended_more: str


ENGLISH: Final = ScanWords(
    lang="en",
    title="Link WhatsApp",
    for_whom="For",
    scan="Scan this code",
    steps=(
        "Open WhatsApp on the phone",
        "On Android tap ⋮, on iPhone Settings; then Linked devices",
        "Tap Link a device, and hold the phone to this screen",
    ),
    alt="QR code: scan it in WhatsApp, under Linked devices",
    lasts="This code lasts for",
    renewed="The next one appears automatically.",
    connected="Connected",
    close="That's all. You can close this page.",
    waiting="The code will appear in a moment",
    waiting_more="It appears automatically; leave this page open.",
    broken="No code at the moment",
    broken_more="Ask for a new code, or ask the person who sent you this link.",
    again="Show a new code",
    failed="That didn't work. Try again in a minute.",
    instead="Are you on that phone? Link with a code",
    phone="The phone's number, with country code",
    phone_wrong="Give the whole number with its country code, as +1 202 555 0142.",
    no_code="No code is available right now. Try again in a minute, or scan.",
    get_code="Get a code",
    type_code="In WhatsApp: Linked devices, Link a device, Link with phone number instead. Type this code:",
    risk="WhatsApp forbids unofficial clients like this one and may ban a number that uses one, above all one that "
    "writes to strangers.",
    ended="This link has ended",
    ended_more="Ask the person who sent it for a new one.",
)
SPANISH: Final = ScanWords(
    lang="es",
    title="Vincular WhatsApp",
    for_whom="Para",
    scan="Escanea este código",
    steps=(
        "Abre WhatsApp en el teléfono",
        "En Android toca ⋮, en iPhone Configuración; después Dispositivos vinculados",
        "Toca Vincular un dispositivo y apunta el teléfono a esta pantalla",
    ),
    alt="Código QR: escanéalo en WhatsApp, en Dispositivos vinculados",
    lasts="Este código dura",
    renewed="El siguiente aparece solo.",
    connected="Conectado",
    close="Eso es todo. Puedes cerrar esta página.",
    waiting="El código aparece en un momento",
    waiting_more="Aparece solo; deja esta página abierta.",
    broken="Ahora no hay código",
    broken_more="Pide un código nuevo, o pregunta a quien te envió este enlace.",
    again="Mostrar un código nuevo",
    failed="No funcionó. Inténtalo de nuevo en un minuto.",
    instead="¿Este es el teléfono? Vincula con un código",
    phone="El número del teléfono, con código de país",
    phone_wrong="Escribe el número completo con código de país, como +34 612 345 678.",
    no_code="Ahora no hay código. Inténtalo en un minuto, o escanea.",
    get_code="Obtener un código",
    type_code="En WhatsApp: Dispositivos vinculados, Vincular un dispositivo, Vincular con el número de teléfono. "
    "Escribe este código:",
    risk="WhatsApp prohíbe los clientes no oficiales como este y puede bloquear un número que use uno, sobre todo si "
    "escribe a desconocidos.",
    ended="Este enlace ya no vale",
    ended_more="Pide uno nuevo a quien te lo envió.",
)
PORTUGUESE: Final = ScanWords(
    lang="pt",
    title="Conectar o WhatsApp",
    for_whom="Para",
    scan="Escaneie este código",
    steps=(
        "Abra o WhatsApp no celular",
        "No Android toque em ⋮, no iPhone em Configurações; depois Dispositivos conectados",
        "Toque em Conectar dispositivo e aponte o celular para esta tela",
    ),
    alt="QR code: escaneie no WhatsApp, em Dispositivos conectados",
    lasts="Este código dura",
    renewed="O próximo aparece sozinho.",
    connected="Conectado",
    close="É só isso. Pode fechar esta página.",
    waiting="O código aparece em instantes",
    waiting_more="Ele aparece sozinho; deixe esta página aberta.",
    broken="Nenhum código no momento",
    broken_more="Peça um novo código, ou fale com quem enviou este link.",
    again="Mostrar um novo código",
    failed="Não deu certo. Tente de novo em um minuto.",
    instead="Este é o próprio celular? Conecte com um código",
    phone="O número do celular, com código do país",
    phone_wrong="Digite o número completo com código do país, como +55 11 91234-5678.",
    no_code="Não há código agora. Tente em um minuto, ou escaneie.",
    get_code="Receber um código",
    type_code="No WhatsApp: Dispositivos conectados, Conectar dispositivo, Conectar com número de telefone. "
    "Digite este código:",
    risk="O WhatsApp proíbe clientes não oficiais como este e pode banir um número que use um, sobretudo se escrever a "
    "desconhecidos.",
    ended="Este link não vale mais",
    ended_more="Peça um novo a quem o enviou.",
)
LANGUAGES: Final[Mapping[str, ScanWords]] = {each.lang: each for each in (ENGLISH, SPANISH, PORTUGUESE)}


def words_for(accepted: LanguageAccept) -> ScanWords:
    """The language that the browser wants most, of those that there are."""
    asked = (LANGUAGES.get(name.partition("-")[0].lower()) for name in accepted.values())
    return next((each for each in asked if each is not None), ENGLISH)
