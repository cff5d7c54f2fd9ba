"""Tests of the end of a game, and of rematches."""

import pytest

from helpers import (
    DRAW,
    DRAWN,
    NOT_YOUR_TURN,
    RED_WINS,
    ask,
    asked,
    begin_rematch,
    come_back,
    hear,
    play_all,
    played,
    present,
    sitting,
    start_game,
    started,
    watch_game,
    won,
)

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.mark.parametrize(
    ("columns", "end"),
    [(RED_WINS, won("red")), ([6, *RED_WINS], won("yellow")), (DRAWN, DRAW)],
    ids=["red wins", "yellow wins", "draw"],
)
async def test_everybody_is_told_the_end_once_after_the_last_move(server, columns, end):
    red, yellow, _ = await start_game(server)
    spectator = await watch_game(server, red, yellow)
    await play_all(red, yellow, columns, then=[end])
    assert await hear(spectator) == [*played(*columns), end]
    for player in (red, yellow):
        assert await hear(player) == []


@pytest.mark.parametrize("columns", [[], [3], RED_WINS[:-1], DRAWN[:-1]])
@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_rematch_is_refused_before_the_game_is_over(server, player, columns):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, columns)
    asker, other = sitting(player, red, yellow), sitting(player, yellow, red)
    await ask(asker)
    await asker.expect_error("isn't over")
    for client in (red, yellow):
        assert await hear(client) == []
    # It wasn't noted either.
    await ask(other)
    await other.expect_error("isn't over")
    assert await hear(asker) == []


@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_rematch_is_refused_to_whoever_has_asked_already(server, player):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    asker, other = sitting(player, red, yellow), sitting(player, yellow, red)
    await ask(asker)
    await ask(asker)
    await asker.expect(asked(player))
    await asker.expect_error("already")
    assert await hear(asker) == []
    assert await hear(other) == [asked(player)]


@pytest.mark.parametrize("columns", [[], [3], RED_WINS])
async def test_rematch_is_refused_to_a_spectator(server, columns):
    red, yellow, _ = await start_game(server)
    then = [won("red")] if columns == RED_WINS else []
    await play_all(red, yellow, columns, then=then)
    spectator = await watch_game(server, red, yellow)
    await ask(spectator)
    await spectator.expect_error("watching")
    for client in (red, yellow):
        assert await hear(client) == []


@pytest.mark.parametrize("order", [("red", "yellow"), ("yellow", "red")])
@pytest.mark.parametrize(
    ("columns", "end", "wins"),
    [(RED_WINS, won("red"), 1), (DRAWN, DRAW, 0)],
    ids=["won", "drawn"],
)
async def test_rematch_starts_when_both_have_asked(server, columns, end, wins, order):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, columns, then=[end])
    spectator = await watch_game(server, red, yellow)
    for player in order:
        await ask(sitting(player, red, yellow))
        for client in (red, yellow, spectator):
            await client.expect(asked(player))
    for client in (red, yellow, spectator):
        assert await hear(client) == [started("yellow", red=wins)]


async def test_rematch_begins_on_an_empty_board_with_the_other_player(server):
    red, yellow, _ = await start_game(server)
    spectator = await watch_game(server, red, yellow)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await red.play(0)
    await red.expect(NOT_YOUR_TURN)
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    events = [
        started("yellow", red=1),
        *played(*RED_WINS, first="yellow"),
        won("yellow"),
    ]
    assert (await hear(spectator))[-len(events) :] == events


async def test_first_move_changes_hands_and_wins_are_counted_with_each_rematch(server):
    red, yellow, _ = await start_game(server)
    wins = {"red": 0, "yellow": 0}
    for first, second in [("red", "yellow"), ("yellow", "red")] * 2:
        await play_all(red, yellow, RED_WINS, first=first, then=[won(first)])
        wins[first] += 1
        await begin_rematch(red, yellow, started(second, **wins))


async def test_first_move_changes_hands_after_a_draw_too(server):
    red, yellow, _ = await start_game(server)
    for first, second in [("red", "yellow"), ("yellow", "red")]:
        await play_all(red, yellow, DRAWN, first=first, then=[DRAW])
        await begin_rematch(red, yellow, started(second))


async def test_both_must_ask_again_for_the_next_rematch(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    for player in (red, yellow):
        await ask(player)
        await player.expect_error("isn't over")
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    await ask(red)
    assert await hear(red) == [asked("red")]
    assert await hear(yellow) == [asked("red")]


async def test_keys_stay_the_same_in_a_rematch(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    for player in (red, yellow):
        async with server.departure():
            await player.close()
        back = await come_back(server, player)
        told = [player.init, started("yellow", red=1), present("red", "yellow")]
        assert await hear(back) == told


@pytest.mark.parametrize("way", ["close", "vanish"])
async def test_rematch_stays_asked_for_while_the_asker_is_away(server, way):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(red)
    await yellow.expect(asked("red"))
    await red.close() if way == "close" else red.vanish()
    await yellow.expect(present("yellow"))
    red = await come_back(server, red)
    await yellow.expect(present("red", "yellow"))
    await hear(red)
    await ask(red)
    await red.expect_error("already")
    await ask(yellow)
    for player in (red, yellow):
        await player.expect(asked("yellow"), started("yellow", red=1))


async def test_rematch_may_begin_while_the_asker_is_away(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(red)
    await yellow.expect(asked("red"))
    await red.close()
    await yellow.expect(present("yellow"))
    await ask(yellow)
    await yellow.play(3)
    move = played(3, first="yellow")
    begun = [started("yellow", red=1), *move]
    await yellow.expect(asked("yellow"), *begun)
    back = await come_back(server, red)
    assert await hear(back) == [red.init, *begun, present("red", "yellow")]


async def test_rematch_stays_asked_for_while_everybody_is_away(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    for player in (yellow, red):
        async with server.departure():
            await player.close()
    back = await come_back(server, red)
    past = [started(), *played(*RED_WINS), won("red"), asked("yellow")]
    assert await hear(back) == [red.init, *past, present("red")]
    await ask(back)
    await back.expect(asked("red"), started("yellow", red=1))
