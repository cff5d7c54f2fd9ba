"""Tests of who is told that others come and go, or wait on the local network."""

import app
import serving
from events import present, started, waiting
from helpers import V2, expect_all


async def test_everybody_is_told_who_comes_and_goes(server):
    red, init = await server.start(**V2)
    assert await red.hear() == [started(), present("red", open=["yellow"]), waiting()]
    spectator = await server.watch(init["watch"], **V2)
    told = present("red", open=["yellow"], spectators=1)
    assert (await spectator.hear())[1:] == [started(), told]
    await expect_all([red], told)
    yellow = await server.join(init["code"], **V2)
    for client in (red, spectator, yellow):
        await client.receive_until(present("red", "yellow", spectators=1))
    # Base clients are counted, but not told.
    base = await server.watch(init["watch"])
    await expect_all([base])
    for client in (red, spectator, yellow):
        await client.expect(present("red", "yellow", spectators=2))
    await spectator.close()
    base.vanish()
    for client in (red, yellow):
        await client.receive_until(present("red", "yellow"))


async def test_each_is_told_at_the_next_tick_only_what_differs_from_the_last(
    server, monkeypatch
):
    red, yellow = await server.start_game()
    old = await server.watch_game(red, yellow)
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 0.5)
    # Of one who comes and goes between two ticks nobody hears.
    two = present("red", "yellow", spectators=2)
    away = await server.come_back(old)
    assert await away.receive("presence") == two
    await server.leave(away)
    new = await server.come_back(old)
    assert await new.receive("presence") == two
    await expect_all([red, yellow, old])
    for client in (red, yellow, old):
        await client.expect(two)
    await server.leave(old)
    for client in (red, yellow, new):
        await client.expect(present("red", "yellow", spectators=1))
    await expect_all([red, yellow, new])


# Who waits on the local network


async def start_waiting(server, number):
    """Return players who wait, in this order, and the codes of their matches."""
    players = [await server.start(**V2) for _ in range(number)]
    return [player for player, _ in players], [init["code"] for _, init in players]


async def expect_waiting(clients, *told):
    """Check what each client is told about who waits, and nothing if that's None."""
    heard = [
        [event for event in await client.hear() if event["type"] == "waiting"]
        for client in clients
    ]
    assert heard == [[] if each is None else [each] for each in told]


async def test_who_waits_is_told_of_the_one_before_and_when_pairs_change(server):
    players, codes = await start_waiting(server, 5)
    told = map(waiting, [None, codes[0], None, codes[2], None])
    await expect_waiting(players, *told)
    await server.leave(players.pop(0))
    await expect_waiting(players, *map(waiting, [None, codes[1], None, codes[3]]))
    # The third is alone no more, and so the fourth is the third who waits.
    visitor = await server.join(codes[3], **V2)
    await expect_waiting([visitor, *players], None, None, None, None, waiting())


async def test_who_is_left_alone_at_an_open_seat_waits_again_after_all_others(server):
    red, yellow = await server.start_game()
    (stranger,), (code,) = await start_waiting(server, 1)
    await expect_waiting([stranger, red], waiting(), None)
    await server.leave(yellow)
    await red.expect(present("red", open=["yellow"]), waiting(code))
    # Who comes back is a newcomer.
    await server.leave(red)
    red = await server.come_back(red)
    await expect_waiting([stranger, red], None, waiting(code))
    # Nobody waits when they watch.
    await red.open_seat("red")
    (newcomer,), _ = await start_waiting(server, 1)
    await expect_waiting([red, stranger, newcomer], None, None, waiting(code))


async def test_who_takes_the_place_of_a_dead_connection_waits_after_all_others(
    server, monkeypatch
):
    monkeypatch.setattr(serving, "PROBE_TIMEOUT", 0.3)
    (dead, other), codes = await start_waiting(server, 2)
    await expect_waiting([dead, other], waiting(), waiting(codes[0]))
    dead.freeze()
    back = await server.come_back(dead)
    await back.receive_until(waiting(codes[1]))
    await expect_waiting([other], waiting())
    dead.vanish()


# The address by which a page was opened, and what proxies add.
LOCAL = ["192.168.1.5", "[::1]:8000", "localhost.", "raspberrypi", "PRINTER.LOCAL.:80"]
ELSEWHERE = [
    ("local.example.org:8000", {}),
    ("notlocal.org", {}),
    ("192.168.1.5.example.org", {}),
    ("127.0.0.1", {"Forwarded": "for=192.0.2.1"}),
    ("localhost", {"x-forwarded-for": ""}),
]


async def test_only_players_on_the_local_network_wait(server):
    for host, headers in [*((host, {}) for host in LOCAL), *ELSEWHERE]:
        where = {"address": f"ws://{host}/", "host": "127.0.0.1", "port": server.port}
        player, _ = await server.start(**V2, **where, additional_headers=headers)
        await expect_waiting([player], waiting() if host in LOCAL else None)
        await server.leave(player)
