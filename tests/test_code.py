"""Tests of the code, which leads to an open seat, or else to watching."""

import asyncio
import collections

import pytest

import app
from helpers import (
    NOT_FOUND,
    RED_WINS,
    TIMEOUT,
    V2,
    begin_rematch,
    hear,
    hear_presence,
    play_all,
    played,
    present,
    stand_up,
    start_game,
    started,
    won,
)

pytestmark = pytest.mark.usefixtures("at_once")


async def test_code_is_easy_to_read_aloud_and_to_type(server):
    _, init = await server.start(**V2)
    assert len(init["code"]) == 6
    assert set(init["code"]) <= set("23478abcdefhjkmnpqrtvwxy")


async def test_code_is_never_given_to_two_games(server, monkeypatch):
    letters = iter("aaaaaaaaaaaabbbbbb")
    monkeypatch.setattr(app.secrets, "choice", lambda _: next(letters))
    codes = [(await server.start(**V2))[1]["code"] for _ in range(2)]
    assert codes == ["aaaaaa", "bbbbbb"]


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
async def test_code_leads_to_the_open_seat_in_any_case_of_letters(server, case):
    red, init = await server.start(**V2)
    yellow = await server.join(case(init["code"]), **V2)
    await yellow.receive()
    assert yellow.init["player"] == "yellow"
    assert await hear(yellow) == [started(), present("red", "yellow")]
    assert (await hear(red))[-1] == present("red", "yellow")


@pytest.mark.parametrize("case", [str.lower, str.upper])
async def test_code_to_watch_makes_a_spectator_though_a_seat_is_open(server, case):
    _, init = await server.start(**V2)
    spectator = await server.watch(case(init["code"]), **V2)
    assert (await spectator.receive())["player"] is None
    told = present("red", open=["yellow"], spectators=1)
    assert await hear(spectator) == [started(), told]


@pytest.mark.parametrize("case", [str.lower, str.upper])
async def test_base_client_plays_and_watches_by_the_code(server, case):
    red, init = await server.start(**V2)
    yellow = await server.join(case(init["code"]))
    spectator = await server.watch(case(init["code"]))
    third = await server.join(case(init["code"]))
    for client in (yellow, spectator, third):
        await client.expect_nothing()
    await hear(red)
    await play_all(red, yellow, [3, 4])
    for client in (spectator, third):
        await client.expect(*played(3, 4))
        await client.play(3)
        await client.expect_error("watching")


# What may happen at a match


async def nothing(*_):
    pass


async def leave(server, *players):
    for player in players:
        async with server.departure():
            await player.close()


async def let_yellow_go(server, red, yellow):
    await leave(server, yellow)


async def open_red(server, red, yellow):
    await stand_up(red)


async def open_both(server, red, yellow):
    await stand_up(red)
    await stand_up(yellow)


async def let_yellow_go_and_open_red(server, red, yellow):
    await leave(server, yellow)
    await stand_up(red)


async def open_red_and_let_another_move_and_go(server, red, yellow):
    await stand_up(red)
    other = await server.join(red.init["code"], **V2)
    await other.play(0)
    await hear(other)
    await leave(server, other)


# After how many moves it happens, and who somebody is then who has the code.
SEATS = [
    (0, nothing, None),  # yellow has not moved, but is here
    (0, let_yellow_go, "yellow"),
    (1, let_yellow_go, "yellow"),
    (2, let_yellow_go, None),
    (0, leave, "yellow"),
    (2, leave, None),
    (0, open_red, "red"),
    (2, open_red, "red"),
    (2, open_both, "red"),
    (1, let_yellow_go_and_open_red, "red"),
    (0, open_red_and_let_another_move_and_go, None),
]


@pytest.mark.parametrize(("moves", "happen", "player"), SEATS)
async def test_code_leads_to_the_first_open_seat(server, moves, happen, player):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, [3, 4][:moves])
    await happen(server, red, yellow)
    newcomer = await server.join(init["code"], **V2)
    assert (await newcomer.receive())["player"] == player


async def test_free_seat_comes_before_one_whose_connection_has_to_be_asked(server):
    red, yellow, init = await start_game(server)
    await stand_up(red)
    sitter = await server.join(init["code"], **V2)
    assert (await sitter.receive())["player"] == "red"
    # If this one were asked, it would lose its seat.
    sitter.websocket.transport.pause_reading()
    await stand_up(yellow)
    newcomer = await server.join(init["code"], **V2)
    assert (await newcomer.receive())["player"] == "yellow"
    sitter.websocket.transport.resume_reading()


async def test_who_sits_down_by_the_code_has_a_new_key_and_the_old_one_is_unknown(
    server,
):
    _, yellow, init = await start_game(server)
    await leave(server, yellow)
    newcomer = await server.join(init["code"], **V2)
    assert (await newcomer.receive())["player"] == "yellow"
    assert newcomer.init["rejoin"] != yellow.init["rejoin"]
    third = await server.join(yellow.init["rejoin"], **V2)
    await third.expect(NOT_FOUND)
    await third.expect_close(1000)


async def test_code_stays_through_a_rematch_and_while_everybody_is_away(server):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await leave(server, red, yellow)
    newcomer = await server.join(init["code"], **V2)
    assert (await newcomer.receive())["player"] is None
    assert newcomer.init["code"] == init["code"]


@pytest.mark.parametrize("role", ["join", "watch"])
async def test_code_is_unknown_when_the_match_is_forgotten(server, role):
    red, init = await server.start(**V2)
    await leave(server, red)
    (match,) = app.LEFT
    app.forget(match)
    client = await server.connect(**V2)
    await client.send({"type": "init", role: init["code"]})
    await client.expect(NOT_FOUND)
    await client.expect_close(1000)


async def test_one_of_300_who_come_by_one_code_plays_and_all_others_watch(server):
    red, init = await server.start(**V2)
    async with asyncio.timeout(2 * TIMEOUT):
        newcomers = await asyncio.gather(
            *(server.join(init["code"], **V2) for _ in range(300))
        )
        events = [await newcomer.receive() for newcomer in newcomers]
    assert {event["type"] for event in events} == {"init"}
    seats = collections.Counter(event["player"] for event in events)
    assert seats == {"yellow": 1, None: 299}
    everybody = present("red", "yellow", spectators=299)
    while await hear_presence(red) != everybody:
        pass
