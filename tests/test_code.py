"""Tests of the code by which the second player is invited."""

import pytest

import app
from helpers import NOT_FOUND, V2, come, hear, present, seat_of, started

pytestmark = pytest.mark.usefixtures("at_once")


async def test_code_is_easy_to_read_aloud_and_to_type(server):
    _, init = await server.start(**V2)
    assert len(init["invite"]) == 6
    assert set(init["invite"]) <= set("23478abcdefhjkmnpqrtvwxy")


async def test_code_opens_the_second_seat_in_any_case_of_letters(server):
    for case in (str.lower, str.upper, str.title):
        red, init = await server.start(**V2)
        yellow = await server.join(case(init["invite"]), **V2)
        told = [seat_of("yellow", init), started(), present("red", "yellow")]
        assert await hear(yellow) == told
        assert (await hear(red))[-1] == told[-1]


async def test_client_of_the_base_protocol_joins_with_the_code(server):
    red, init = await server.start(**V2)
    yellow = await server.join(init["invite"])
    await red.play(3)
    await yellow.expect({"type": "play", "player": "red", "column": 3, "row": 0})


@pytest.mark.parametrize("key", ["invite", "join"])
@pytest.mark.parametrize("options", [V2, {}], ids=["extension", "base"])
async def test_code_is_unknown_once_somebody_has_come(server, long_grace, key, options):
    red, init = await server.start(**V2)
    yellow = await server.join(init[key], **options)
    for _ in range(2):
        third = await server.join(init["invite"], **V2)
        await third.expect(NOT_FOUND)
        await third.expect_close(1000)
        # It doesn't come back when the seat is free again.
        async with server.departure():
            await yellow.close()
    async with server.departure():
        await red.close()
    red = await come(server, "red", init)
    await red.expect(seat_of("red", init))


async def test_code_is_told_again_to_the_first_player_who_comes_back(
    server, long_grace
):
    red, init = await server.start(**V2)
    async with server.departure():
        await red.close()
    red = await come(server, "red", init)
    await red.expect(init)
    yellow = await server.join(init["invite"], **V2)
    await yellow.expect(seat_of("yellow", init))


async def test_code_does_not_open_the_door_for_spectators(server):
    _, init = await server.start(**V2)
    spectator = await server.watch(init["invite"], **V2)
    await spectator.expect(NOT_FOUND)


async def test_code_is_never_given_to_two_games(server, monkeypatch):
    letters = iter("aaaaaaaaaaaabbbbbb")
    monkeypatch.setattr(app.secrets, "choice", lambda _: next(letters))
    codes = [(await server.start(**V2))[1]["invite"] for _ in range(2)]
    assert codes == ["aaaaaa", "bbbbbb"]
