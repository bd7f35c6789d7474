"""A plugin of ten lines: a line in the log for each event that comes in."""

from wagate.hooks import Handler, Target, hookimpl


@hookimpl
def register_handlers(context):
    async def handle(delivery):
        context.log.info("message", chat=delivery.event.chat, kind=delivery.event.kind)

    return [Handler(name=context.name, targets=lambda event: [Target(id="log")], handle=handle)]
