"""Forwards connections: `python -m tests.deploy.port_forwarding 172.17.0.1 15432 16379` → the same ports of 127.0.0.1.

Containers reach this machine at Docker's bridge, but the services should listen on 127.0.0.1 only.
"""

import asyncio
import contextlib
import sys

from emulator.ports import HOST


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _listen(host: str, port: int) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                there, back = await asyncio.open_connection(HOST, port)
            except OSError:
                return  # the service does not listen yet: the connection closes, and the client retries
            with contextlib.closing(back):
                await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(forward, host, port)
    await server.serve_forever()


async def _main(host: str, ports: list[int]) -> None:
    await asyncio.gather(*(_listen(host, port) for port in ports))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], [int(word) for word in sys.argv[2:]]))
