"""Tests of who is told that somebody else waits on the local network."""

import asyncio

import pytest

import serving
from helpers import (
    V2,
    come_back,
    hear,
    hear_presence,
    open_seat,
    present,
    stand_up,
    start_game,
    started,
    waiting,
)

pytestmark = pytest.mark.usefixtures("at_once")


async def start_waiting(server, number):
    """Return players who wait, in this order, and the codes of their matches."""
    players = [await server.start(**V2) for _ in range(number)]
    return [player for player, _ in players], [init["code"] for _, init in players]


async def hear_waiting(client):
    """Return what a client is told about who waits, and wasn't yet."""
    return [event for event in await hear(client) if event["type"] == "waiting"]


async def test_every_second_who_waits_is_told_the_code_of_the_one_before(server):
    players, codes = await start_waiting(server, 5)
    for player, code in zip(
        players, [None, codes[0], None, codes[2], None], strict=True
    ):
        assert await hear_waiting(player) == [waiting(code)]


async def test_who_waits_is_told_when_the_pairs_change(server):
    players, codes = await start_waiting(server, 5)
    for player in players:
        await hear(player)
    async with server.departure():
        await players.pop(0).close()
    for player, code in zip(players, [None, codes[1], None, codes[3]], strict=True):
        assert await hear_waiting(player) == [waiting(code)]
    # The third is alone no more, and so the fourth is the third who waits.
    visitor = await server.join(codes[3], **V2)
    assert not await hear_waiting(visitor)
    expected = [[], [], [], [waiting()]]
    assert [await hear_waiting(player) for player in players] == expected


async def test_who_is_left_alone_at_an_open_seat_waits_again_after_all_others(server):
    red, yellow, init = await start_game(server)
    (other,), (code,) = await start_waiting(server, 1)
    assert await hear_waiting(other) == [waiting()]
    assert await hear(red) == []
    await yellow.close()
    await red.expect(present("red", open=["yellow"]), waiting(code))
    # Who comes back is a newcomer.
    async with server.departure():
        await red.close()
    red = await server.join(init["rejoin"], **V2)
    assert await hear_waiting(red) == [waiting(code)]
    assert await hear_waiting(other) == []


async def test_who_takes_the_place_of_a_dead_connection_waits_after_all_others(
    server, monkeypatch
):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 0.3)
    (dead, other), codes = await start_waiting(server, 2)
    assert await hear_waiting(other) == [waiting(codes[0])]
    dead.websocket.transport.pause_reading()
    back = await come_back(server, dead)
    assert await hear_waiting(back) == [waiting(codes[1])]
    assert await hear_waiting(other) == [waiting()]
    dead.vanish()


async def test_who_makes_room_leaves_the_other_waiting(server):
    red, yellow, _ = await start_game(server)
    events = await stand_up(red)
    told = present("yellow", open=["red"], spectators=1)
    assert events == [started(), told]
    await yellow.expect(told, waiting())
    await stand_up(yellow)
    # Nobody sits here any more.
    (_, other), _ = await start_waiting(server, 2)
    assert (await hear_waiting(yellow), len(await hear_waiting(other))) == ([], 1)


# The address by which a page was opened, and what proxies add.
LOCAL = [
    "127.0.0.1:8000",
    "192.168.1.5",
    "[::1]:8000",
    "[::ffff:192.168.1.5]",
    "localhost:8000",
    "localhost.",
    "raspberrypi",
    "printer.local",
    "PRINTER.LOCAL.:80",
]
PUBLIC = [
    ("example.org", {}),
    ("example.org:8000", {}),
    ("local.example.org", {}),
    ("notlocal.org", {}),
    ("192.168.1.5.example.org", {}),
    ("127.0.0.1", {"Forwarded": "for=192.0.2.1"}),
    ("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}),
    ("localhost", {"x-forwarded-for": ""}),
]


async def start_by(server, host, headers):
    """Start a match from a page that was opened by this address."""
    where = {"address": f"ws://{host}/", "host": "127.0.0.1", "port": server.port}
    player, _ = await server.start(**V2, **where, additional_headers=headers)
    return player


@pytest.mark.parametrize("host", LOCAL)
async def test_player_on_the_local_network_waits(server, host):
    player = await start_by(server, host, {})
    assert await hear_waiting(player) == [waiting()]


@pytest.mark.parametrize(("host", "headers"), PUBLIC)
async def test_player_from_elsewhere_is_neither_told_nor_listed(server, host, headers):
    player = await start_by(server, host, headers)
    (other,), _ = await start_waiting(server, 1)
    assert await hear_waiting(other) == [waiting()]
    assert await hear_waiting(player) == []


async def test_base_clients_and_spectators_do_not_wait(server):
    base, _ = await server.start()
    red, init = await server.start(**V2)
    assert await hear_waiting(red) == [waiting()]
    guest = await server.join(init["code"])
    await guest.expect_nothing()
    await open_seat(red, "red")
    # The guest sits alone at an open seat now, and red watches.
    (other,), _ = await start_waiting(server, 1)
    assert await hear_waiting(other) == [waiting()]
    assert await hear_waiting(red) == []
    for client in (base, guest):
        await client.expect_nothing()


async def test_twenty_who_wait_make_ten_pairs_by_ten_joins(server):
    players, codes = await start_waiting(server, 20)
    told = [(await hear_waiting(player))[-1]["code"] for player in players]
    assert [code for code in told if code] == codes[::2]

    async def go(player, code):
        """Leave one's own match for the other."""
        await player.close()
        joined = await server.join(code, **V2)
        while await hear_presence(joined) != present("red", "yellow"):
            pass
        return joined.init

    seats = await asyncio.gather(*map(go, players[1::2], codes[::2]))
    assert [(seat["player"], seat["code"]) for seat in seats] == [
        ("yellow", code) for code in codes[::2]
    ]
    for player in players[::2]:
        assert (await hear(player))[-1] == present("red", "yellow")
