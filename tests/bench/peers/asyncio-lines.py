# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line server that asyncio's documentation leads to: a coroutine for each client, which reads lines."""

import asyncio
import sys


async def serve(reader, writer):
    try:
        while await reader.readline():
            writer.write(b"ok\n")
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.serve_forever()


asyncio.run(main())
