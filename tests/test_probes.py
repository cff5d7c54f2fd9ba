"""Tests of signs of life: who keeps a seat that somebody else asks for."""

import asyncio
import time

import pytest
from websockets.asyncio.client import ClientConnection

import app
import serving
from helpers import (
    NOT_FOUND,
    TIMEOUT,
    V2,
    Server,
    come_back,
    forget_all,
    hear,
    open_seat,
    play_all,
    present,
    serve,
    sitting,
    start_game,
    started,
    stop,
    watch_game,
)

TAKEN = {"type": "error", "message": "The game already has this player."}


class Link(ClientConnection):
    """A connection that may be slow to receive, or deaf, or make the server wait."""

    delay = 0  # seconds; None if it receives nothing
    block = 0  # for how long nobody can do anything, once it has answered
    pings = 0

    def data_received(self, data):
        self.pings += data.count(b"\x89\x04")
        if self.delay:
            self.loop.call_later(self.delay, super().data_received, data)
        elif self.delay is not None:
            super().data_received(data)
            time.sleep(self.block)


async def sit_by(server, link=Link):
    """Return a player who came over such a link, alone at a match."""
    red, _ = await server.start(**V2, create_connection=link)
    await hear(red)
    return red, red.websocket


async def connect_all(server, number):
    """Return clients who have connected, so that they can ask at the same time."""
    return await asyncio.gather(*(server.connect(**V2) for _ in range(number)))


async def knock(server, player):
    """Ask for a player's seat by its key; return what the answer is."""
    return await (await come_back(server, player)).receive()


@pytest.fixture
def patient(monkeypatch):
    """Somebody who is asked has time to do something else."""
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 1)


@pytest.fixture
def impatient(monkeypatch):
    """Nobody has much time to show that they are here."""
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 0.3)


async def test_hundreds_who_knock_ask_once_and_take_no_seat_from_a_slow_link(server):
    red, link = await sit_by(server)
    crowd = await connect_all(server, 300)
    link.delay = 1
    for client in crowd:
        await client.send({"type": "init", "join": red.init["rejoin"]})
    for client in crowd:
        await client.expect({**TAKEN, "watch": red.init["watch"]})
    assert link.pings == 1
    link.delay = 0
    await red.play(3)
    await red.expect({"type": "play", "player": "red", "column": 3, "row": 0})


@pytest.mark.parametrize(("interval", "pings"), [(5, 1), (0, 2)])
async def test_answer_holds_for_a_while(server, monkeypatch, interval, pings):
    monkeypatch.setattr(serving, "PRESENCE_INTERVAL", interval)
    red, link = await sit_by(server)
    for _ in range(2):
        assert (await knock(server, red))["type"] == "error"
    assert link.pings == pings


async def test_answer_counts_that_is_there_when_a_busy_server_looks(server, impatient):
    red, link = await sit_by(server)
    link.block = 0.5
    assert (await knock(server, red))["type"] == "error"
    link.block = 0
    assert await hear(red) == []


# Whose seat is asked for, by what, and what the nine who come too late are told.
LATE = [
    ("red", "rejoin", "error"),
    ("yellow", "rejoin", "error"),
    ("yellow", "code", "init"),
]


@pytest.mark.parametrize(("seat", "key", "late"), LATE)
async def test_seat_of_who_gives_no_sign_goes_to_one_newcomer(
    server, impatient, monkeypatch, seat, key, late
):
    red, yellow, _ = await start_game(server)
    dead, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    newcomers = await connect_all(server, 10)
    dead.websocket.transport.pause_reading()
    for newcomer in newcomers:
        await newcomer.send({"type": "init", "join": dead.init[key]})
    # The probe has begun when this is answered. Whoever takes the seat then is
    # alive, and has all the time to say so.
    await hear(other)
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 2)
    events = [await newcomer.receive() for newcomer in newcomers]
    taker = newcomers.pop([event.get("player") for event in events].index(seat))
    assert sorted(event["type"] for event in events) == sorted([late] * 9 + ["init"])
    assert (taker.init["rejoin"] == dead.init["rejoin"]) is (key == "rejoin")
    # The old connection is dropped.
    dead.websocket.transport.resume_reading()
    async with asyncio.timeout(TIMEOUT):
        await dead.websocket.wait_closed()
    for client in (taker, other):
        await hear(client)
    await play_all(*((taker, other) if dead is red else (other, taker)), [3, 4])


@pytest.mark.usefixtures("at_once")
async def test_others_are_not_told_that_somebody_came_back_so(server, impatient):
    red, yellow, _ = await start_game(server)
    spectator = await watch_game(server, red, yellow)
    yellow.websocket.transport.pause_reading()
    back = await come_back(server, yellow)
    told = present("red", "yellow", spectators=1)
    await back.expect(yellow.init, started(), told)
    for client in (back, red, spectator):
        assert await hear(client) == []
    yellow.vanish()


async def test_only_one_of_many_gets_a_seat_that_is_left_meanwhile(server):
    red, yellow, _ = await start_game(server)
    yellow.websocket.transport.pause_reading()
    newcomers = await asyncio.gather(*(come_back(server, yellow) for _ in range(10)))
    # The probe has begun when this is answered.
    await hear(red)
    yellow.vanish()
    events = [await newcomer.receive() for newcomer in newcomers]
    assert sorted(event["type"] for event in events) == ["error"] * 9 + ["init"]


@pytest.mark.usefixtures("at_once")
async def test_silent_player_who_opens_the_seat_meanwhile_stays_to_watch(
    server, patient
):
    red, link = await sit_by(server)
    knocking = asyncio.create_task(knock(server, red))
    link.delay = None
    while not link.pings:
        await asyncio.sleep(0)
    await open_seat(red, "red")
    assert await knocking == NOT_FOUND
    link.delay = 0
    await red.send({"type": "ping"})
    await red.expect({"type": "pong"})
    newcomer = await server.watch(red.init["watch"], **V2)
    told = present(open=["red", "yellow"], spectators=2)
    assert (await hear(newcomer))[-1] == told


@pytest.mark.usefixtures("at_once")
async def test_silent_player_who_moves_meanwhile_keeps_the_seat(server, patient):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, [3])
    yellow.websocket.transport.pause_reading()
    newcomer = await server.join(init["code"], **V2)
    await hear(red)
    await yellow.play(4)
    assert (await newcomer.receive())["player"] is None
    yellow.websocket.transport.resume_reading()
    assert (await hear(yellow))[0]["column"] == 4


async def test_stopping_is_quiet_while_a_seat_is_probed():
    games = await serve()
    server = Server(games)
    red, _, _ = await start_game(server)
    spectator = await watch_game(server, red)
    red.websocket.transport.pause_reading()
    newcomer = await come_back(server, red)
    # The probe has begun when this is answered.
    await hear(spectator)
    await stop(games)
    await newcomer.expect_close(1001)
    red.vanish()
    forget_all()
    assert app.JOIN == {}
