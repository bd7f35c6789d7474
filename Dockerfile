# The gateway with its Valkey and, for linking numbers by QR code, its WhatsApp engine. Data and secrets are in /data.
#   docker build -t wagate . && docker run -p 127.0.0.1:8080:8080 -v wagate:/data wagate
# EXTRAS: whatsapp (link numbers by QR code), postgres, alerts (tell a person by e-mail or chat), voice (turn recordings into voice messages).

FROM python:3.13-slim AS build
ARG EXTRAS=whatsapp,postgres,alerts
WORKDIR /src
COPY . .
RUN python -m venv /opt/wagate
RUN /opt/wagate/bin/pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]"
RUN /opt/wagate/bin/python -m compileall -q /opt/wagate/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin wagate && install -d -m 700 -o wagate -g wagate /data
COPY --from=build /opt/wagate /opt/wagate
ENV PATH=/opt/wagate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 WAGATE_SERVER__HOST=0.0.0.0 WAGATE_DATA__DIR=/data
USER wagate
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"WAGATE_SERVER__PORT\", 8080)}/ping', timeout=4)"]
CMD ["wagate", "serve"]
