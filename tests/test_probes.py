"""Tests of signs of life: who keeps a seat that somebody else asks for."""

import asyncio
import time

import pytest
from websockets.asyncio.client import ClientConnection

import serving
from events import NOT_FOUND, TAKEN, present
from helpers import TIMEOUT, V2, expect_all, play_moves


class Link(ClientConnection):
    """A connection that may be slow to receive, or deaf, or make the server wait."""

    delay = 0  # seconds; None if it receives nothing
    block = 0  # for how long nobody can do anything, once it has answered
    leaves = False  # whether it closes as soon as it has answered
    pings = 0

    def data_received(self, data):
        self.pings += data.count(b"\x89\x04")
        if self.delay:
            self.loop.call_later(self.delay, super().data_received, data)
        elif self.delay is not None:
            super().data_received(data)
            time.sleep(self.block)
            if self.leaves:
                self.leaves = False
                self.protocol.send_close(1000)
                self.transport.write(b"".join(self.protocol.data_to_send()))


async def sit_by_link(server):
    """Return a player who came over such a link, alone at a match, and the link."""
    red, _ = await server.start(**V2, create_connection=Link)
    await red.hear()
    return red, red.websocket


async def knock(server, player, number=1, key="rejoin"):
    """Have several ask for a player's seat at the same time."""
    clients = await asyncio.gather(*(server.connect(**V2) for _ in range(number)))
    for client in clients:
        await client.send({"type": "init", "join": player.init[key]})
    return clients


async def test_many_who_knock_ask_once_and_take_no_seat_from_a_slow_link(server):
    red, link = await sit_by_link(server)
    link.delay = 0.5
    taken = {**TAKEN, "watch": red.init["watch"]}
    for client in await knock(server, red, 100):
        await client.expect_refusal(taken)
    assert link.pings == 1
    link.delay = 0
    await expect_all([red])


@pytest.mark.parametrize(("interval", "pings"), [(5, 1), (0, 2)])
async def test_answer_holds_for_a_while(server, monkeypatch, interval, pings):
    monkeypatch.setattr(serving, "PRESENCE_INTERVAL", interval)
    red, link = await sit_by_link(server)
    for _ in range(2):
        (client,) = await knock(server, red)
        await client.expect_error("already")
    assert link.pings == pings


async def test_answer_counts_that_is_there_when_a_busy_server_looks(
    server, monkeypatch
):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 0.3)
    red, link = await sit_by_link(server)
    link.block = 0.5
    (client,) = await knock(server, red)
    await client.expect_error("already")
    link.block = 0
    await expect_all([red])


# By what the seat is asked for, and what those who come too late are told.
@pytest.mark.parametrize(("key", "late"), [("rejoin", "error"), ("code", "init")])
async def test_seat_of_who_gives_no_sign_goes_to_one_newcomer(
    server, monkeypatch, key, late
):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 0.3)
    red, yellow = await server.start_game()
    yellow.freeze()
    newcomers = await knock(server, yellow, 10, key)
    # The probe has begun when this is answered. Whoever takes the seat then is
    # alive, and has all the time to say so.
    await red.hear()
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 2)
    events = [await newcomer.receive() for newcomer in newcomers]
    taker = newcomers.pop([event.get("player") for event in events].index("yellow"))
    assert sorted(event["type"] for event in events) == sorted([late] * 9 + ["init"])
    assert (taker.init["rejoin"] == yellow.init["rejoin"]) is (key == "rejoin")
    # The old connection is dropped.
    yellow.thaw()
    async with asyncio.timeout(TIMEOUT):
        await yellow.websocket.wait_closed()
    await taker.hear()
    # Of who comes back by the key, the others aren't told.
    assert await red.hear() == [] or key == "code"
    await play_moves(red, taker, [3, 4])


async def test_who_answers_and_leaves_at_once_has_left(server):
    red, link = await sit_by_link(server)
    link.leaves = True
    (client,) = await knock(server, red)
    assert (await client.receive())["player"] == "red"


async def test_who_took_the_seat_meanwhile_is_asked_too(server, monkeypatch):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 0.3)
    red, link = await sit_by_link(server)
    link.delay = None
    first, second = await knock(server, red, 2)
    first.freeze()
    assert (await second.receive())["player"] == "red"
    link.delay = 0
    first.thaw()


async def test_silent_player_who_opens_the_seat_meanwhile_stays_to_watch(
    server, monkeypatch
):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 1)
    red, link = await sit_by_link(server)
    link.delay = None
    (newcomer,) = await knock(server, red)
    while not link.pings:
        await asyncio.sleep(0)
    await red.open_seat("red")
    await newcomer.expect_refusal(NOT_FOUND)
    link.delay = 0
    await expect_all([red])
    spectator = await server.watch(red.init["watch"], **V2)
    told = present(open=["red", "yellow"], spectators=2)
    assert (await spectator.hear())[-1] == told


async def test_silent_player_who_moves_meanwhile_keeps_the_seat(server, monkeypatch):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 1)
    red, yellow = await server.start_game()
    await play_moves(red, yellow, [3])
    yellow.freeze()
    (newcomer,) = await knock(server, yellow, key="code")
    await red.hear()
    await yellow.play(4)
    assert (await newcomer.receive())["player"] is None
    yellow.thaw()
    assert (await yellow.hear())[0]["column"] == 4
