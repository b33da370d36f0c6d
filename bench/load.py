"""A load of GET requests, in a process of its own: `python -m bench.load URL CONNECTIONS SECONDS CALLS [HEADER …]`.

Each connection asks again as soon as it is answered. It ends after SECONDS or CALLS, whichever is first, and prints
`{"seconds": …, "failures": …, "latencies": [ms, …]}`; what is no 200 is a failure and has no latency.
"""

import asyncio
import json
import sys
import time

import aiohttp


async def load(url: str, connections: int, seconds: float, calls: int, headers: dict[str, str]) -> dict[str, object]:
    """Runs it."""
    latencies: list[float] = []
    failures = 0
    left = calls

    async def one(session: aiohttp.ClientSession, end: float) -> None:
        nonlocal failures, left
        while left > 0 and time.perf_counter() < end:
            left -= 1
            began = time.perf_counter()
            try:
                async with session.get(url, headers=headers) as response:
                    await response.read()
                    good = response.status == 200
            except (aiohttp.ClientError, TimeoutError):
                good = False
            if good:
                latencies.append((time.perf_counter() - began) * 1000)
            else:
                failures += 1

    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        began = time.perf_counter()
        await asyncio.gather(*(one(session, began + seconds) for _ in range(connections)))
        took = time.perf_counter() - began
    return {"seconds": took, "failures": failures, "latencies": latencies}


if __name__ == "__main__":
    address, connections, seconds, calls, *lines = sys.argv[1:]
    headers = dict(line.split("=", 1) for line in lines)
    print(json.dumps(asyncio.run(load(address, int(connections), float(seconds), int(calls), headers))))
