"""Runs pretix on this machine, and buyers in its web checkout: cart, questions, confirmation, order page."""

import asyncio
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import httpx
import psutil

from emulator import services
from emulator.ports import free_port
from tools.bench.peers.buyer import TIME_LIMIT, Failed, Outcome

VERSION = "2026.8.0"
ROOT = Path(__file__).parents[3]
VENV = ROOT / ".pretix-venv"
STATE = VENV / "state"
READY = 300.0  # seconds until the first response
TRIES = 5  # of a checkout that starts again

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Pretix:
    """A running pretix: gunicorn, with its own Postgres and Redis."""

    def __init__(self, url: str, environment: Mapping[str, str], roots: Sequence[int]) -> None:
        self.url = url
        self._environment = environment
        self._roots = [psutil.Process(pid) for pid in roots]

    def events(self, seats: Sequence[int]) -> list["PretixShop"]:
        """New events with these numbers of seats."""
        slugs = {secrets.token_hex(4): count for count in seats}
        arguments = [f"{slug}={count}" for slug, count in slugs.items()]
        command = [str(VENV / "bin" / "python"), str(Path(__file__).parent / "pretix_shop.py"), *arguments]
        made = subprocess.run(command, env=self._environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        products = dict(line.split() for line in made.splitlines())
        return [PretixShop(self.url, slug, products[slug]) for slug in slugs]

    def cpu_seconds(self) -> float:
        """Processor seconds of all its processes so far."""
        total = 0.0
        for process in self._processes():
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def memory(self) -> int:
        """Proportional set size of all its processes, in bytes."""
        return sum(process.memory_full_info().pss for process in self._processes())

    def _processes(self) -> Iterator[psutil.Process]:
        for root in self._roots:
            yield root
            yield from root.children(recursive=True)


@contextmanager
def running_pretix() -> Iterator[Pretix]:
    """Start pretix. The first run creates its schema, which takes minutes and is kept beside its packages."""
    STATE.mkdir(exist_ok=True)
    port = free_port()
    with services.start({"postgres": {"database": "pretix"}, "redis": {}}, STATE) as stores:
        postgres = urlsplit(stores.postgres)
        data = STATE / "data"
        data.mkdir(exist_ok=True)
        config = STATE / "pretix.cfg"
        config.write_text(
            f"[pretix]\ninstance_name=bench\nurl=http://127.0.0.1:{port}\ndatadir={data}\n"
            f"[database]\nbackend=postgresql\nname=pretix\nuser=postgres\n"
            f"host={postgres.hostname}\nport={postgres.port}\n"
            f"[redis]\nlocation={stores.redis}\nsessions=true\n",
            encoding="utf-8",
        )
        environment = {
            **os.environ,
            "PRETIX_CONFIG_FILE": str(config),
            "DJANGO_SETTINGS_MODULE": "tools.bench.peers.pretix_settings",
            "PYTHONPATH": str(ROOT),
        }
        migrated = STATE / "migrated"
        if not migrated.exists():
            print("creating pretix' schema, only once …", flush=True)
            command = [str(VENV / "bin" / "python"), "-m", "pretix", "migrate", "--noinput", "--verbosity", "0"]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            migrated.touch()
        # Two workers for each processor, as in pretix' own image.
        workers = 2 * (os.cpu_count() or 1)
        command = [
            *(str(VENV / "bin" / "gunicorn"), "pretix.wsgi", "--bind", f"127.0.0.1:{port}"),
            *("--workers", str(workers), "--preload", "--timeout", "120"),
        ]
        with (STATE / "gunicorn.log").open("w") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _await(f"http://127.0.0.1:{port}/healthcheck/")
            children = [stores[name].child for name in ("postgres", "redis")]
            roots = [server.pid, *(child.pid for child in children if child)]
            yield Pretix(f"http://127.0.0.1:{port}", environment, roots)
        finally:
            server.terminate()
            server.wait(60)


def _await(url: str) -> None:
    deadline = time.monotonic() + READY
    while True:
        try:
            if httpx.get(url, timeout=30).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"pretix does not respond; see {STATE / 'gunicorn.log'}")
        time.sleep(0.2)


class PretixShop:
    """One event; buyers take one ticket each."""

    def __init__(self, url: str, slug: str, product: str) -> None:
        self.url = url
        self.path = f"/bench/{slug}/"
        self.product = product

    async def sell(self, buyers: int, at_once: int) -> Outcome:
        """Let `buyers` buy one ticket each, `at_once` of them at a time."""
        outcome, slots = Outcome(), asyncio.Semaphore(at_once)

        async def one_buyer() -> None:
            async with slots:
                # Each buyer has their own cookies and connections, as browsers do.
                jar = aiohttp.CookieJar(unsafe=True)
                timeout = aiohttp.ClientTimeout(total=120)
                async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout) as session:
                    await _Buyer(self, session, outcome).run()

        began = time.monotonic()
        await asyncio.gather(*(one_buyer() for _ in range(buyers)))
        outcome.seconds = time.monotonic() - began
        return outcome


class _Buyer:
    def __init__(self, shop: PretixShop, session: aiohttp.ClientSession, outcome: Outcome) -> None:
        self._shop, self._session, self._outcome = shop, session, outcome
        self._deadline = time.monotonic() + TIME_LIMIT

    async def run(self) -> None:
        await self._outcome.count(self._buy())

    async def _get(self, path: str) -> tuple[str, str]:
        """The path after redirects, and the page."""
        async with self._session.get(self._shop.url + path) as response:
            text = await response.text()
            self._outcome.server_errors += response.status >= 500
            if response.status != 200:
                raise Failed(f"GET {path}: {response.status}")
            return response.url.raw_path_qs, text

    async def _post(self, path: str, page: str, **fields: str) -> str:
        """The path of the redirect."""
        token = _TOKEN.search(page)
        if token is None:
            raise Failed(f"{path}: no form on the previous page")
        data = {"csrfmiddlewaretoken": token[1], **fields}
        headers = {"Referer": self._shop.url + path}
        request = self._session.post(self._shop.url + path, data=data, headers=headers, allow_redirects=False)
        async with request as response:
            self._outcome.server_errors += response.status >= 500
            if response.status != 302:
                raise Failed(f"POST {path}: {response.status}")
            return urlsplit(response.headers["Location"])._replace(scheme="", netloc="").geturl()

    async def _buy(self) -> bool:
        """True if the buyer gets an order, False if the event is sold out."""
        start = self._shop.path + "checkout/start"
        for _ in range(TRIES):
            if not await self._fill_cart():
                return False
            path, page = await self._get(start)
            if "/checkout/" not in path:
                continue  # the cart is empty
            next_path = await self._post(path.partition("?")[0], page, email="buyer@example.com")
            path, page = await self._get(next_path)
            if "/checkout/confirm" not in path:
                continue
            next_path = await self._post(path.partition("?")[0], page)
            if "/order/" in next_path:
                _, page = await self._get(next_path)
                return "Download ticket" in page or "/order/" in next_path
        raise Failed(f"no order after {TRIES} tries")

    async def _fill_cart(self) -> bool:
        """True if a ticket is in the cart, False if none is left."""
        shop = self._shop
        while True:
            if time.monotonic() > self._deadline:
                raise Failed(f"no final answer after {TIME_LIMIT:.0f} s")
            _, page = await self._get(shop.path)
            if f'name="item_{shop.product}"' in page:
                next_ = f"{shop.path}cart/add?next={shop.path}checkout/start&next_error={shop.path}"
                if "/checkout/" in await self._post(next_, page, **{f"item_{shop.product}": "1"}):
                    return True
            elif "reserved" in page.lower():
                await asyncio.sleep(1)  # all are in carts; one may become free again
            else:
                return False
