"""Limits of one worker: places and queue, tiles apart from questions, bodies, compression."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from api.compression import Compression
from api.front import Front, TwoDoors
from api.limits import BodyLimit
from api.metrics import Figures
from api.pressure import Places, Pressure


class House:
    """A service whose questions wait until they are let go."""

    def __init__(self, most: int, waiting: int, wait_s: float = 5.0) -> None:
        self.go = asyncio.Event()
        self.questions, self.tiles = Places(most, waiting, wait_s), Places(2, 0, wait_s)
        app = Starlette(
            routes=[
                Route("/question", self._question),
                Route("/fails", self._fails),
                Route("/body", self._body, methods=["POST"]),
            ]
        )
        app.add_middleware(BodyLimit, max_bytes=100, body_s=0.2)
        app.add_middleware(Pressure, places=self.questions)
        of_tile = Starlette(routes=[Route("/tiles/a/1/0/0.mvt", self._tile)])
        self.figures = Figures()
        self.app = Front(TwoDoors(app, Pressure(of_tile, self.tiles)), self.figures)

    async def _question(self, request: Request) -> PlainTextResponse:
        await self.go.wait()
        return PlainTextResponse("answer")

    async def _tile(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse("tile")

    async def _fails(self, request: Request) -> PlainTextResponse:
        raise RuntimeError("the cause")

    async def _body(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://house")


async def until(met: Any) -> None:
    for _ in range(500):
        if met():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not come about")


def test_one_more_than_places_and_queue_is_refused_at_once_and_tiles_go_on() -> None:
    async def story() -> None:
        house = House(most=2, waiting=3)
        async with house.client() as client:
            asked = [asyncio.create_task(client.get("/question")) for _ in range(5)]
            await until(lambda: house.questions.in_queue == 3)
            refused = await asyncio.wait_for(client.get("/question"), 1)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            assert refused.json()["type"] == "/problems/busy"
            assert refused.json()["request_id"] == refused.headers["x-request-id"]
            assert (await client.get("/tiles/a/1/0/0.mvt")).text == "tile"
            house.go.set()
            assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
            assert (house.questions.in_work, house.questions.in_queue) == (0, 0)

    asyncio.run(story())


def test_who_waits_too_long_or_leaves_gives_the_turn_away() -> None:
    async def story() -> None:
        house = House(most=1, waiting=3, wait_s=0.1)
        async with house.client() as client:
            first = asyncio.create_task(client.get("/question"))
            await until(lambda: house.questions.in_work == 1)
            assert (await client.get("/question")).status_code == 503
            leaver = asyncio.create_task(client.get("/question"))
            await until(lambda: house.questions.in_queue == 1)
            leaver.cancel()
            await until(lambda: house.questions.in_queue == 0)
            house.go.set()
            assert (await first).status_code == 200
            assert (await client.get("/question")).status_code == 200
            assert house.questions.in_work == 0

    asyncio.run(story())


def test_a_failure_gives_its_place_back_and_tells_no_cause() -> None:
    async def story() -> None:
        house = House(most=1, waiting=0)
        async with house.client() as client:
            for _ in range(3):
                answer = await client.get("/fails")
                assert answer.status_code == 500
        assert house.questions.in_work == house.figures.in_flight == 0

    asyncio.run(story())


def test_a_body_is_bounded_in_bytes_and_in_time() -> None:
    async def slowly() -> Any:
        yield b"a"
        await asyncio.sleep(1)
        yield b"b"

    async def story() -> None:
        house = House(most=4, waiting=0)
        async with house.client() as client:
            assert (await client.post("/body", content=b"x" * 100)).text == "100"
            assert (await client.post("/body", content=b"x" * 101)).status_code == 413
            assert (await client.post("/body", content=slowly())).status_code == 408

    asyncio.run(story())


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*"])
def test_text_is_compressed_once_for_who_takes_it(accepted: str) -> None:
    text = {"parcels": ["320000" + str(number) for number in range(2000)]}

    async def whole(request: Request) -> JSONResponse:
        return JSONResponse(text, headers={"ETag": '"one"'})

    async def pieces(request: Request) -> StreamingResponse:
        return StreamingResponse(iter([b'{"a":', b'"' + b"b" * 9999 + b'"', b"}"]), media_type="application/geo+json")

    async def packed(request: Request) -> PlainTextResponse:
        return PlainTextResponse(gzip.compress(b"x" * 9000), headers={"Content-Encoding": "gzip"})

    routes = [Route("/whole", whole), Route("/pieces", pieces), Route("/packed", packed)]
    app = Compression(Starlette(routes=routes))

    async def story() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://house") as client:
            headers = {"Accept-Encoding": accepted}
            answer = await client.get("/whole", headers=headers)
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.headers["etag"] == 'W/"one"'
            assert "content-length" not in answer.headers
            assert answer.json() == text
            assert len((await client.get("/pieces", headers=headers)).json()["a"]) == 9999
            assert (await client.get("/packed", headers=headers)).content == b"x" * 9000
            for refusing in ("identity", "gzip;q=0"):
                plain = await client.get("/whole", headers={"Accept-Encoding": refusing})
                assert "content-encoding" not in plain.headers
                assert plain.json() == text

    asyncio.run(story())
